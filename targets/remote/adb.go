package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/seed-c6f48606/harness/targets"
)

// adbLink reaches a phone through the adb program and its server. Commands run by
// adb's shell protocol version 2, which keeps stdout, stderr and the exit status
// apart; files go the same way, as bytes on stdin.
type adbLink struct {
	name, serial string
	o            Options
}

// dialADB makes sure that the phone is there and lets this machine in.
func dialADB(ctx context.Context, t targets.Target, o Options) (transport, error) {
	l := &adbLink{name: t.Name, serial: t.Address, o: o}
	limit, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	cmd := exec.CommandContext(limit, o.ADB, "-s", l.serial, "get-state")
	var said Tail
	cmd.Stderr = &said
	cmd.WaitDelay = time.Second
	var out limited
	cmd.Stdout = &out
	err := cmd.Run()
	state, words := strings.TrimSpace(out.String()), said.String()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("connecting to %s: %w", t.Name, ctx.Err())
	case limit.Err() != nil:
		return nil, targetFault("adb kill-server may help", "connecting to %s: adb gave no answer within %v: %w", t.Name, o.Timeout, errLost)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return nil, harnessFault("install Android's platform tools", "connecting to %s: there is no program %s", t.Name, o.ADB)
	case strings.Contains(words, "unauthorized"):
		return nil, targetFault("unlock the phone and allow USB debugging for this computer", "connecting to %s: the phone does not know this computer", t.Name)
	case strings.Contains(words, "not found"):
		return nil, targetFault("adb devices lists what is connected; adb connect HOST:5555 for one on the network", "connecting to %s: no phone has the serial number %s (%w)", t.Name, l.serial, errLost)
	case err != nil || state != "device":
		return nil, targetFault("adb devices shows its state", "connecting to %s: adb says %s", t.Name, short(strings.TrimSpace(state+" "+words)))
	}
	return l, nil
}

// limited keeps the first bytes of an output.
type limited struct{ buf strings.Builder }

func (l *limited) Write(b []byte) (int, error) {
	if room := tailBytes - l.buf.Len(); room > 0 {
		l.buf.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

func (l *limited) String() string { return l.buf.String() }

func (l *adbLink) start(ctx context.Context, argv []string, k hooks) (*Conn, error) {
	line, err := Line(argv)
	if err != nil {
		return nil, harnessFault("", "running a command on %s: %w", l.name, err)
	}
	// -T: no terminal, which would change line ends; -x would lose the status.
	cmd := exec.Command(l.o.ADB, "-s", l.serial, "shell", "-T", line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c := newConn(k, l.o.grace)
	cmd.Stderr = &c.stderr
	cmd.WaitDelay = time.Second
	if c.Stdin, err = cmd.StdinPipe(); err != nil {
		return nil, harnessFault("", "running adb: %w", err)
	}
	// Not StdoutPipe: Wait must not close it under the reader.
	out, in, err := os.Pipe()
	if err != nil {
		return nil, harnessFault("", "running adb: %w", err)
	}
	cmd.Stdout, c.Stdout = in, &untilEnd{out}
	err = cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		return nil, harnessFault("install Android's platform tools", "running adb: %w", err)
	}
	c.hangUp = func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may be gone
		out.Close()
	}
	c.abandon = c.hangUp
	c.watch(ctx, func() error {
		return l.ended(ctx, c, argv, cmd.Wait())
	})
	return c, nil
}

// untilEnd closes a pipe once it is read to its end.
type untilEnd struct{ f *os.File }

func (u *untilEnd) Read(b []byte) (int, error) {
	n, err := u.f.Read(b)
	if err == io.EOF {
		u.f.Close()
	}
	return n, err
}

func (l *adbLink) ended(ctx context.Context, c *Conn, argv []string, err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("running %s on %s: %w", argv[0], l.name, ctx.Err())
	case errors.As(err, &exit):
		said := c.Stderr()
		if exit.ExitCode() == 1 && (strings.Contains(said, "error: device") || strings.Contains(said, "error: closed") || strings.Contains(said, "no devices")) {
			return targetFault("", "running %s on %s: %w: %s", argv[0], l.name, errLost, said)
		}
		return &ExitError{Argv: argv, Status: exit.ExitCode(), Stderr: said}
	}
	return targetFault("", "running %s on %s: %w", argv[0], l.name, err)
}

func (l *adbLink) files(context.Context) (files, error) { return &shellFiles{l.name, l}, nil }

// lost is nil: adb's own server keeps the link, and every command finds out anew.
func (l *adbLink) lost() error { return nil }

func (l *adbLink) Close() error { return nil }
