package sweep

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// A search that is interrupted goes on to the same end, and its front's F1 is of
// items that did not choose it.
func TestAHalvingSearchIsInterruptedAndResumed(t *testing.T) {
	p := tinyPlan(t)
	p.Bits, p.Batch, p.Repeats, p.Search = []int{16, 8}, []int{1, 2, 3, 4}, 6, SearchHalving
	o := options(t, script{})
	stop := make(chan struct{})
	o.Stop = stop
	n := 0
	o.Started = func(int) {
		if n++; n == 27 { // in the front's last trials
			close(stop)
		}
	}
	id, err := Begin(t.Context(), p, o)
	if !errors.Is(err, ErrInterrupted) {
		t.Fatalf("got %v, want ErrInterrupted", err)
	}
	before := record(t, o)
	o.Stop, o.Started = nil, nil
	if _, err := Resume(t.Context(), id, o); err != nil {
		t.Fatal(err)
	}
	r := record(t, o)
	// Three trials of each of eight cells, then six of the two that are fastest.
	if r.Run.State != store.Done || len(r.Trials) != 36 {
		t.Fatalf("%s with %d trials, want done with 36", r.Run.State, len(r.Trials))
	}
	if diff := cmp.Diff(before.Trials, r.Trials[:len(before.Trials)]); diff != "" {
		t.Errorf("the trials of the first sitting changed:\n%s", diff)
	}
	decisions := 0
	for _, e := range r.Events {
		if e.Code == searchEvent {
			decisions++
		}
	}
	if decisions != 1 {
		t.Errorf("%d decisions are kept, want the one of both sittings once", decisions)
	}
	rows := r.Searched()
	for _, cell := range r.Cells {
		on := cell.Axes.Batch == 1
		f1 := slices.IndexFunc(rows, func(x stat.Row) bool { return x.Cell == cell.ID && x.Metric == "f1_macro" })
		p50 := slices.IndexFunc(rows, func(x stat.Row) bool { return x.Cell == cell.ID && x.Metric == "latency_ms_p50" })
		chance := slices.IndexFunc(rows, func(x stat.Row) bool { return x.Cell == cell.ID && x.Metric == FrontProbability })
		if held := strings.Contains(strings.Join(rows[f1].Warnings, " "), "held out: of the 5 test items"); held != on {
			t.Errorf("%s: held out is %v: %v", cell.ID, held, rows[f1].Warnings)
		}
		want := map[bool]int{true: 6, false: 3}[on]
		if rows[p50].N != want || (rows[f1].N == 5) != on {
			t.Errorf("%s: latency of %d trials and F1 of %d items, want %d trials", cell.ID, rows[p50].N, rows[f1].N, want)
		}
		if v := rows[chance].Value; v == nil || (*v == 1) != on || (*v == 0) == on {
			t.Errorf("%s: probability %v, on the front %v", cell.ID, v, on)
		}
	}
	s := r.Searches(rows)
	if len(s) != 1 || s[0].Kind != "halving" || len(s[0].Rounds) != 1 || s[0].Rounds[0].Dropped != 6 || len(s[0].Curve) == 0 || s[0].Curve[len(s[0].Curve)-1].Share != 1 {
		t.Errorf("search %+v", s)
	}
}

// Trials that were not asked for are time that the user did not give.
func TestARandomSearchMeasuresItsSampleOnly(t *testing.T) {
	p := tinyPlan(t)
	p.Batch, p.Repeats, p.Search, p.Sample = []int{1, 2, 3, 4, 5}, 1, SearchRandom, 2
	o := options(t, script{})
	if _, err := Begin(t.Context(), p, o); err != nil {
		t.Fatal(err)
	}
	r := record(t, o)
	if r.Run.State != store.Done || len(r.Trials) != 2 || len(r.Cells) != 5 {
		t.Errorf("%s with %d trials of %d cells, want done with 2 of 5", r.Run.State, len(r.Trials), len(r.Cells))
	}
	if s := r.Searches(r.Searched()); len(s) != 1 || s[0].Unmeasured != "3 of 5 cells have no valid trial" {
		t.Errorf("what was not measured: %+v", s)
	}
}

// A trial that ends after the budget keeps its user waiting.
func TestChunksFitTheBudget(t *testing.T) {
	p := Default()
	s := newSchedule(p, Local, 100)
	s.plan.Sitting = &sitting{run: &run{}}
	if n := len(s.block(0, 0)); n != 100 {
		t.Errorf("%d slots without a budget, want all 100", n)
	}
	s.plan.Sitting.end = time.Now().Add(time.Hour)
	if n := len(s.block(0, 0)); n != 1 {
		t.Errorf("%d slots before it is known how long one takes, want 1", n)
	}
	for each, want := range map[time.Duration]int{time.Second: mostChunk, 10 * time.Minute: 3, 39 * time.Minute: 1, 45 * time.Minute: 0} {
		s.pace = pace{each: each}
		if n := len(s.block(0, 0)); n != want {
			t.Errorf("%d slots of %v each in an hour, want %d", n, each, want)
		}
	}
}

func TestPlansOfSearchesAreChecked(t *testing.T) {
	for want, change := range map[string]func(*Plan){
		"grid, random or halving": func(p *Plan) { p.Search = "genetic" },
		"the nearest is f1_macro": func(p *Plan) { p.Objectives = []string{"f1"} },
		"twice":                   func(p *Plan) { p.Objectives = []string{"f1_macro", "f1_macro"} },
		"position 9":              func(p *Plan) { p.Where = "f1_macro=1" },
		"--search random":         func(p *Plan) { p.Sample = 3 },
		"from 1 to 25":            func(p *Plan) { p.Search, p.Sample = SearchRandom, 26 },
	} {
		p := Default()
		change(&p)
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// Halves that share an item hold nothing out.
func TestHalvesShareNoItem(t *testing.T) {
	truth := make([]int, 101)
	for i := range truth {
		truth[i] = i%7 - 1
	}
	a, b := Half(truth, 5, 0), Half(truth, 5, 1)
	all := slices.Concat(a, b)
	slices.Sort(all)
	if len(a) != 51 || len(b) != 50 || len(slices.Compact(all)) != 101 {
		t.Errorf("halves of %d and %d items", len(a), len(b))
	}
	per := map[int]int{}
	for _, i := range a {
		per[truth[i]]++
	}
	for _, i := range b {
		per[truth[i]]--
	}
	for class, d := range per {
		if d < -1 || d > 1 {
			t.Errorf("class %d is unevenly halved", class)
		}
	}
}
