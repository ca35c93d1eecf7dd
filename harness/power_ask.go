package main

import (
	"context"
	"io"
	"time"

	"github.com/seed-c6f48606/harness/targets/remote"
)

// giveBack is how long a runner may take to give its sensor back. One that is
// killed leaves a chip configured as it was read.
const giveBack = 5 * time.Second

// errand is a command that runs on a target and ends with its input.
type errand struct {
	in   io.Closer
	out  io.Reader
	wait func() error
	kill func()
}

// ask runs the runner's power command on the target and hands its output to read.
// The command ends when read returns or ctx ends.
func (p *place) ask(ctx context.Context, read func(io.Reader) error, args ...string) error {
	c, err := p.run(ctx, args...)
	if err != nil {
		return err
	}
	e := errand{in: c.Stdin, out: c.Stdout, wait: c.Wait, kill: c.Kill}
	return e.follow(ctx, giveBack, read)
}

// run starts the runner's power command. The end of ctx does not kill it.
func (p *place) run(ctx context.Context, args ...string) (*remote.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	argv := append([]string{p.argv[0], p.argv[1], args[0]}, p.argv[2:]...)
	return p.host.Start(context.WithoutCancel(ctx), append(append(argv, "--attached"), args[1:]...))
}

// follow reads a command's output. Its input ends when ctx ends or read returns, and
// it is killed where it has not ended by itself some time later.
func (e errand) follow(ctx context.Context, grace time.Duration, read func(io.Reader) error) error {
	enough, stop := context.WithCancel(ctx)
	defer stop()
	over := make(chan struct{})
	go func() {
		<-enough.Done()
		e.in.Close() //nolint:errcheck // a command that is gone has no input
		select {
		case <-over:
		case <-time.After(grace):
			e.kill()
		}
	}()
	err := read(e.out)
	stop()
	io.Copy(io.Discard, e.out) //nolint:errcheck // it must not wait for a reader when it is to end
	end := e.wait()
	close(over)
	switch {
	case ctx.Err() != nil:
		return nil // the user has seen enough
	case end != nil:
		return end // which says why there was nothing to read
	}
	return err
}
