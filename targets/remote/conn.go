package remote

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// Conn is a command that runs on a target. Its memory here is bounded: what the
// command writes waits on the target until Stdout is read, of stderr the end is
// kept.
type Conn struct {
	Stdin  io.WriteCloser
	Stdout io.Reader

	stderr Tail
	hooks  hooks
	done   chan struct{}
	err    error
	// hangUp ends the channel at once; abandon gives up the whole link to a target
	// that ends no command.
	hangUp, abandon func()
	kill            sync.Once
	killed          chan struct{}
	grace           time.Duration // between a kill and giving up the link
}

// hooks are what the owner of a command adds to it; each may be nil.
type hooks struct {
	reap  func()            // ends the processes by the target's own means
	after func(error) error // sees how the command ended and may explain it
}

func newConn(h hooks, grace time.Duration) *Conn {
	return &Conn{hooks: h, grace: grace, done: make(chan struct{}), killed: make(chan struct{})}
}

// watch waits for the command's end.
func (c *Conn) watch(ctx context.Context, wait func() error) {
	stop := context.AfterFunc(ctx, c.Kill)
	over := make(chan error, 1)
	go func() { over <- wait() }()
	go func() {
		defer close(c.done)
		defer stop()
		select {
		case c.err = <-over:
		case <-c.killed:
			timer := time.NewTimer(c.grace)
			defer timer.Stop()
			select {
			case c.err = <-over:
			case <-timer.C:
				c.abandon()
				c.err = <-over
			}
		}
		if c.hooks.after != nil {
			c.err = c.hooks.after(c.err)
		}
	}()
}

// Stderr is the end of what the command wrote to stderr so far.
func (c *Conn) Stderr() string { return c.stderr.String() }

// Wait returns when the command is over: nil, an *ExitError, or a fault of the
// target. It may be called many times.
func (c *Conn) Wait() error {
	<-c.done
	return c.err
}

// Kill ends the command and everything it started. It returns when the target
// has been told, or cannot be.
func (c *Conn) Kill() {
	c.kill.Do(func() {
		if c.hooks.reap != nil {
			c.hooks.reap()
		}
		c.hangUp()
		close(c.killed)
	})
}

// maxOutput bounds what a short command may say.
const maxOutput = 1 << 20

// collect reads a command's whole output, which must be short.
func collect(c *Conn, limit int64) ([]byte, error) {
	c.Stdin.Close()
	out, err := io.ReadAll(io.LimitReader(c.Stdout, limit+1))
	if int64(len(out)) > limit {
		c.Kill()
		c.Wait() //nolint:errcheck // the output is the news
		return nil, targetFault("is that the program that it should be?", "the target says more than %d bytes where a short answer is due", limit)
	}
	end := c.Wait()
	if end == nil && err != nil && !errors.Is(err, io.EOF) {
		end = err
	}
	return out, end
}
