package sweep

import (
	"encoding/json"
	"errors"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/compress"
)

// A value that cannot work must be refused before minutes of building, with the
// one that the user may have meant.
func TestValidateNamesTheNearest(t *testing.T) {
	cores := strconv.Itoa(runtime.NumCPU())
	many := make([]float64, 200)
	for i := range many {
		many[i] = float64(i) / 200
	}
	for name, c := range map[string]struct {
		change  func(*Plan)
		axis    string // empty: valid
		nearest string
	}{
		"default":           {func(*Plan) {}, "", ""},
		"reference":         {func(p *Plan) { *p = Reference() }, "", ""},
		"no target":         {func(p *Plan) { p.Targets = nil }, "target", "local"},
		"target":            {func(p *Plan) { p.Targets = []string{"a b"} }, "target", "local"},
		"target twice":      {func(p *Plan) { p.Targets = []string{"pi5", Local, "pi5"} }, "target", ""},
		"targets":           {func(p *Plan) { p.Targets, p.Threads = []string{"pi5", Local}, nil }, "", ""},
		"remote threads":    {func(p *Plan) { p.Targets, p.Threads = []string{"pi5"}, []int{1 << 9} }, "", ""},
		"remote threads 0":  {func(p *Plan) { p.Targets, p.Threads = []string{"pi5"}, []int{0} }, "threads", "1"},
		"mixed threads":     {func(p *Plan) { p.Targets, p.Threads = []string{"pi5", Local}, []int{1 << 20} }, "threads", cores},
		"design":            {func(p *Plan) { p.Design = "corner" }, "design", "grid"},
		"scenario":          {func(p *Plan) { p.Scenario = "server" }, "scenario", "single-stream"},
		"no bits":           {func(p *Plan) { p.Bits = nil }, "bits", ""},
		"no threads":        {func(p *Plan) { p.Threads = nil }, "threads", ""},
		"bits 7":            {func(p *Plan) { p.Bits = []int{16, 7} }, "bits", "8"},
		"rank 1.5":          {func(p *Plan) { p.RankRatio = []float64{1.5} }, "rank-ratio", "1"},
		"prune 0.95":        {func(p *Plan) { p.PruneRatio = []float64{0, 0.95} }, "prune-ratio", "0.9"},
		"threshold above":   {func(p *Plan) { p.Threshold = []float64{0, 1.1} }, "threshold", "1"},
		"threshold below":   {func(p *Plan) { p.Threshold = []float64{-0.1} }, "threshold", "0"},
		"threshold NaN":     {func(p *Plan) { p.Threshold = []float64{math.NaN()} }, "threshold", ""},
		"batch 0":           {func(p *Plan) { p.Batch = []int{0} }, "batch", "1"},
		"batch too large":   {func(p *Plan) { p.Batch = []int{1 << 20} }, "batch", strconv.Itoa(MaxBatch)},
		"threads 0":         {func(p *Plan) { p.Threads = []int{0} }, "threads", "1"},
		"too many threads":  {func(p *Plan) { p.Threads = []int{1 << 20} }, "threads", cores},
		"repeats 0":         {func(p *Plan) { p.Repeats = 0 }, "repeats", "1"},
		"retries -1":        {func(p *Plan) { p.Retries = -1 }, "retries", "0"},
		"window 2h":         {func(p *Plan) { p.Window = 2 * time.Hour }, "window", "1h0m0s"},
		"window -1s":        {func(p *Plan) { p.Window = -time.Second }, "window", "0s"},
		"warm-up -1s":       {func(p *Plan) { p.WarmupLimit = -time.Second }, "warmup-limit", "0s"},
		"inferences -1":     {func(p *Plan) { p.MinInferences = -1 }, "min-inferences", "0"},
		"group 33":          {func(p *Plan) { p.GroupSize = 33 }, "group-size", "32"},
		"grid of 12 600":    {func(p *Plan) { p.Design, p.Threshold, p.PruneRatio = Grid, many, many[:63] }, "grid", "fewer values an axis"},
		"endless by corner": {func(p *Plan) { p.Threshold, p.PruneRatio, p.RankRatio = many, many, many }, "grid", "fewer values an axis"},
	} {
		t.Run(name, func(t *testing.T) {
			p := Default()
			c.change(&p)
			err := p.Validate()
			if c.axis == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var u *compress.UsageError
			if !errors.As(err, &u) || u.Axis != c.axis || u.Nearest != c.nearest {
				t.Errorf("got %v, want a refusal of %s with the nearest %q", err, c.axis, c.nearest)
			}
		})
	}
}

// The sweep without flags promises a look at every axis and pair of axes.
func TestDefaultSweepsEveryAxis(t *testing.T) {
	p := Default()
	cells := p.Cells()
	if len(cells) < 24 {
		t.Errorf("%d cells, want at least 24", len(cells))
	}
	ref := Axes{16, 1, 0, 0, 1, runtime.NumCPU()}
	if cells[0] != ref {
		t.Errorf("the first cell is %v, want the uncompressed %v", cells[0], ref)
	}
	unique(t, cells)
	has := map[Axes]bool{}
	for _, c := range cells {
		has[c] = true
	}
	axes := []func(*Axes){
		func(a *Axes) { a.Bits = 4 },
		func(a *Axes) { a.RankRatio = 0.5 },
		func(a *Axes) { a.PruneRatio = 0.5 },
		func(a *Axes) { a.Threshold = 0.5 },
		func(a *Axes) { a.Batch = 16 },
	}
	all := ref
	for i, one := range axes {
		one(&all)
		for j, two := range axes {
			c := ref
			one(&c)
			two(&c)
			if !has[c] {
				t.Errorf("axes %d and %d together: no cell %s", i, j, c.ID())
			}
		}
	}
	if !has[all] {
		t.Errorf("no cell %s with everything compressed", all.ID())
	}
}

// unique fails on a cell or an id that comes twice: its trials would mix.
func unique(t *testing.T, cells []Axes) {
	t.Helper()
	ids := map[string]Axes{}
	for _, c := range cells {
		if other, dup := ids[c.ID()]; dup {
			t.Errorf("%v and %v are both called %s", c, other, c.ID())
		}
		ids[c.ID()] = c
	}
}

func TestGridIsEveryCombinationOnce(t *testing.T) {
	p := Reference()
	p.Bits, p.RankRatio, p.PruneRatio = []int{16, 8, 16}, []float64{1, 0.5}, []float64{0, 0.25, 0.5}
	p.Threshold, p.Batch, p.Threads = []float64{0, 0.00001}, []int{1, 11}, []int{1, 2}
	cells := p.Cells()
	if want := 2 * 2 * 3 * 2 * 2 * 2; len(cells) != want {
		t.Errorf("%d cells, want %d: a value named twice is one value", len(cells), want)
	}
	unique(t, cells)
	// Artefacts are built by prune ratio, whose work their builder shares.
	last := 0.0
	recipes := p.recipes()
	for _, r := range recipes {
		if r.PruneRatio < last {
			t.Errorf("prune ratio %g is built after %g", r.PruneRatio, last)
		}
		last = r.PruneRatio
	}
	if len(recipes) != 2*2*3 {
		t.Errorf("%d recipes, want 12: threshold, batch and threads make no artefact", len(recipes))
	}
}

// Stored runs, baselines and scripts address cells by these names.
func TestIDsStayAsPublished(t *testing.T) {
	got := []string{
		Axes{8, 0.5, 0, 0.5, 16, 2}.ID(), Axes{16, 1, 0.25, 1e-5, 1, 1}.ID(),
		Axes{Bits: 16, RankRatio: 1}.Variant(), Axes{Bits: 4, RankRatio: 0.5, PruneRatio: 0.3, Threshold: 0.7}.Variant(),
	}
	want := []string{"8b-r0.5-p0-t0.5-n16-c2", "16b-r1-p0.25-t1e-05-n1-c1", "16-bit", "4-bit, rank 0.5, prune 0.3, τ 0.7"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// A resumed run must be measured by the plan that it began with.
func TestAStoredPlanReadsBack(t *testing.T) {
	p := Default()
	p.ModelHash, p.DataHash, p.Data = "m", "d", Data{Spec: "csv:x.csv", TextColumn: "t", LabelColumn: "l", TestFile: "y.csv", OOS: true}
	p.Window, p.MinInferences = time.Second, 7
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParsePlan(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("plan (-stored +read):\n%s", diff)
	}
	if _, err := ParsePlan(json.RawMessage(`{"bits":"8"}`)); err == nil || !strings.Contains(err.Error(), "stored plan") {
		t.Errorf("a broken plan gave %v", err)
	}
}
