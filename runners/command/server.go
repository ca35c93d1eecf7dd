package command

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// progressEvery is the least time between two progress lines of one stage.
const progressEvery = 100 * time.Millisecond

// server is the state of one controller's service. One goroutine owns it; the
// session belongs to the running request while there is one.
type server struct {
	machine measure.Machine
	enc     *wire.Encoder
	stderr  io.Writer
	lines   chan received
	session *measure.Session
	running *job
}

// job is a request in progress.
type job struct {
	id     uint64
	cancel context.CancelFunc
	answer chan wire.Message
}

// start begins to work on a request.
func (s *server) start(ctx context.Context, line wire.Line) {
	ctx, cancel := context.WithCancel(ctx)
	j := &job{id: line.ID, cancel: cancel, answer: make(chan wire.Message, 1)}
	s.running = j
	go func() { j.answer <- s.answer(ctx, line) }()
}

// answer does a request. Whatever happens in it has an answer.
func (s *server) answer(ctx context.Context, line wire.Line) (m wire.Message) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(s.stderr, "runner: panic: %v\n%s", p, debug.Stack())
			// Its workers may wait forever: it is left behind, not closed.
			s.session = nil
			m = wire.Error{
				Kind: wire.Harness, Text: fmt.Sprintf("the runner panicked: %v", p),
				Mend: "this is a fault of the runner; please report it with its standard error",
			}
		}
	}()
	m, err := s.do(ctx, line.Message, s.progress(line.ID))
	if err != nil {
		return *wire.Wrap(wire.Harness, err)
	}
	return m
}

func (s *server) do(ctx context.Context, m wire.Message, progress measure.Progress) (wire.Message, error) {
	switch req := m.(type) {
	case wire.Info:
		return s.machine.Info(ctx), nil
	case wire.Load:
		return s.load(ctx, req, progress)
	case wire.Measure:
		if s.session == nil {
			return nil, errNoModel
		}
		return s.session.Measure(ctx, req, progress)
	case wire.Evaluate:
		if s.session == nil {
			return nil, errNoModel
		}
		return s.session.Evaluate(ctx, req, progress)
	}
	return nil, &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("a %T is no request", m), Mend: "send load, measure, evaluate or info"}
}

var errNoModel = &wire.Error{Kind: wire.Harness, Text: "no model is loaded", Mend: "send a load first"}

// load replaces the model. The old one goes first: two may not fit.
func (s *server) load(ctx context.Context, req wire.Load, progress measure.Progress) (wire.Message, error) {
	s.unload()
	session, err := measure.Load(ctx, req, s.machine, progress)
	if err != nil {
		return nil, err
	}
	s.session = session
	return session.Loaded(), nil
}

func (s *server) unload() {
	if s.session != nil {
		s.session.Close()
		s.session = nil
	}
}

// close ends the request in progress and the session.
func (s *server) close() {
	if s.running != nil {
		s.running.cancel()
		<-s.running.answer
	}
	s.unload()
}

// progress sends the first line of every stage and then at most one a
// progressEvery. A write that fails is not reported here: the answer will fail
// in the same way.
func (s *server) progress(id uint64) measure.Progress {
	var stage string
	var last time.Time
	return func(name string, done, total int) {
		now := time.Now()
		if name == stage && now.Sub(last) < progressEvery {
			return
		}
		stage, last = name, now
		_ = s.enc.Encode(id, wire.Progress{Stage: name, Done: done, Total: total})
	}
}

// reply sends an answer. One that JSON cannot hold, such as a NaN, is answered
// as an error; a pipe that is gone is an error of this process.
func (s *server) reply(id uint64, m wire.Message) error {
	err := s.enc.Encode(id, m)
	if err == nil {
		return nil
	}
	text := wire.Wrap(wire.Harness, err)
	if err := s.enc.Encode(id, *text); err != nil {
		return wire.Wrap(wire.Target, err)
	}
	return nil
}
