package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-c6f48606/harness/harness/search"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// sitting is what the schedules of a run that is being carried out decide from:
// the store, and nothing that a killed process would take with it.
type sitting struct {
	*run
	ctx context.Context

	once   sync.Once
	scores testScores
	err    error

	mu    sync.Mutex
	fault error // the first that kept a schedule from deciding
}

// fail ends the searches with an error.
func (s *sitting) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == nil {
		s.fault = err
	}
}

// failed is the error that ended a search.
func (s *sitting) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// answered is what the models scored on the items that a search may see.
func (s *sitting) answered(columns []search.Metric) (testScores, error) {
	s.once.Do(func() {
		var qualities []store.Quality
		if qualities, s.err = s.store.Qualities(s.ctx, s.lease.Run()); s.err == nil {
			s.scores = scored(qualities, columns, half(qualities, s.plan.Seed, 0), s.plan.Seed)
		}
	})
	return s.scores, s.err
}

// halving is the search on one target.
type halving struct {
	*search.Halving
	schedule *schedule
	columns  []search.Metric
	cells    []cell
	at       map[string]int // a cell's number by its id
	trials   map[slot][]float64
	told     int // rounds that the user has heard of
	skipped  int // slots that progress was told of without a trial
}

func newHalving(s *schedule) *halving { return &halving{schedule: s, trials: map[slot][]float64{}} }

// Done implements search.Measured.
func (h *halving) Done(at search.Slot) bool { return h.schedule.done(slot{at.Cell, at.Repeat}) }

// Trial implements search.Measured.
func (h *halving) Trial(at search.Slot) []float64 { return h.trials[slot{at.Cell, at.Repeat}] }

// todo takes the decisions that the stored trials allow and returns what is to be
// measured next.
func (h *halving) todo() []slot {
	s := h.schedule.plan.Sitting
	if h.Halving == nil {
		if err := h.begin(s); err != nil {
			s.fail(err)
			return nil
		}
	}
	next := h.Pending(h)
	if len(next) == 0 {
		if err := h.load(s); err != nil {
			s.fail(err)
			return nil
		}
		next = h.Next(h)
		if err := h.tell(s); err != nil {
			s.fail(err)
			return nil
		}
	}
	out := make([]slot, len(next))
	for i, at := range next {
		out[i] = slot{at.Cell, at.Repeat}
	}
	return out
}

// begin sets the search up once the cells and their qualities are stored.
func (h *halving) begin(s *sitting) error {
	p := s.plan
	objectives, err := p.objectives()
	if err != nil {
		return err
	}
	where, err := p.constraint()
	if err != nil {
		return err
	}
	h.columns = search.Columns(objectives, where)
	scores, err := s.answered(h.columns)
	if err != nil {
		return err
	}
	one := &search.Halving{
		Objectives: objectives, Where: where, Answers: scores.of, Repeats: p.picks(), Fresh: p.Repeats, Seed: p.Seed ^ h.schedule.stream,
	}
	h.at = map[string]int{}
	var axes []Axes
	for _, c := range s.cells {
		if c.target == h.schedule.target {
			h.at[c.id()] = len(h.cells)
			h.cells = append(h.cells, c)
			one.Subjects = append(one.Subjects, scores.subject(c.artefact.Key, c.axes.Threshold))
			axes = append(axes, c.axes)
		}
	}
	one.Levels = Levels(axes)
	h.Halving = one
	return nil
}

// load reads the trials that the store has come to have, and before the first
// decision leaves out objectives that no trial tells.
func (h *halving) load(s *sitting) error {
	trials, err := s.store.Trials(s.ctx, s.lease.Run())
	if err != nil {
		return err
	}
	trials = slices.DeleteFunc(trials, func(t store.Trial) bool {
		c, mine := h.at[t.Cell]
		return !mine || t.Result.Verdict != wire.Valid || h.trials[slot{c, t.Repeat}] != nil
	})
	if err := s.store.AddSamples(s.ctx, s.lease.Run(), trials); err != nil {
		return err
	}
	for _, t := range trials {
		h.trials[slot{h.at[t.Cell], t.Repeat}] = rowOf(h.columns, t.Result, timingOf(latencies(t.Result)))
	}
	if len(h.Rounds()) > 0 {
		return nil
	}
	measured, missing := h.measured()
	if len(measured) == 0 || len(h.trials) == 0 {
		return fmt.Errorf("searching on %s: no valid trial tells any of the objectives %s", h.schedule.target, strings.Join(missing, ", "))
	}
	for _, name := range missing {
		s.progress.Note(store.Info, fmt.Sprintf("%s: no trial tells %s; the search goes without it", h.schedule.target, name))
	}
	h.Objectives = measured
	h.reorder()
	return h.judgeable()
}

// judgeable refuses a constraint that no trial and no evaluation could decide.
func (h *halving) judgeable() error {
	if h.Where == nil {
		return nil
	}
	for _, m := range h.Where.Metrics() {
		k := slices.Index(h.columns, m)
		_, known := h.Answers[m.Name]
		for _, row := range h.trials {
			known = known || !math.IsNaN(row[k])
		}
		if !known {
			return fmt.Errorf("searching on %s: no trial tells %s, which the constraint %s asks for; leave it out of --where", h.schedule.target, m.Name, h.Where)
		}
	}
	return nil
}

// measured are the objectives that some first trial, or an evaluation, tells.
func (h *halving) measured() (measured []search.Metric, missing []string) {
	for _, o := range h.Objectives {
		_, known := h.Answers[o.Name]
		k := slices.Index(h.columns, o)
		for c := range h.cells {
			row := h.trials[slot{c, 0}]
			known = known || row != nil && !math.IsNaN(row[k])
		}
		if known {
			measured = append(measured, o)
		} else {
			missing = append(missing, o.Name)
		}
	}
	return measured, missing
}

// reorder gives the trials' rows the columns that the objectives left.
func (h *halving) reorder() {
	columns := search.Columns(h.Objectives, h.Where)
	for at, row := range h.trials {
		next := make([]float64, len(columns))
		for k, m := range columns {
			next[k] = row[slices.Index(h.columns, m)]
		}
		h.trials[at] = next
	}
	h.columns = columns
}

// remaining counts slots: before the search has ended those of all cells that are
// still in it.
func (h *halving) remaining() int {
	n := 0
	count := func(c, from, to int) {
		for r := from; r < to; r++ {
			if !h.schedule.done(slot{c, r}) {
				n++
			}
		}
	}
	repeats := h.schedule.plan.picks()
	switch {
	case h.Halving == nil:
		for c := range h.schedule.cells {
			count(c, 0, repeats)
		}
		return max(n, 1) // the front is still to come
	case h.Front() == nil:
		for _, c := range h.Alive() {
			count(c, 0, repeats)
		}
		return max(n, 1)
	}
	return len(h.Pending(h))
}

// rowOf is what a trial tells of the columns.
func rowOf(columns []search.Metric, m wire.MeasureResult, t Timing) []float64 {
	row := make([]float64, len(columns))
	for k, c := range columns {
		row[k] = trialValue(c.Name, m, t)
	}
	return row
}

// trialValue is a metric of one trial as figures have it; NaN where a trial does
// not tell it.
func trialValue(metric string, m wire.MeasureResult, t Timing) float64 {
	for _, x := range TrialMetrics() {
		if x.Name == metric && tooFew(metric, t.Samples) == "" {
			return x.of(m, t)
		}
	}
	return math.NaN()
}

// Decision is what a search's event keeps of a round.
type Decision struct {
	Round   int                `json:"round"`
	Repeats int                `json:"repeats"`
	Cells   int                `json:"cells"`
	Dropped []string           `json:"dropped"`
	Further int                `json:"further"`         // cells that are measured further
	Front   []string           `json:"front,omitempty"` // measured again from here on
	P       map[string]float64 `json:"front_probability"`
}

// searchEvent is the code of the events that keep decisions.
const searchEvent = "search"

// tell passes on the rounds that were decided since, and keeps in the store what
// they stood on. A resumed run, which decides the same again, keeps them once.
func (h *halving) tell(s *sitting) error {
	rounds := h.Rounds()
	if h.told == len(rounds) {
		return nil
	}
	events, err := s.store.Events(s.ctx, s.lease.Run())
	if err != nil {
		return err
	}
	kept := 0
	for _, e := range events {
		if e.Code == searchEvent && e.Target == h.schedule.target {
			kept++
		}
	}
	for ; h.told < len(rounds); h.told++ {
		r := rounds[h.told]
		d := Decision{Round: h.told + 1, Repeats: r.Repeats, Cells: len(r.Cells), Dropped: h.ids(r.Dropped), Further: len(r.Measure), P: map[string]float64{}}
		for _, c := range r.Cells {
			if !search.Unknown(r.P[c]) {
				d.P[h.cells[c].id()] = math.Round(1000*r.P[c]) / 1000
			}
		}
		text := fmt.Sprintf("search, round %d: of %d cells %d are out, %d are measured further", d.Round, d.Cells, len(d.Dropped), len(r.Measure))
		if h.told == len(rounds)-1 && h.Front() != nil {
			d.Front = h.ids(h.Front())
			text += fmt.Sprintf("; the front's %d are measured again", len(d.Front))
		}
		s.progress.Note(store.Info, text)
		if h.told < kept {
			continue
		}
		raw, err := json.Marshal(d)
		if err != nil {
			return fmt.Errorf("keeping a decision: %w", err)
		}
		err = s.lease.AddEvent(s.ctx, store.Event{Level: store.Info, Code: searchEvent, Text: string(raw), Target: h.schedule.target})
		if err != nil {
			return err
		}
	}
	h.skip(s)
	return nil
}

// skip counts the slots of dropped cells as done, less those of the front's last
// trials, of which every cell may have some that is not dropped yet.
func (h *halving) skip(s *sitting) {
	last := h.Front()
	if last == nil {
		last = h.Alive()
	}
	n := 0
	for c := range h.cells {
		for r := range h.Repeats {
			if !h.schedule.done(slot{c, r}) && !slices.Contains(h.Alive(), c) {
				n++
			}
		}
	}
	if n -= len(last) * h.Fresh; n > h.skipped {
		s.progress.Step(n-h.skipped, "")
		h.skipped = n
	}
}

func (h *halving) ids(cells []int) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = h.cells[c].id()
	}
	return out
}

// pace is how long trials take, by which a budget's last ones are chosen.
type pace struct {
	began    time.Time // when the last chunk was given out
	attempts int       // that there were then
	each     time.Duration
}

const (
	// mostChunk slots are given out at once where time is limited.
	mostChunk = 32
	// paceMargin is how much longer than the mean of the last ones a trial may take.
	paceMargin = 1.5
)

// chunk returns the first slots that can end in the time that is left; all where
// it is not limited.
func (p *pace) chunk(s *schedule, todo []slot) []slot {
	if s.plan.Sitting == nil || s.plan.Sitting.end.IsZero() || len(todo) == 0 {
		return todo
	}
	now, attempts := time.Now(), 0
	for _, h := range s.past {
		attempts += h.attempts
	}
	if n := attempts - p.attempts; !p.began.IsZero() && n > 0 {
		p.each = now.Sub(p.began) / time.Duration(n)
	}
	p.began, p.attempts = now, attempts
	left := s.plan.Sitting.end.Sub(now)
	if p.each == 0 { // the first one finds out
		if left <= 0 {
			return nil
		}
		return todo[:1]
	}
	return todo[:min(len(todo), mostChunk, int(max(0, float64(left)/paceMargin/float64(p.each))))]
}
