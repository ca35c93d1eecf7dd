package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/engine"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Session is a loaded model on this machine. It serves one request at a time.
type Session struct {
	file    *model.Model // what the engine was made of: it may still read a head
	engine  *engine.Engine
	tok     *tokenizer.Tokenizer
	loaded  wire.Loaded
	machine Machine
}

// Progress hears how far a request has come.
type Progress func(stage string, done, total int)

// Load reads a model and its tokenizer and prepares the engine; the weights go
// from the file into the engine's layout some rows at a time. Errors are
// *wire.Error: target for files that cannot be read, unsupported for another
// architecture, harness for options that cannot work.
func Load(ctx context.Context, req wire.Load, machine Machine, progress Progress) (*Session, error) {
	began := time.Now()
	progress("load", 0, 0)
	debug.FreeOSMemory()       // a model before this one is garbage by now, but still there
	_ = machine.resetPeakRSS() // where it is refused, the peak covers what was before
	s := &Session{machine: machine}
	if err := s.load(ctx, req); err != nil {
		s.Close()
		return nil, err
	}
	s.loaded.LoadS = time.Since(began).Seconds()
	runtime.GC() // what reading left: not during the window
	return s, nil
}

func (s *Session) load(ctx context.Context, req wire.Load) error {
	m, err := model.Open(req.Model)
	if err != nil {
		return wire.Wrap(modelFault(err), err)
	}
	s.file = m
	hash := model.Hashing(req.Model)
	path := req.Tokenizer
	if path == "" {
		path = req.Model
	}
	tok, err := tokenizer.Load(path)
	if err != nil {
		return wire.Wrap(wire.Target, fmt.Errorf("loading the tokenizer: %w", err))
	}
	if tok.VocabSize() > m.VocabSize {
		return &wire.Error{
			Kind: wire.Harness,
			Text: fmt.Sprintf("the tokenizer %s has %d pieces, the model's vocabulary %d", path, tok.VocabSize(), m.VocabSize),
			Mend: "use the tokenizer that the model was trained with",
		}
	}
	e, err := engine.New(m, engine.Options{Threads: req.Threads, Exact: req.Exact, Chunk: req.Chunk})
	if err != nil {
		return wire.Wrap(modelFault(err), fmt.Errorf("loading model %s: %w", req.Model, err))
	}
	s.engine, s.tok = e, tok
	sum, err := hash()
	if err != nil {
		return wire.Wrap(wire.Target, fmt.Errorf("loading model %s: %w", req.Model, err))
	}
	if err := ctx.Err(); err != nil {
		return wire.Wrap(wire.Canceled, fmt.Errorf("loading model %s: %w", req.Model, err))
	}
	s.loaded = wire.Loaded{
		ModelType: m.ModelType, Hash: sum, Labels: m.Labels, Layers: len(m.Layers), Gates: e.Gates(),
		Params: m.Params(), Vocab: m.VocabSize, ModelBytes: m.StoredBytes(), MemoryBytes: e.Bytes(),
		Threads: e.Pool().Threads(), Tier: kernels.Active().String(),
	}
	return nil
}

// modelFault tells a model that this engine cannot run, and options that are
// wrong, from a model that is broken.
func modelFault(err error) wire.ErrorKind {
	switch {
	case errors.Is(err, model.ErrUnsupported):
		return wire.Unsupported
	case errors.Is(err, engine.ErrOptions):
		return wire.Harness
	}
	return wire.Target
}

// Loaded describes the model.
func (s *Session) Loaded() wire.Loaded { return s.loaded }

// Close ends the engine's workers and closes the model's files.
func (s *Session) Close() {
	if s.engine != nil {
		s.engine.Close()
	}
	if s.file != nil {
		s.file.Close() //nolint:errcheck // it was read
	}
}

// counts is what the engine did in some calls.
type counts struct {
	eligible, skipped   int
	dense, executed     uint64
	items, tokens, runs int
}

func (c *counts) add(st engine.Stats, items int) {
	c.eligible += st.Eligible
	c.skipped += st.Skipped
	c.dense += st.DenseMAC
	c.executed += st.ExecutedMAC
	c.tokens += st.Tokens
	c.items += items
	c.runs++
}

// since is the difference of two states of an engine's counters.
func since(before, after engine.Stats) engine.Stats {
	return engine.Stats{
		Tokens: after.Tokens - before.Tokens, Eligible: after.Eligible - before.Eligible, Skipped: after.Skipped - before.Skipped,
		DenseMAC: after.DenseMAC - before.DenseMAC, ExecutedMAC: after.ExecutedMAC - before.ExecutedMAC,
	}
}

func (c *counts) skipRate() float64 {
	if c.eligible == 0 {
		return 0
	}
	return float64(c.skipped) / float64(c.eligible)
}
