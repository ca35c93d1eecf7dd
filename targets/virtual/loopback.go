package virtual

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// loopback is a site without namespaces: an SSH server of the user's own on a
// loopback port. Its processes are those that descend from the server or carry
// the board's directory in their environment.
type loopback struct {
	place  place
	tools  tools
	keeper *keeper
	port   int
	server *exec.Cmd
	first  process
	log    *os.File
}

func newLoopback(b *Board, t tools) (*loopback, error) {
	log, err := os.OpenFile(b.place.host("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a board's log: %w", err)
	}
	if os.Geteuid() == 0 {
		// sshd of Debian insists on it when root starts it.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return nil, errors.Join(fmt.Errorf("making the SSH server's directory: %w", err), log.Close())
		}
	}
	return &loopback{place: b.place, tools: t, keeper: b.keeper, port: b.Port, log: log}, nil
}

// freePort asks the kernel for a port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a port for a board: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (s *loopback) boot(ctx context.Context) error {
	s.server = exec.Command(s.tools.sshd, "-D", "-e", "-f", s.place.host("sshd_config"))
	s.server.Stderr = s.log
	if err := s.keeper.start(s.server); err != nil {
		return fmt.Errorf("starting a board's SSH server: %w", err)
	}
	var err error
	if s.first, err = readProcess("/proc", s.server.Process.Pid); err != nil {
		return fmt.Errorf("starting a board's SSH server: %w", err)
	}
	return listening(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), func() string {
		b, err := os.ReadFile(s.place.host("log"))
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(string(b[max(0, len(b)-500):]))
	})
}

func (s *loopback) processes() ([]process, error) {
	mine, err := ownedBy(s.place.scratch(), s.first.pid)
	for i, p := range mine {
		if !support[p.name] {
			mine[i].wanted = readWanted("/proc", p.pid)
		}
	}
	return mine, err
}

// ownedBy lists the processes that descend from one, or whose environment names a
// board's directory.
func ownedBy(scratch string, ancestor int) ([]process, error) {
	all, err := listProcesses("/proc", false)
	if err != nil {
		return nil, err
	}
	parents := make(map[int]int, len(all))
	for _, p := range all {
		parents[p.pid] = p.parent
	}
	descends := func(pid int) bool {
		for ; pid > 1; pid = parents[pid] {
			if pid == ancestor {
				return true
			}
		}
		return false
	}
	mark := []byte("PROOT_TMP_DIR=" + scratch + "\x00")
	var mine []process
	for _, p := range all {
		if ancestor != 0 && descends(p.pid) {
			mine = append(mine, p)
			continue
		}
		if !strings.HasPrefix(p.name, "qemu-") && p.name != "proot" && runtime.GOARCH != "arm64" {
			continue // no program of a board: not worth a look at its environment
		}
		env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "environ"))
		if err == nil && bytes.Contains(env, mark) {
			mine = append(mine, p)
		}
	}
	return mine, nil
}

func (s *loopback) halt() error {
	err := killAll(s.place.scratch(), s.first.pid)
	if s.server != nil {
		end(s.server)
		s.server, s.first = nil, process{}
	}
	return errors.Join(err, killAll(s.place.scratch(), 0))
}

// killAll kills until nothing is left: a process may start another meanwhile.
func killAll(scratch string, ancestor int) error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		left, err := ownedBy(scratch, ancestor)
		if err != nil {
			return err
		}
		running := 0
		for _, p := range left {
			if p.pid == ancestor {
				continue // its parent kills it and waits for it
			}
			running++
			if err := unix.Kill(p.pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("ending a board's process %d (%s): %w", p.pid, p.name, err)
			}
		}
		if running == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("ending a board's processes: %d are still there", running)
		}
	}
}

func (s *loopback) fault(_ context.Context, f siteFault) error {
	switch f.kind {
	case linkDown:
		return s.signal(unix.SIGSTOP)
	case linkUp:
		return s.signal(unix.SIGCONT)
	case kill:
		return unix.Kill(f.pid, unix.SIGKILL)
	case reload:
		return unix.Kill(s.first.pid, unix.SIGHUP)
	case diskFull, diskFree:
		return errors.New("a board without a namespace of its own has no disk of its own that could fill up: run as root")
	}
	return nil
}

// signal stops or continues the server and its sessions, which silences the link
// and leaves the board's own processes alone.
func (s *loopback) signal(sig unix.Signal) error {
	all, err := s.processes()
	if err != nil {
		return err
	}
	for _, p := range all {
		if strings.HasPrefix(p.name, "sshd") {
			if err := unix.Kill(p.pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("silencing a board's link: %w", err)
			}
		}
	}
	return nil
}

func (s *loopback) close() error { return errors.Join(s.halt(), s.log.Close()) }
