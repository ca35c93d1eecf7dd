package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/engine"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// processStart is when this program's first code ran, some ms after its process
// was made.
var processStart = time.Now()

// Startup is the time from the process's start to the first call, which a
// program makes before it does anything that is no part of running a model.
var Startup = sync.OnceValue(func() time.Duration { return time.Since(processStart) })

// BenchOptions say how a model is run for tests of speed.
type BenchOptions struct {
	Threads   int              // workers, 0 = one per processor
	Chunk     int              // tokens of a prompt in one pass, 0 = the engine's own choice
	KV        kernels.KVFormat // how keys and values are kept
	LabelRows int              // rows of the head to compute, 0 = all
	Cold      bool             // the first test's first logits are the model's, too
}

// Bench is a model ready for tests of its speed. It is not safe for concurrent
// use.
type Bench struct {
	machine Machine
	file    *model.Model // what the engine was made of and may still read
	engine  *engine.Engine
	about   BenchModel
	traffic Traffic
	mix     kernels.Mix

	sequences []*engine.Sequence
	bases     []*engine.Sequence // what the sequences go on from where there is depth
	steps     []engine.Step
	tokens    []int32 // what is read, pseudo-random
	stepNS    []int64
	resets    bool  // the kernel starts the peak of memory anew
	peakRSS   int64 // as far as it is known

	began   time.Time     // when loading began
	startup time.Duration // of the process
}

// BenchModel describes a model that was loaded for a bench.
type BenchModel struct {
	Config      model.Config
	Params      int64
	StoredBytes int64 // of the weights in their file
	MemoryBytes int64 // that the engine holds for the weights
	Threads     int
	Load        time.Duration // from the file to an engine that can run
	// FirstToken is the time from the process's start, or what it would be had
	// this model been the first, to the first logits: after one token unless
	// BenchOptions.Cold is set.
	FirstToken time.Duration
}

// joinPages is called when the first logits are out and before anything else is
// timed; a variable for tests.
var joinPages = kernels.JoinPages

// OpenBench loads the model at path and, unless o.Cold is set, runs one token.
// Errors are *wire.Error: target for files that cannot be read, unsupported for
// another architecture, harness for options that cannot work.
func OpenBench(ctx context.Context, machine Machine, path string, o BenchOptions) (*Bench, error) {
	b := &Bench{machine: machine, startup: Startup()}
	debug.FreeOSMemory() // what was done before is not this model's
	b.resets = machine.resetPeakRSS()
	b.began = time.Now()
	if err := b.load(path, o); err != nil {
		b.Close()
		return nil, err
	}
	b.about.Load = time.Since(b.began)
	if o.Cold {
		return b, nil
	}
	b.prepare(Test{Parallel: 1, Prompt: 1})
	if err := b.read(ctx, 0, 1, 1); err != nil {
		b.Close()
		return nil, wire.Wrap(wire.Target, err)
	}
	joinPages()
	b.peakRSS = machine.peakRSS()
	return b, nil
}

// load makes the engine and notes what the model is.
func (b *Bench) load(path string, o BenchOptions) error {
	m, err := model.Open(path)
	if err != nil {
		return wire.Wrap(modelFault(err), err)
	}
	b.file = m
	rows, err := labelRows(o.LabelRows, m.VocabSize)
	if err != nil {
		return err
	}
	b.engine, err = engine.New(m, engine.Options{Threads: o.Threads, Chunk: o.Chunk, KV: o.KV.String(), LabelRows: rows})
	if err != nil {
		return wire.Wrap(modelFault(err), err)
	}
	b.traffic, b.mix = TrafficOf(m, o.LabelRows, o.KV), mixOf(m)
	b.tokens = pseudoRandom(m.VocabSize, maxTokens)
	b.about = BenchModel{
		Config: m.Config, Params: m.Params(), StoredBytes: m.StoredBytes(),
		MemoryBytes: b.engine.Bytes(), Threads: b.engine.Pool().Threads(),
	}
	return nil
}

// labelRows are n rows spread over the vocabulary, nil of 0.
func labelRows(n, vocab int) ([]int32, error) {
	if n > vocab {
		return nil, &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("--label-rows %d: the vocabulary has %d", n, vocab)}
	}
	var rows []int32
	for i := range n {
		rows = append(rows, int32(i*vocab/n))
	}
	return rows, nil
}

// maxTokens are as many different tokens as a test reads.
const maxTokens = 1 << 13

// pseudoRandom is the same tokens on every run.
func pseudoRandom(vocab, n int) []int32 {
	rng := rand.New(rand.NewPCG(1, 2))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(rng.IntN(vocab))
	}
	return ids
}

// Model describes the model.
func (b *Bench) Model() BenchModel { return b.about }

// Close ends the engine's workers.
func (b *Bench) Close() {
	if b.engine != nil {
		b.engine.Close()
	}
	if b.file != nil {
		b.file.Close() //nolint:errcheck // it was read
	}
}

// Forget makes the peak of memory start anew, for what happened since the model
// was loaded and is not its.
func (b *Bench) Forget() {
	debug.FreeOSMemory()
	b.resets = b.machine.resetPeakRSS() && b.resets
}
