package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// Bisect finds the commit that brought a change. Every step measures a commit
// against the good one in an interleaved series that ends as soon as it knows on which
// side of half the whole change it lies, each at a stated error. Commits that build
// the same program as one that is known are not measured.
type Bisect struct {
	Repo         *Repository
	Goos, Goarch string
	Good, Bad    Commit
	Cell         string // name of the duel's cell
	Metric       Metric
	Rule         Rule // its error is that of the whole bisection
	Progress     Progress
	// Series makes the series of a commit's build against the good one's.
	Series func(ctx context.Context, good, other Build) (*Series, error)
}

// Step is a commit that was tried.
type Step struct {
	Commit Commit        `json:"commit"`
	State  string        `json:"state"` // good, bad or skipped
	Why    string        `json:"why"`
	Change stat.Interval `json:"-"`
	Blocks int           `json:"blocks"`
}

// States of a step.
const (
	Good    = "good"
	Bad     = "bad"
	Skipped = "skipped"
)

// Culprit is what a bisection finds.
type Culprit struct {
	// Suspects are the commits of which one brought the change; one, unless commits
	// beside it do not build. The newest is the first bad one.
	Suspects []Commit
	Parent   Commit        // the last good one
	Whole    stat.Interval // change from good to bad, per cent
	Steps    []Step
	Builds   [2]Build // of the parent and the first bad commit
}

// ErrNoChange is returned where good and bad do not differ in the metric.
var ErrNoChange = errors.New("good and bad do not differ in it")

// UndecidedError is a step that the blocks allowed do not decide.
type UndecidedError struct {
	Commit Commit
	Change stat.Interval
	Half   float64
}

func (e *UndecidedError) Error() string {
	return fmt.Sprintf("%v cannot be told good or bad: its change is %s and half of the whole is %+.2f %%; allow more blocks with --max-blocks, or longer trials with --window",
		e.Commit, Percent(e.Change), e.Half)
}

// bisection is one in progress.
type bisection struct {
	*Bisect
	good  Build
	half  float64           // per cent
	level float64           // of every step
	known map[string]string // state by a build's sum
	out   *Culprit
}

// Run bisects. With an error comes what is known so far.
func (b *Bisect) Run(ctx context.Context) (*Culprit, error) {
	commits, err := b.Repo.Between(ctx, b.Good, b.Bad)
	if err != nil {
		return nil, err
	}
	s := &bisection{Bisect: b, known: map[string]string{}, out: &Culprit{Parent: b.Good}}
	// As many steps as halving takes, and the one that measures the whole.
	steps := 1 + math.Ceil(math.Log2(float64(len(commits)))+1e-9)
	s.level = 1 - b.Rule.Error/max(2, steps)
	bad, err := s.whole(ctx)
	if err != nil {
		return s.out, err
	}
	builds := map[string]Build{b.Good.Hash: s.good, b.Bad.Hash: bad}
	lo, hi := -1, len(commits)-1 // the last good, the first bad; -1 is Good itself
	skipped := map[int]bool{}
	for hi-lo > 1 {
		at := pick(lo, hi, skipped)
		if at < 0 {
			break // all between do not build
		}
		build, err := b.Repo.Build(ctx, commits[at], b.Goos, b.Goarch)
		var broken *BuildError
		if errors.As(err, &broken) {
			skipped[at] = true
			s.tell(Step{Commit: commits[at], State: Skipped, Why: "it does not build: " + firstLine(broken.Err.Error())})
			continue
		}
		if err != nil {
			return s.out, err
		}
		builds[commits[at].Hash] = build
		state, err := s.try(ctx, build)
		if err != nil {
			return s.out, err
		}
		if state == Good {
			lo = at
			s.out.Parent = commits[at]
		} else {
			hi = at
		}
	}
	s.out.Suspects = commits[lo+1 : hi+1]
	s.out.Builds = [2]Build{builds[s.out.Parent.Hash], builds[commits[hi].Hash]}
	return s.out, nil
}

// pick is the commit nearest the middle that builds, -1 where there is none.
func pick(lo, hi int, skipped map[int]bool) int {
	middle := (lo + hi) / 2
	for d := 0; d < hi-lo; d++ {
		for _, at := range []int{middle + d, middle - d} {
			if at > lo && at < hi && !skipped[at] {
				return at
			}
		}
	}
	return -1
}

// whole measures good against bad.
func (s *bisection) whole(ctx context.Context) (Build, error) {
	var builds [2]Build
	for i, c := range []Commit{s.Good, s.Bad} {
		s.Progress.Note(store.Info, "building "+c.String())
		var err error
		if builds[i], err = s.Repo.Build(ctx, c, s.Goos, s.Goarch); err != nil {
			return builds[1], err
		}
	}
	s.good = builds[0]
	if builds[0].Sum == builds[1].Sum {
		return builds[1], fmt.Errorf("%s: %w: both build the same runner, byte for byte", s.Metric.Name, ErrNoChange)
	}
	s.known[builds[0].Sum], s.known[builds[1].Sum] = Good, Bad
	change, blocks, err := s.measure(ctx, builds[1], func(d stat.Decision) bool {
		i := d.Change
		// Known well enough that half of it can be told from nothing and from all of it.
		return (i.Lo > 0 || i.Hi < 0) && i.Hi-i.Lo < math.Abs(i.Value) || i.Lo > -s.Rule.MarginPct && i.Hi < s.Rule.MarginPct
	})
	s.out.Whole = change
	if err != nil {
		return builds[1], err
	}
	if !(change.Lo > 0 || change.Hi < 0) {
		return builds[1], fmt.Errorf("%s: %w: %s after %d blocks", s.Metric.Name, ErrNoChange, Percent(change), blocks)
	}
	s.half = change.Value / 2
	s.tell(Step{Commit: s.Bad, State: Bad, Why: s.Metric.Name + " " + Percent(change) + " against good", Change: change, Blocks: blocks})
	return builds[1], nil
}

// try says whether a build is good or bad.
func (s *bisection) try(ctx context.Context, b Build) (string, error) {
	if state := s.known[b.Sum]; state != "" {
		s.tell(Step{Commit: b.Commit, State: state, Why: "it builds the same runner as one that is known"})
		return state, nil
	}
	decided := func(d stat.Decision) bool { return d.Change.Lo > s.half || d.Change.Hi < s.half }
	change, blocks, err := s.measure(ctx, b, decided)
	if err != nil {
		return "", err
	}
	state := ""
	switch {
	case change.Lo > s.half:
		state = map[bool]string{true: Bad, false: Good}[s.half > 0]
	case change.Hi < s.half:
		state = map[bool]string{true: Good, false: Bad}[s.half > 0]
	default:
		return "", &UndecidedError{b.Commit, change, s.half}
	}
	s.known[b.Sum] = state
	s.tell(Step{Commit: b.Commit, State: state, Why: s.Metric.Name + " " + Percent(change), Change: change, Blocks: blocks})
	return state, nil
}

// measure runs a series of a build against the good one until it is decided.
func (s *bisection) measure(ctx context.Context, b Build, decided func(stat.Decision) bool) (stat.Interval, int, error) {
	series, err := s.Bisect.Series(ctx, s.good, b)
	if err != nil {
		return stat.Interval{}, 0, err
	}
	defer series.Close() //nolint:errcheck // every block was synced
	series.Rule.Error = 1 - s.level
	series.Deciding = []Metric{s.Metric}
	series.Decided = decided
	outcomes, err := series.Run(ctx)
	if err != nil {
		return stat.Interval{}, 0, err
	}
	j := outcomes[0].Find(s.Metric.Name)
	if j == nil {
		return stat.Interval{}, 0, fmt.Errorf("trials of %s have no %s", s.Cell, s.Metric.Name)
	}
	return j.Change, len(outcomes[0].Blocks), nil
}

func (s *bisection) tell(step Step) {
	s.out.Steps = append(s.out.Steps, step)
	s.Progress.Note(store.Info, fmt.Sprintf("%s: %v: %s", step.State, step.Commit, step.Why))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
