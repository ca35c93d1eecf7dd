package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
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
}

// Self starts the runner that this program carries.
func Self() (Launch, error) {
	exe, err := os.Executable()
	if err != nil {
		return Launch{}, fmt.Errorf("finding this program: %w", err)
	}
	return Launch{Argv: []string{exe, "runner", "serve"}}, nil
}

// Process is a running runner.
type Process struct {
	*wire.Client
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout io.Closer
	stderr tail
	once   sync.Once
	ended  error
	killed atomic.Bool
}

// Start starts a runner in a process group of its own and exchanges hellos. When
// ctx ends before that, the whole group is killed.
func (l Launch) Start(ctx context.Context) (*Process, error) {
	p := &Process{cmd: exec.Command(l.Argv[0], l.Argv[1:]...)}
	p.cmd.Env = l.Env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = time.Second
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting a runner: %w", err)
	}
	// Not StdoutPipe: Wait must not close the pipe under the client's reader.
	out, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting a runner: %w", err)
	}
	p.cmd.Stdout, p.stdin, p.stdout = write, in, out
	err = p.cmd.Start()
	write.Close()
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("starting a runner: %w", err)
	}
	greet, cancel := context.WithTimeout(ctx, greetLimit)
	defer cancel()
	// Dial would wait for a hanging runner to answer the cancel of its greeting.
	stop := context.AfterFunc(greet, p.Kill)
	p.Client, err = wire.Dial(greet, out, in)
	if !stop() {
		err = ctx.Err()
		if err == nil {
			err = fmt.Errorf("no greeting within %v", greetLimit)
		}
		err = wire.Wrap(wire.Target, fmt.Errorf("starting a runner: %w", err))
	}
	if err != nil {
		return nil, p.fail(err)
	}
	p.Grace = 2 * time.Second
	return p, nil
}

// PID returns the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop asks the runner to quit and kills its group if it does not.
func (p *Process) Stop() {
	p.Quit() //nolint:errcheck // it may be dead
	p.stdin.Close()
	timer := time.AfterFunc(quitLimit, p.Kill)
	defer timer.Stop()
	p.wait() //nolint:errcheck
}

// Kill ends the runner and everything it started at once.
func (p *Process) Kill() {
	p.killed.Store(true)
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may be gone
}

// wait reaps the process once and frees the pipes.
func (p *Process) wait() error {
	p.once.Do(func() {
		p.ended = p.cmd.Wait()
		if p.Client != nil {
			p.Close()
		}
		p.stdout.Close()
	})
	return p.ended
}

// fail kills the runner and adds to err how it ended and what it said.
func (p *Process) fail(err error) error {
	var answer *wire.Error
	if p.Client != nil && errors.As(err, &answer) && answer.Unwrap() == nil {
		// The runner itself answered: it lives.
		p.Stop()
		return err
	}
	timer := time.AfterFunc(200*time.Millisecond, p.Kill)
	end := p.wait()
	timer.Stop()
	if p.killed.Load() {
		end = nil // it says nothing that it died of us
	}
	text := p.stderr.String()
	switch {
	case end == nil && text == "":
		return err
	case end == nil:
		return fmt.Errorf("%w: it said: %s", err, text)
	case text == "":
		return fmt.Errorf("%w: the runner ended by %w", err, end)
	}
	return fmt.Errorf("%w: the runner ended by %w: it said: %s", err, end, text)
}

// tail keeps the end of what a process wrote to stderr.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailBytes = 2048

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if extra := len(t.buf) - tailBytes; extra > 0 {
		t.buf = t.buf[extra:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}
