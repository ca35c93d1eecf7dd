package sweep

import (
	"context"
	"slices"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Record is everything that the store knows of one run.
type Record struct {
	Run       store.Run
	Plan      Plan
	Cells     []RecordedCell // in the plan's order
	Artefacts []store.Artefact
	Trials    []store.Trial // in the order they were stored
	Qualities []store.Quality
	Events    []store.Event

	timings map[int64]Timing // by a trial's id; see Timing
	rules   int              // by which figures are computed; 0 = Rules
}

// RecordedCell is a cell with its axes read.
type RecordedCell struct {
	store.Cell
	Axes Axes
}

// Read reads a run by its id, a beginning of it, its tag or "last", with all samples.
func Read(ctx context.Context, s *store.Store, id string) (*Record, error) {
	r, err := Skim(ctx, s, id)
	if err != nil {
		return nil, err
	}
	return r, s.AddSamples(ctx, r.Run.ID, r.Trials)
}

// Skim reads a run as Read does, but of its samples only what rows and reports are
// made of, so that a run of millions takes no more memory than one of hundreds.
func Skim(ctx context.Context, s *store.Store, id string) (*Record, error) {
	r := &Record{timings: map[int64]Timing{}}
	var err error
	if r.Run, err = s.Run(ctx, id); err != nil {
		return nil, err
	}
	if r.Plan, err = ParsePlan(r.Run.Plan); err != nil {
		return nil, err
	}
	cells, err := s.Cells(ctx, r.Run.ID)
	if err != nil {
		return nil, err
	}
	if r.Cells, err = readAxes(cells); err != nil {
		return nil, err
	}
	if r.Artefacts, err = s.Artefacts(ctx, r.Run.ID); err != nil {
		return nil, err
	}
	if r.Trials, err = s.Trials(ctx, r.Run.ID); err != nil {
		return nil, err
	}
	err = s.Latencies(ctx, r.Run.ID, func(trial int64, ms []float64) error {
		r.timings[trial] = timingOf(ms)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if r.Qualities, err = s.Qualities(ctx, r.Run.ID); err != nil {
		return nil, err
	}
	r.Events, err = s.Events(ctx, r.Run.ID)
	return r, err
}

// ValidTrials counts the trials that enter figures.
func (r *Record) ValidTrials() int {
	n := 0
	for _, t := range r.Trials {
		if t.Result.Verdict == wire.Valid {
			n++
		}
	}
	return n
}

// Environment is the machine of the first trial that tells one; the zero value
// when none does.
func (r *Record) Environment() wire.Environment {
	for _, t := range r.Trials {
		if t.Result.Env.OS != "" {
			return t.Result.Env
		}
	}
	return wire.Environment{}
}

// EnvironmentOf is the machine of a target's first trial that tells one; the
// zero value when none does.
func (r *Record) EnvironmentOf(target string) wire.Environment {
	for _, t := range r.trialsOn(target) {
		if t.Result.Env.OS != "" {
			return t.Result.Env
		}
	}
	return wire.Environment{}
}

// trialsOn returns the trials on a target.
func (r *Record) trialsOn(target string) []store.Trial {
	on := map[string]bool{}
	for _, c := range r.Cells {
		on[c.ID] = c.Target == target
	}
	var out []store.Trial
	for _, t := range r.Trials {
		if on[t.Cell] {
			out = append(out, t)
		}
	}
	return out
}

// Verdicts counts a target's trials by their verdict.
func (r *Record) Verdicts(target string) map[wire.Verdict]int {
	out := map[wire.Verdict]int{}
	for _, t := range r.trialsOn(target) {
		out[t.Result.Verdict]++
	}
	return out
}

// Unmeasured counts the cells of a target that have no valid trial.
func (r *Record) Unmeasured(target string) int {
	n := 0
	for _, c := range r.Cells {
		if c.Target == target && !slices.ContainsFunc(r.trials(c.ID), func(t store.Trial) bool { return t.Result.Verdict == wire.Valid }) {
			n++
		}
	}
	return n
}

// trials returns the trials of a cell.
func (r *Record) trials(cell string) []store.Trial {
	var out []store.Trial
	for _, t := range r.Trials {
		if t.Cell == cell {
			out = append(out, t)
		}
	}
	return out
}

// quality returns a subject's result at a threshold, nil when it was not asked.
func (r *Record) quality(subject string, threshold float64) *wire.EvalResult {
	i := slices.IndexFunc(r.Qualities, func(q store.Quality) bool { return q.Subject == subject && q.Threshold == threshold })
	if i < 0 {
		return nil
	}
	return &r.Qualities[i].Result
}
