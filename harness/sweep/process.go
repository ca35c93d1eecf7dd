package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/remote"
)

// Time limits of a runner process.
const (
	greetLimit = 30 * time.Second
	quitLimit  = 5 * time.Second
)

// Launch says how a runner process is started.
type Launch struct {
	Argv []string
	Env  []string // nil = this process's
	Dir  string   // "" = this process's
}

// Self starts the runner that this program carries.
func Self() (Launch, error) {
	exe, err := os.Executable()
	if err != nil {
		return Launch{}, fmt.Errorf("finding this program: %w", err)
	}
	return Launch{Argv: []string{exe, "runner", "serve"}}, nil
}

// link is a program that was started somewhere, a runner we hope: its pipes, its
// end and how to end it.
type link struct {
	in   io.WriteCloser
	out  io.ReadCloser
	wait func() error  // reaps it; called once
	kill func()        // ends it and all that it started; does no harm afterwards
	said func() string // the end of what it wrote to stderr
	pid  int           // on its own machine; 0 = not known
	// linger is how long the end of a broken runner is waited for before it is
	// killed; 0 is what suits this machine.
	linger time.Duration
}

// Process is a running runner.
type Process struct {
	*wire.Client
	link
	once   sync.Once
	ended  error
	killed atomic.Bool
}

// Start starts a runner in a process group of its own and exchanges hellos. When
// ctx ends before that, the whole group is killed.
func (l Launch) Start(ctx context.Context) (*Process, error) {
	cmd := exec.Command(l.Argv[0], l.Argv[1:]...)
	stderr := &remote.Tail{}
	cmd.Env, cmd.Dir, cmd.Stderr, cmd.WaitDelay = l.Env, l.Dir, stderr, time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting a runner: %w", err)
	}
	// Not StdoutPipe: Wait must not close the pipe under the client's reader.
	out, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting a runner: %w", err)
	}
	cmd.Stdout = write
	err = cmd.Start()
	write.Close()
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("starting a runner: %w", err)
	}
	pid := cmd.Process.Pid
	return greet(ctx, link{
		in: in, out: out, wait: cmd.Wait, said: stderr.String, pid: pid,
		kill: func() { syscall.Kill(-pid, syscall.SIGKILL) }, //nolint:errcheck // it may be gone
	})
}

// greet exchanges hellos with what was started; a failure ends it.
func greet(ctx context.Context, l link) (*Process, error) {
	p := &Process{link: l}
	greet, cancel := context.WithTimeout(ctx, greetLimit)
	defer cancel()
	// Dial would wait for a hanging runner to answer the cancel of its greeting.
	stop := context.AfterFunc(greet, p.Kill)
	var err error
	p.Client, err = wire.Dial(greet, l.out, l.in)
	if !stop() {
		err = ctx.Err()
		if err == nil {
			err = fmt.Errorf("no greeting within %v", greetLimit)
		}
		err = wire.Wrap(wire.Target, fmt.Errorf("starting a runner: %w", err))
	}
	if err != nil {
		return nil, p.Fail(err)
	}
	p.Grace = 2 * time.Second
	return p, nil
}

// PID returns the process's number on its own machine.
func (p *Process) PID() int {
	if p.pid == 0 && p.Client != nil {
		return p.Hello().PID
	}
	return p.pid
}

// Stop asks the runner to quit and kills its group if it does not.
func (p *Process) Stop() {
	p.Quit() //nolint:errcheck // it may be dead
	p.in.Close()
	timer := time.AfterFunc(quitLimit, p.Kill)
	defer timer.Stop()
	p.reap() //nolint:errcheck
}

// Kill ends the runner and everything it started at once.
func (p *Process) Kill() {
	p.killed.Store(true)
	p.kill()
}

// reap waits for the process once and frees the pipes.
func (p *Process) reap() error {
	p.once.Do(func() {
		p.ended = p.wait()
		if p.Client != nil {
			p.Close()
		}
		p.out.Close()
	})
	return p.ended
}

// Fail kills the runner and adds to err how it ended and what it said.
func (p *Process) Fail(err error) error {
	var answer *wire.Error
	if p.Client != nil && errors.As(err, &answer) && answer.Unwrap() == nil {
		// The runner itself answered: it lives.
		p.Stop()
		return err
	}
	timer := time.AfterFunc(cmp.Or(p.linger, 200*time.Millisecond), p.Kill)
	end := p.reap()
	timer.Stop()
	if p.killed.Load() {
		end = nil // it says nothing that it died of us
	}
	if remote.Lost(end) {
		return wire.Wrap(wire.Target, fmt.Errorf("talking to the runner: %w", end)) // the rest follows from that
	}
	text := p.said()
	switch how := howEnded(end); {
	case end == nil && text == "":
		return err
	case end == nil:
		return fmt.Errorf("%w: it said: %s", err, text)
	case text == "":
		return fmt.Errorf("%w: the runner ended with %s", err, how)
	default:
		return fmt.Errorf("%w: the runner ended with %s: it said: %s", err, how, text)
	}
}

// howEnded is the end of a runner in few words: what it said is told beside it.
func howEnded(end error) string {
	if end == nil {
		return ""
	}
	how := end.Error()
	if far := (*remote.ExitError)(nil); errors.As(end, &far) {
		how = far.How()
	}
	if killedFromOutside(end) {
		how += " (out of memory, or somebody killed it)"
	}
	return how
}

// killedFromOutside says whether a runner that we did not kill ended by SIGKILL, as
// the kernel does it where memory is short. A shell tells that as 128 + 9.
func killedFromOutside(end error) bool {
	var exit *exec.ExitError
	var far *remote.ExitError
	switch {
	case errors.As(end, &exit):
		status, ok := exit.Sys().(syscall.WaitStatus)
		return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	case errors.As(end, &far):
		return far.Signal == "KILL" || far.Status == 128+9
	}
	return false
}
