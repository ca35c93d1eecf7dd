package command_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// A user's Ctrl-C reaches every process of the terminal, and a controller may be
// killed at any moment: neither may end a trial early, or leave a process on a
// board or a stray byte on the wire.
func TestServeAsAProcess(t *testing.T) {
	cmd := exec.Command(os.Args[0], "serve")
	cmd.Env = append(os.Environ(), asRunner+"=1")
	var stderr, said bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// A runner that hangs fails the test, not the whole run.
	timer := time.AfterFunc(2*patience, func() { cmd.Process.Kill() }) //nolint:errcheck // it may be gone
	defer timer.Stop()
	c, err := wire.Dial(t.Context(), io.TeeReader(out, &said), in)
	if err != nil {
		t.Fatal(err)
	}
	if h := c.Hello(); h.PID != cmd.Process.Pid {
		t.Errorf("hello of process %d, started %d", h.PID, cmd.Process.Pid)
	}
	if _, err := c.Load(t.Context(), wire.Load{Model: writeModel(t, 1)}, nil); err != nil {
		t.Fatal(err)
	}
	items := writeItems(t)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.Grace = patience
	_, err = c.Measure(ctx, long(items), func(p wire.Progress) {
		if p.Stage == "work" {
			interrupt(t, cmd.Process)
			cancel()
		}
	})
	if kindOf(err) != wire.Canceled {
		t.Errorf("canceling after an interrupt: %v", err)
	}
	if _, err := c.Measure(t.Context(), short(items), nil); err != nil {
		t.Errorf("measuring after an interrupt: %v", err)
	}

	_, err = c.Measure(t.Context(), long(items), func(p wire.Progress) {
		if p.Stage == "work" {
			in.Close()
		}
	})
	if err == nil {
		t.Error("a trial of an hour was answered")
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the runner ended by %v", err)
	}
	if stderr.Len() > 0 {
		t.Errorf("it said %q", stderr.String())
	}
	lines := 0
	for dec := wire.NewDecoder(&said, 0); ; lines++ {
		if _, err := dec.Decode(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("line %d of its output: %v", lines+1, err)
		}
	}
	if lines < 10 {
		t.Errorf("only %d lines of output", lines)
	}
}

func interrupt(t *testing.T, p *os.Process) {
	t.Helper()
	if err := p.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
}
