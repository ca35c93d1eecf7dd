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

// maxBaseline bounds the runs of a window.
const maxBaseline = 60

// ErrNoBaseline says that the store has no run to compare with.
var ErrNoBaseline = errors.New("there is no run to compare with")

// Find reads the runs of a baseline, the oldest first, without the run under test
// and those after it. The runs of main~7d are those with tags that begin with
// "main/", as the nightly job sets them.
func (b Baseline) Find(ctx context.Context, s *store.Store, under store.Run) ([]*sweep.Record, error) {
	runs, err := b.runs(ctx, s, under)
	if err != nil {
		return nil, fmt.Errorf("baseline %s: %w", b, err)
	}
	var out []*sweep.Record
	for _, r := range runs[max(0, len(runs)-maxBaseline):] {
		record, err := sweep.Read(ctx, s, r.ID)
		if err != nil {
			return nil, fmt.Errorf("baseline %s: %w", b, err)
		}
		out = append(out, record)
	}
	return out, nil
}

func (b Baseline) runs(ctx context.Context, s *store.Store, under store.Run) ([]store.Run, error) {
	var one store.Run
	var err error
	switch {
	case b.Run != "":
		one, err = s.Run(ctx, b.Run)
	case b.Window == 0:
		var ok bool
		if one, ok, err = s.Tagged(ctx, b.Tag); err == nil && !ok {
			err = fmt.Errorf("%w: no run has the tag; set it with: harness store tag RUN %s", ErrNoBaseline, b.Tag)
		}
	default:
		return b.window(ctx, s, under)
	}
	if err == nil && one.ID == under.ID {
		err = errors.New("it is the run under test")
	}
	return []store.Run{one}, err
}

// window finds the tagged runs that were begun within it before the one under test.
func (b Baseline) window(ctx context.Context, s *store.Store, under store.Run) ([]store.Run, error) {
	tags, err := s.Tags(ctx)
	if err != nil {
		return nil, err
	}
	var out []store.Run
	for _, t := range tags {
		if !strings.HasPrefix(t.Name, b.Tag+"/") || slices.ContainsFunc(out, func(r store.Run) bool { return r.ID == t.Run }) {
			continue
		}
		r, err := s.Run(ctx, t.Run)
		if err != nil {
			return nil, err
		}
		if r.ID != under.ID && r.State == store.Done && r.Started.Before(under.Started) && under.Started.Sub(r.Started) <= b.Window {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(x, y store.Run) int { return x.Started.Compare(y.Started) })
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no finished run within %v before it has a tag that begins with %s/", ErrNoBaseline, b.Window, b.Tag)
	}
	return out, nil
}
