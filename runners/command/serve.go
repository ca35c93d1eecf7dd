package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// exitGrace is how long work in progress may take to notice that the input
// ended. After that the process exits over its head.
const exitGrace = time.Second

func newServe() *cobra.Command {
	var sensors Sensors
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve a controller on standard input and output",
		Long: "Speaks JSON lines: a hello each way, then requests and their answers. Standard output carries\n" +
			"nothing else. The end of input cancels the work in progress and ends the process; an interrupt\n" +
			"from the terminal is left to the controller.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			// A local controller shares this terminal: it finishes the trial on
			// Ctrl-C, so the trial must not die of it.
			signal.Ignore(os.Interrupt)
			defer signal.Reset(os.Interrupt)
			machine := measure.This()
			if !sensors.Zero() {
				machine.Meter = sensors.Open
			}
			return serve(c.Context(), c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr(), machine)
		},
	}
	addSensors(c, &sensors)
	return c
}

// serve answers one controller until it quits, its pipe ends or ctx does.
func serve(ctx context.Context, in io.Reader, out, stderr io.Writer, machine measure.Machine) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{machine: machine, enc: wire.NewEncoder(out), stderr: stderr, lines: make(chan received)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// The end of input is the end of all work, also where the loop is held
		// up by an output that nobody reads.
		defer cancel()
		s.read(ctx, wire.NewDecoder(in, 0))
	}()
	finished := make(chan error, 1)
	go func() { finished <- s.run(ctx) }()
	select {
	case err := <-finished:
		return err
	case <-ended:
	case <-ctx.Done():
	}
	select {
	case err := <-finished:
		return err
	case <-time.After(exitGrace):
		return nil
	}
}

// received is one line of input, or why there is none.
type received struct {
	line wire.Line
	err  error
	at   time.Time
}

// read hands on lines until the input ends or is no wire.
func (s *server) read(ctx context.Context, dec *wire.Decoder) {
	for {
		line, err := dec.Decode()
		at := time.Now()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return
		}
		select {
		case s.lines <- received{line, err, at}:
		case <-ctx.Done():
			return
		}
		var bad *wire.Error
		if err != nil && !errors.As(err, &bad) {
			return
		}
	}
}

// run greets and serves.
func (s *server) run(ctx context.Context) error {
	defer s.close()
	if err := s.greet(ctx); err != nil {
		return err
	}
	for {
		// A nil channel: nothing is running.
		var answered <-chan wire.Message
		if s.running != nil {
			answered = s.running.answer
		}
		select {
		case m := <-answered:
			s.running.cancel()
			id := s.running.id
			s.running = nil
			if err := s.reply(id, m); err != nil {
				return err
			}
		case got := <-s.lines:
			if more, err := s.take(ctx, got); err != nil || !more {
				return err
			}
		case <-ctx.Done():
			return nil // the input ended
		}
	}
}

// greet answers the controller's hello. A controller of another build is told
// who this is, so that it can say so, and served no further.
func (s *server) greet(ctx context.Context) error {
	var got received
	select {
	case got = <-s.lines:
	case <-ctx.Done():
		return nil
	}
	theirs, ok := got.line.Message.(wire.Hello)
	if got.err != nil || !ok {
		err := &wire.Error{Kind: wire.Harness, Text: "the first line is no hello", Mend: "start the runner by a harness, not by hand"}
		return errors.Join(err, s.reply(got.line.ID, *err))
	}
	mine := wire.NewHello(os.Getpid())
	mine.Tier, mine.CPU = kernels.Active().String(), s.machine.Environment(ctx).CPU
	if err := s.reply(got.line.ID, mine); err != nil {
		return err
	}
	if err := mine.Check(theirs); err != nil {
		return fmt.Errorf("greeting the controller: %w", err)
	}
	return nil
}

// take acts on a line of input and reports whether to go on.
func (s *server) take(ctx context.Context, got received) (bool, error) {
	id := got.line.ID
	var bad *wire.Error
	switch {
	case got.err == nil:
	case errors.As(got.err, &bad):
		return true, s.reply(id, *bad)
	default:
		err := wire.Wrap(wire.Harness, fmt.Errorf("reading a request: %w", got.err))
		return false, errors.Join(err, s.reply(id, *err))
	}
	switch got.line.Message.(type) {
	case wire.Cancel:
		// The id of a request that has just been answered is no mistake.
		if s.running != nil && s.running.id == id {
			s.running.cancel()
		}
		return true, nil
	case wire.Quit:
		return false, nil
	case wire.Time:
		return true, s.reply(id, wire.TimeResult{Heard: measure.SinceStart(got.at), Answered: measure.SinceStart(time.Now())})
	}
	if s.running != nil {
		return true, s.reply(id, wire.Error{
			Kind: wire.Harness, Text: fmt.Sprintf("request %d came while request %d is running", id, s.running.id),
			Mend: "wait for its answer or cancel it",
		})
	}
	s.start(ctx, got.line)
	return true, nil
}
