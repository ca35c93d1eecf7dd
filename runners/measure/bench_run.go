package measure

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Test is one test: every sequence reads a prompt, then generates, behind depth
// tokens that are read before the clock starts.
type Test struct {
	Prompt, Gen, Depth int // tokens of a sequence
	Parallel           int // sequences
	Batch              int // tokens of a prompt in one call at most; each call's last has its logits computed
	Repeats            int
	Cold               bool // no warm-up
}

// Timing is what a test took.
type Timing struct {
	Samples  []time.Duration // of the repeats
	StepNS   []int64         // of every step of generation, in ns; a step gives each sequence a token
	Work     Work            // of all repeats
	KVBytes  int64           // memory of keys and values
	PeakRSS  int64           // greatest since the model began to load, in bytes; 0 = unknown
	Evidence wire.Evidence
	Verdict  wire.Verdict
	Reason   string
	Warnings []wire.Warning
}

// Check refuses a test that the model cannot run.
func (b *Bench) Check(t Test) error {
	limit := b.about.Config.MaxPositions
	if n := t.Depth + t.Prompt + t.Gen; n > limit {
		return &wire.Error{
			Kind: wire.Harness,
			Text: fmt.Sprintf("%d tokens (depth %d, prompt %d, generated %d): the model reads at most %d", n, t.Depth, t.Prompt, t.Gen, limit),
			Mend: "use a smaller --n-prompt, --n-gen or --n-depth",
		}
	}
	return nil
}

// Run runs a test.
func (b *Bench) Run(ctx context.Context, t Test) (Timing, error) {
	if err := b.Check(t); err != nil {
		return Timing{}, err
	}
	b.prepare(t)
	if !t.Cold {
		joinPages()
		if err := b.warmUp(ctx, t); err != nil {
			return Timing{}, wire.Wrap(wire.Target, fmt.Errorf("warming up: %w", err))
		}
	}
	if err := b.deepen(ctx, t); err != nil {
		return Timing{}, wire.Wrap(wire.Target, fmt.Errorf("reading %d tokens first: %w", t.Depth, err))
	}
	result := Timing{Work: Work{Tier: kernels.Active(), Mix: b.mix}}
	for _, s := range b.bases {
		result.KVBytes += s.Bytes()
	}
	pids := []int{os.Getppid()}
	var spin, unspun float64
	if !t.Cold { // a cold start is over by then
		runtime.GC()
		spin = clock()
	}
	before := b.machine.snapshot(pids)
	for i := range t.Repeats {
		if err := b.repeat(ctx, t, &result); err != nil {
			return Timing{}, wire.Wrap(wire.Target, fmt.Errorf("repeat %d: %w", i+1, err))
		}
	}
	after := b.machine.snapshot(pids)
	if !t.Cold {
		unspun = clock()
	}
	b.judge(&result, before, after, spin, unspun)
	b.account(&result)
	return result, nil
}

// prepare makes sequences with room for the test, and memory for its times.
func (b *Bench) prepare(t Test) {
	b.bases = nil
	clear(b.sequences) // another test's memory is not this one's
	b.sequences = b.sequences[:0]
	b.steps = slices.Grow(b.steps[:0], t.Parallel)[:t.Parallel]
	for i := range t.Parallel {
		s := b.engine.NewSequence()
		s.Reserve(t.Depth + t.Prompt + t.Gen)
		b.sequences = append(b.sequences, s)
		b.steps[i].Seq = s
	}
	b.stepNS = slices.Grow(b.stepNS[:0], t.Gen)
}

// warmUp reads the prompt and generates a token.
func (b *Bench) warmUp(ctx context.Context, t Test) error {
	if err := b.read(ctx, 0, t.Prompt, t.Batch); err != nil {
		return err
	}
	return b.generate(ctx, min(t.Gen, 1))
}

// deepen reads the tokens that every repeat goes on from.
func (b *Bench) deepen(ctx context.Context, t Test) error {
	if t.Depth == 0 {
		return nil
	}
	for _, s := range b.sequences {
		s.Reset()
	}
	if err := b.read(ctx, 0, t.Depth, t.Batch); err != nil {
		return err
	}
	b.bases = slices.Clone(b.sequences)
	return nil
}

// rewind puts every sequence back to where a repeat begins.
func (b *Bench) rewind() {
	for i, s := range b.sequences {
		if b.bases == nil {
			s.Reset()
			continue
		}
		b.sequences[i] = b.bases[i].Fork()
		b.steps[i].Seq = b.sequences[i]
	}
}

// repeat runs the test once.
func (b *Bench) repeat(ctx context.Context, t Test, r *Timing) error {
	b.rewind()
	if t.Cold && b.about.FirstToken != 0 {
		joinPages()
	}
	executed := b.engine.Stats().ExecutedMAC
	began := time.Now()
	err := b.read(ctx, t.Depth, t.Prompt, t.Batch)
	if err == nil {
		err = b.generate(ctx, t.Gen)
	}
	took := time.Since(began)
	if err != nil {
		return err
	}
	r.Samples = append(r.Samples, took)
	r.Work.Total += took
	r.Work.MACs += b.engine.Stats().ExecutedMAC - executed
	r.Work.DecodeBytes += b.traffic.Decode(t.Depth+t.Prompt, t.Gen, t.Parallel)
	if t.Gen == 0 {
		return nil
	}
	r.StepNS = append(r.StepNS, b.stepNS...)
	for _, ns := range b.stepNS {
		r.Work.Decode += time.Duration(ns)
	}
	return nil
}

// read lets every sequence read n tokens from position at on, batch at a time.
func (b *Bench) read(ctx context.Context, at, n, batch int) error {
	for done := 0; done < n; {
		k := min(n-done, batch, len(b.tokens))
		from := (at + done) % (len(b.tokens) - k + 1)
		for i := range b.steps {
			b.steps[i].Tokens = b.tokens[from:][:k]
		}
		if err := b.forward(ctx); err != nil {
			return err
		}
		done += k
	}
	return nil
}

// generate lets every sequence read n tokens one by one, with the logits after
// each, and notes the times. No token is chosen by the logits.
func (b *Bench) generate(ctx context.Context, n int) error {
	b.stepNS = b.stepNS[:0]
	for i := range n {
		began := time.Now()
		if err := b.step(ctx, i); err != nil {
			return err
		}
		b.stepNS = append(b.stepNS, time.Since(began).Nanoseconds())
	}
	return nil
}

// step lets every sequence read one token, another one each.
func (b *Bench) step(ctx context.Context, i int) error {
	for s := range b.steps {
		at := (7*i + s) % len(b.tokens)
		b.steps[s].Tokens = b.tokens[at : at+1]
	}
	return b.forward(ctx)
}

// forward lets the sequences read their tokens.
func (b *Bench) forward(ctx context.Context) error {
	err := b.engine.Forward(ctx, b.steps, 0, discard)
	if err == nil && b.about.FirstToken == 0 {
		b.about.FirstToken = b.startup + time.Since(b.began)
	}
	return err
}

// discard takes logits that were computed.
func discard(int, int, []float32) {}

// judge decides whether the machine was quiet.
func (b *Bench) judge(r *Timing, before, after snapshot, spin, unspun float64) {
	r.Evidence = evidence(before, after, spin, unspun)
	r.Verdict, r.Reason, r.Warnings = DefaultLimits.judge(facts{
		evidence: r.Evidence, windowS: after.at.Sub(before.at).Seconds(), settled: true,
		rebooted: before.bootID != after.bootID, threads: b.about.Threads, cores: runtime.NumCPU(),
	})
}

// account adds what is known after the last repeat.
func (b *Bench) account(r *Timing) {
	for _, s := range b.sequences {
		r.KVBytes += s.Bytes()
	}
	b.peakRSS = max(b.peakRSS, b.machine.peakRSS())
	r.PeakRSS = b.peakRSS
	if cache := b.machine.lastCache(); len(r.StepNS) > 0 && b.traffic.WeightBytes < cache {
		r.Warnings = append(r.Warnings, wire.Warning{
			Code: "cached", Text: fmt.Sprintf("the weights (%.1f MB) fit in the last cache (%.1f MB): GB/s is no rate of the memory",
				float64(b.traffic.WeightBytes)/1e6, float64(cache)/1e6),
		})
	}
	if !b.resets {
		r.Warnings = append(r.Warnings, wire.Warning{
			Code: "rss-unreset", Text: "the kernel does not start the peak of memory anew (/proc/self/clear_refs): it covers what this process did before, too",
		})
	}
}
