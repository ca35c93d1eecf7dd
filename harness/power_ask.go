package main

import (
	"context"
	"io"
	"time"
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

// ask runs the runner's power command on the target's sensor and hands its output to
// read. The command ends when read returns or ctx ends.
func (p *place) ask(ctx context.Context, read func(io.Reader) error, command string, flags ...string) error {
	return p.run(ctx, read, append(append([]string{command}, p.tell...), flags...)...)
}

// run is ask of a command that reads no sensor, with its flags.
func (p *place) run(ctx context.Context, read func(io.Reader) error, args ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	argv := append([]string{p.runner, "power"}, append(args, "--attached")...)
	c, err := p.host.Start(context.WithoutCancel(ctx), argv) // the end of ctx does not kill it
	if err != nil {
		return err
	}
	e := errand{in: c.Stdin, out: c.Stdout, wait: c.Wait, kill: c.Kill}
	return e.follow(ctx, giveBack, read)
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
