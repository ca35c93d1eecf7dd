package gate

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
)

// Baseline names the runs that a run is compared with.
type Baseline struct {
	// Run is the id of a run, a beginning of it, or last; empty where a tag is named.
	Run string
	// Tag is a tag of runs, such as a branch that the nightly plan names.
	Tag string
	// Window reaches back from the run under test: all runs of the tag within it
	// together are the baseline. 0 = the newest run of the tag alone.
	Window time.Duration
}

// String is the form that ParseBaseline reads.
func (b Baseline) String() string {
	switch {
	case b.Run != "":
		return "run:" + b.Run
	case b.Window == 0:
		return b.Tag
	case b.Window%day == 0:
		return fmt.Sprintf("%s~%dd", b.Tag, b.Window/day)
	}
	return fmt.Sprintf("%s~%dh", b.Tag, b.Window/time.Hour)
}

const day = 24 * time.Hour

// maxWindow is two years and a bit.
const maxWindow = 800 * day

var (
	tagForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$`)
	windowForm = regexp.MustCompile(`^([1-9][0-9]{0,4})([hdw])$`)
)

// ParseBaseline reads run:ID, TAG or TAG~7d (h hours, d days, w weeks).
func ParseBaseline(text string) (Baseline, error) {
	const forms = "run:ID, a tag such as main, or main~7d for all of its runs of the last seven days"
	bad := func(why string) (Baseline, error) {
		return Baseline{}, fmt.Errorf("baseline %.100q: %s; write %s", text, why, forms)
	}
	if id, ok := strings.CutPrefix(text, "run:"); ok {
		if !tagForm.MatchString(id) {
			return bad("names no run")
		}
		return Baseline{Run: id}, nil
	}
	tag, window, dated := strings.Cut(text, "~")
	if !tagForm.MatchString(tag) {
		return bad("is no tag: letters, digits and . _ / - up to 100")
	}
	b := Baseline{Tag: tag}
	if !dated {
		return b, nil
	}
	m := windowForm.FindStringSubmatch(window)
	if m == nil {
		return bad(fmt.Sprintf("%.20q is no window, such as 36h, 7d or 2w", window))
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return bad("its window is no number")
	}
	unit := map[string]time.Duration{"h": time.Hour, "d": day, "w": 7 * day}[m[2]]
	if b.Window = time.Duration(n) * unit; b.Window > maxWindow {
		return bad(fmt.Sprintf("its window is longer than %d days", maxWindow/day))
	}
	return b, nil
}

// BadNights is what a branch's name goes on with in the tags of nights that regressed,
// main-bad/RUN: they are kept, and are no part of a baseline.
const BadNights = "-bad"

// maxBaseline bounds the runs of a window.
const maxBaseline = 60

// ErrNoBaseline says that the store has no run to compare with.
var ErrNoBaseline = errors.New("there is no run to compare with")

// Found is what a baseline stands for.
type Found struct {
	Runs []*sweep.Record // the oldest first
	// Commit is that of the newest run that passed, which a live series measures
	// against: the run that has the tag itself, else the oldest of Runs. Nights since
	// may have a regression in them.
	Commit string
	Notes  []string // runs that were left out
}

// Find reads the runs of a baseline, without the run under test and those after it.
// The runs of main~7d are those with tags that begin with "main/", as the nightly job
// sets them, and the one tagged main.
func (b Baseline) Find(ctx context.Context, s *store.Store, under store.Run) (Found, error) {
	var found Found
	passed, err := b.passed(ctx, s, under)
	if err != nil {
		return found, fmt.Errorf("baseline %s: %w", b, err)
	}
	var runs []store.Run
	if b.Run == "" && b.Window > 0 {
		runs, found.Notes, err = b.window(ctx, s, under, passed)
	} else {
		runs, err = b.single(ctx, s, under)
	}
	if err != nil {
		return found, fmt.Errorf("baseline %s: %w", b, err)
	}
	for _, r := range runs[max(0, len(runs)-maxBaseline):] {
		record, err := sweep.Read(ctx, s, r.ID)
		if err != nil {
			return found, fmt.Errorf("baseline %s: %w", b, err)
		}
		found.Runs = append(found.Runs, record)
	}
	found.Commit = found.Runs[0].Run.Commit
	if passed != nil {
		found.Commit = passed.Commit
	}
	return found, nil
}

// passed is the run that has the tag itself, nil where none before the one under test
// has.
func (b Baseline) passed(ctx context.Context, s *store.Store, under store.Run) (*store.Run, error) {
	if b.Tag == "" {
		return nil, nil
	}
	r, ok, err := s.Tagged(ctx, b.Tag)
	if err != nil || !ok || r.ID == under.ID || !r.Started.Before(under.Started) {
		return nil, err
	}
	return &r, nil
}

// single finds the one run of run:ID or of a tag.
func (b Baseline) single(ctx context.Context, s *store.Store, under store.Run) ([]store.Run, error) {
	var one store.Run
	var err error
	if b.Run != "" {
		one, err = s.Run(ctx, b.Run)
	} else {
		var ok bool
		if one, ok, err = s.Tagged(ctx, b.Tag); err == nil && !ok {
			err = fmt.Errorf("%w: no run has the tag; set it with: harness store tag RUN %s", ErrNoBaseline, b.Tag)
		}
	}
	if err == nil && one.ID == under.ID {
		err = errors.New("it is the run under test")
	}
	return []store.Run{one}, err
}

// window finds the tagged runs that were begun before the one under test. It reaches
// back from the last night that passed: while a regression lasts, the baseline stays
// what it was before. A night that was cut short, as by the plan's budget, counts with
// the cells that it has.
func (b Baseline) window(ctx context.Context, s *store.Store, under store.Run, passed *store.Run) (out []store.Run, notes []string, err error) {
	tags, err := s.Tags(ctx)
	if err != nil {
		return nil, nil, err
	}
	end := under.Started
	if passed != nil {
		end, out = passed.Started, append(out, *passed)
	}
	running := 0
	for _, t := range tags {
		if !strings.HasPrefix(t.Name, b.Tag+"/") || slices.ContainsFunc(out, func(r store.Run) bool { return r.ID == t.Run }) {
			continue
		}
		r, err := s.Run(ctx, t.Run)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case r.ID == under.ID || !r.Started.Before(under.Started) || end.Sub(r.Started) > b.Window:
		case r.State == store.Running:
			running++
		default:
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(x, y store.Run) int { return x.Started.Compare(y.Started) })
	if running > 0 {
		notes = append(notes, fmt.Sprintf("%d runs of the baseline are still being measured and were left out", running))
	}
	if len(out) == 0 {
		return nil, nil, fmt.Errorf("%w: no ended run within %v before it has a tag that begins with %s/", ErrNoBaseline, b.Window, b.Tag)
	}
	return out, notes, nil
}
