package gate

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Orders of a block: a drift that is linear in time cancels out of either.
const (
	abba = "ABBA"
	baab = "BAAB"
)

// Progress hears how far a series is.
type Progress interface {
	Stage(name string, total int)
	Step(n int, what string)
	Note(level, text string)
}

// Series measures two arms on the same board in interleaved blocks, cell by cell in
// turn, until every cell's metrics are decided.
type Series struct {
	Arms  [2]*Arm
	Duels []Duel
	// Deciding are the metrics that end a cell's blocks when all of them that the
	// trials have are decided. Others are kept too.
	Deciding []Metric
	Rule     Rule
	// Decided, if set, says in place of Rule when a deciding metric is decided.
	Decided  func(stat.Decision) bool
	Journal  *Journal
	Seed     uint64
	Retries  int // further attempts of a trial that was not valid
	Progress Progress
	Stop     <-chan struct{} // closed: finish the running block and return sweep.ErrInterrupted

	misses int // pairs in a row that could not be measured together
}

// Close gives the targets back and closes the journal.
func (s *Series) Close() error {
	return errors.Join(s.Arms[0].Close(), s.Arms[1].Close(), s.Journal.Close())
}

// Outcome is what a series says of a cell.
type Outcome struct {
	Cell    string
	Blocks  []Block
	Metrics []Judged // those that the trials have
}

// Judged is a metric with what was decided of it.
type Judged struct {
	Metric Metric
	stat.Decision
	Deciding bool
	Before   float64 // median of arm A's trials
	After    float64 // median of arm B's
}

// Find returns the judgement of a metric, nil where the trials do not have it.
func (o *Outcome) Find(name string) *Judged {
	for i := range o.Metrics {
		if o.Metrics[i].Metric.Name == name {
			return &o.Metrics[i]
		}
	}
	return nil
}

// InvalidError ends a series whose trials are not valid.
type InvalidError struct {
	Verdict wire.Verdict
	Reason  string
	Trials  int
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("%d trials in a row were not valid, the last: %s: %s", e.Trials, e.Verdict, e.Reason)
}

// LacksError ends a series whose trials have none of the metrics that decide.
type LacksError struct {
	Cell    string
	Metrics []Metric
}

func (e *LacksError) Error() string {
	var names []string
	mend := "choose others with --metric"
	for _, m := range e.Metrics {
		names = append(names, m.Name)
		if m.OfEnergy() {
			mend = "read the target's energy sensor with --energy, or " + mend
		}
	}
	return fmt.Sprintf("trials of %s have no %s; %s", e.Cell, strings.Join(names, ", "), mend)
}

// Run measures until every cell is decided or has Rule.MaxBlocks blocks. At a stop the
// outcomes so far come with sweep.ErrInterrupted.
func (s *Series) Run(ctx context.Context) ([]Outcome, error) {
	s.Progress.Stage("blocks", len(s.Duels)*s.Rule.MaxBlocks)
	for _, d := range s.Duels {
		s.Progress.Step(min(len(s.Journal.Of(d.Cell)), s.Rule.MaxBlocks), "")
	}
	for round := 0; ; round++ {
		left := 0
		for _, i := range s.rng("round", round).Perm(len(s.Duels)) {
			d := s.Duels[i]
			o := s.outcome(d.Cell)
			if s.decided(o) {
				continue
			}
			if s.stopping() {
				return s.outcomes(), sweep.ErrInterrupted
			}
			b, err := s.block(ctx, d, len(o.Blocks))
			if err != nil {
				return s.outcomes(), err
			}
			if err := s.Journal.add(b); err != nil {
				return s.outcomes(), err
			}
			o = s.outcome(d.Cell)
			if !slices.ContainsFunc(o.Metrics, func(j Judged) bool { return j.Deciding }) {
				return s.outcomes(), &LacksError{d.Cell, s.Deciding}
			}
			n := 1
			if s.decided(o) {
				n = s.Rule.MaxBlocks - len(o.Blocks) + 1
			} else {
				left++
			}
			s.Progress.Step(n, d.Cell+": "+s.tell(o))
		}
		if left == 0 {
			return s.outcomes(), nil
		}
	}
}

// tell is how a cell stands.
func (s *Series) tell(o Outcome) string {
	for _, j := range o.Metrics {
		if j.Deciding {
			return fmt.Sprintf("%s %s after %d blocks, %s", j.Metric.Name, Percent(j.Change), len(o.Blocks), j.Outcome)
		}
	}
	return "no figure yet"
}

func (s *Series) stopping() bool {
	select {
	case <-s.Stop:
		return true
	default:
		return false
	}
}

func (s *Series) outcomes() []Outcome {
	out := make([]Outcome, len(s.Duels))
	for i, d := range s.Duels {
		out[i] = s.outcome(d.Cell)
	}
	return out
}

// outcome judges what the journal has of a cell.
func (s *Series) outcome(cell string) Outcome {
	o := Outcome{Cell: cell, Blocks: s.Journal.Of(cell)}
	for _, m := range Metrics {
		deciding := slices.ContainsFunc(s.Deciding, func(d Metric) bool { return d.Name == m.Name })
		j := Judged{Metric: m, Deciding: deciding}
		pairs := Pairs(o.Blocks, m)
		if len(pairs) == 0 || len(pairs) < pairsOfBlock*len(o.Blocks) {
			continue // a metric that some trials lack decides nothing
		}
		j.Decision = s.Rule.Judge(pairs, m.Less)
		var before, after []float64
		for _, p := range pairs {
			before, after = append(before, p.A), append(after, p.B)
		}
		j.Before, j.After = stat.Median(before), stat.Median(after)
		o.Metrics = append(o.Metrics, j)
	}
	return o
}

// decided says whether a cell needs no further block.
func (s *Series) decided(o Outcome) bool {
	if len(o.Blocks) >= s.Rule.MaxBlocks {
		return true
	}
	any := false
	for _, j := range o.Metrics {
		if j.Deciding {
			any = true
			if s.Decided != nil && !s.Decided(j.Decision) || s.Decided == nil && j.Outcome == stat.CannotTell {
				return false
			}
		}
	}
	return any
}

// Pairs are the pairs of neighbours in blocks, of a metric that all of them have.
func Pairs(blocks []Block, m Metric) []stat.Pair {
	var out []stat.Pair
	for _, b := range blocks {
		v, ok := b.Values[m.Name]
		switch {
		case !ok:
		case b.Order == abba:
			out = append(out, stat.Pair{A: v[0], B: v[1]}, stat.Pair{A: v[3], B: v[2]})
		default:
			out = append(out, stat.Pair{A: v[1], B: v[0]}, stat.Pair{A: v[2], B: v[3]})
		}
	}
	return out
}

// block measures two pairs of trials, each trial in a process of its own.
func (s *Series) block(ctx context.Context, d Duel, number int) (Block, error) {
	b := Block{Cell: d.Cell, Number: number, Order: abba, Values: map[string][4]float64{}}
	if s.rng(d.Cell, number).IntN(2) == 1 {
		b.Order = baab
	}
	var pairs [pairsOfBlock]trials
	for i := range pairs {
		d.Request.Seed = s.Seed<<16 + uint64(number) // the same texts in the same order for all four
		t, err := s.both(ctx, d, b.Order[2*i])
		if err != nil {
			return b, err
		}
		pairs[i] = t
		b.Redone += t.redone
	}
	for _, m := range Metrics {
		var v [4]float64
		for i, t := range pairs {
			sides := m.sides(t)
			for j := range 2 {
				v[2*i+j] = sides[b.Order[2*i+j]-'A']
			}
		}
		if !slices.ContainsFunc(v[:], math.IsNaN) {
			b.Values[m.Name] = v
		}
	}
	return b, nil
}

// trial measures until a trial is valid, as often as Retries allows.
func (s *Series) trial(ctx context.Context, d Duel, side int) (r wire.MeasureResult, redone int, err error) {
	arm := s.Arms[side]
	for ; ; redone++ {
		r, err = arm.measure(ctx, d, side)
		switch {
		case ctx.Err() != nil:
			return r, redone, ctx.Err()
		case err == nil && (r.Verdict == wire.Valid || d.Request.CPUProfile):
			return r, redone, nil
		case err == nil:
		case !again(ctx, err):
			return r, redone, err
		default:
			s.broken(ctx)
			r = wire.MeasureResult{Verdict: wire.Faulted, Reason: err.Error()}
		}
		s.Progress.Note(store.Warning, fmt.Sprintf("trial of %s, %s: %s: %s", d.Cell, arm.Name, r.Verdict, r.Reason))
		if redone >= s.Retries {
			if err != nil {
				return r, redone, err
			}
			return r, redone, &InvalidError{r.Verdict, r.Reason, redone + 1}
		}
		if err := s.pause(ctx, redone); err != nil {
			return r, redone, err
		}
	}
}

// pause gives what disturbs the machine time to end: longer with every try.
func (s *Series) pause(ctx context.Context, try int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.Stop:
		return sweep.ErrInterrupted
	case <-time.After(min(15*time.Second, time.Second<<try)):
		return nil
	}
}

// rng is the same for the same series, whatever was interrupted.
func (s *Series) rng(what string, n int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(what))
	return rand.New(rand.NewPCG(s.Seed^h.Sum64(), uint64(n))) //nolint:gosec // an order, no secret
}
