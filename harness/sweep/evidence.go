package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/store/bundle"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Rules numbers how figures are computed from samples. A change after which the
// same samples give other figures takes the next number, so that an old bundle's
// differences are told from damage.
//
//   - 1: the p90 and p99 of any number of latencies are told
//   - 2: not of fewer than stat.MinCount; outliers are marked
//   - 3: probabilities of the front are of values drawn towards what is regular
//   - 4: and corrected by what such are worth in made-up sweeps
//   - 5: of metrics together, and corrected by what they were worth in recorded sweeps
const Rules = 5

// Summary is what a report says of a run beside its rows. A number that is not
// finite is null.
type Summary struct {
	Trials      []TrialSummary      `json:"trials"`
	Comparisons []ComparisonSummary `json:"comparisons"`
	Baseline    *BaselineSummary    `json:"baseline,omitempty"`
}

// TrialSummary are the figures of one trial.
type TrialSummary struct {
	Cell           string   `json:"cell"`
	Repeat         int      `json:"repeat"`
	Attempt        int      `json:"attempt"`
	Verdict        string   `json:"verdict"`
	Samples        int      `json:"samples"`
	MinMS          *float64 `json:"min_ms"`
	P50MS          *float64 `json:"p50_ms"`
	P90MS          *float64 `json:"p90_ms"`
	P99MS          *float64 `json:"p99_ms"`
	MaxMS          *float64 `json:"max_ms"`
	ThroughputPerS *float64 `json:"throughput_per_s"`
}

// ComparisonSummary is a variant against the dense model.
type ComparisonSummary struct {
	Name      string   `json:"name"`
	F1        *float64 `json:"f1_macro"`
	F1Dense   *float64 `json:"f1_macro_dense"`
	Delta     *float64 `json:"delta"`
	DeltaLo   *float64 `json:"delta_lo"`
	DeltaHi   *float64 `json:"delta_hi"`
	OnlyDense int      `json:"only_dense"`
	OnlyThis  int      `json:"only_this"`
	P         *float64 `json:"p"`
	PHolm     *float64 `json:"p_holm"`
}

// BaselineSummary is the bag-of-words floor.
type BaselineSummary struct {
	F1 *float64 `json:"f1_macro"`
	Lo *float64 `json:"lo"`
	Hi *float64 `json:"hi"`
	N  int      `json:"n"`
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// Summary computes what a report says beside the rows.
func (r *Record) Summary() Summary {
	s := Summary{Trials: []TrialSummary{}, Comparisons: []ComparisonSummary{}}
	for _, t := range r.Trials {
		x := r.Timing(t)
		s.Trials = append(s.Trials, TrialSummary{
			Cell: t.Cell, Repeat: t.Repeat, Attempt: t.Attempt, Verdict: string(t.Result.Verdict), Samples: x.Samples,
			MinMS: finite(x.MinMS), P50MS: finite(x.P50MS), P90MS: finite(x.P90MS), P99MS: finite(x.P99MS), MaxMS: finite(x.MaxMS),
			ThroughputPerS: finite(float64(t.Result.Items) / t.Result.WindowS),
		})
	}
	for _, c := range r.Comparisons() {
		s.Comparisons = append(s.Comparisons, ComparisonSummary{
			Name: c.Name, F1: finite(c.F1), F1Dense: finite(c.F1Dense), Delta: finite(c.Delta), DeltaLo: finite(c.DeltaLo), DeltaHi: finite(c.DeltaHi),
			OnlyDense: c.OnlyDense, OnlyThis: c.OnlyThis, P: finite(c.P), PHolm: finite(c.PHolm),
		})
	}
	if b := r.Baseline(); b != nil {
		s.Baseline = &BaselineSummary{finite(b.MacroF1), finite(b.Lo), finite(b.Hi), b.N}
	}
	return s
}

// environments are the machines of the plan's targets.
func (r *Record) environments() map[string]wire.Environment {
	out := map[string]wire.Environment{}
	for _, name := range r.Plan.Targets {
		out[name] = r.EnvironmentOf(name)
	}
	return out
}

// WriteBundle writes a run that was read from s, and rows, its figures, as an
// evidence bundle. Samples are read one trial at a time.
func (r *Record) WriteBundle(ctx context.Context, w io.Writer, s *store.Store, rows []stat.Row) error {
	hello := wire.NewHello(os.Getpid())
	b, err := bundle.New(w, bundle.Manifest{ToolVersion: hello.Version, Commit: hello.Commit, Rules: Rules, Arch: runtime.GOARCH}, bundle.Contents{
		Run: r.Run, Environments: r.environments(), Cells: plainCells(r.Cells), Artefacts: r.Artefacts, Qualities: r.Qualities, Events: r.Events,
	})
	if err != nil {
		return err
	}
	for _, t := range r.Trials {
		if t.Result.Samples, err = s.Samples(ctx, t.ID); err != nil {
			return err
		}
		if err := b.Trial(t); err != nil {
			return err
		}
	}
	return b.Close(rows, r.Summary())
}

func plainCells(cells []RecordedCell) []store.Cell {
	out := make([]store.Cell, len(cells))
	for i, c := range cells {
		out[i] = c.Cell
	}
	return out
}

// FromBundle reads a run from its evidence as [Skim] does from a store.
func FromBundle(b *bundle.Bundle) (*Record, error) {
	c, err := b.Contents()
	if err != nil {
		return nil, err
	}
	r := &Record{Run: c.Run, Artefacts: c.Artefacts, Qualities: c.Qualities, Events: c.Events, timings: map[int64]Timing{}, rules: b.Manifest.Rules}
	if r.Plan, err = ParsePlan(c.Run.Plan); err != nil {
		return nil, err
	}
	if r.Cells, err = readAxes(c.Cells); err != nil {
		return nil, err
	}
	err = b.Trials(func(t store.Trial) error {
		r.timings[t.ID] = timingOf(latencies(t.Result))
		t.Result.Samples = nil
		r.Trials = append(r.Trials, t)
		return nil
	})
	return r, err
}

// readAxes reads the axes of stored cells.
func readAxes(cells []store.Cell) ([]RecordedCell, error) {
	var out []RecordedCell
	for _, c := range cells {
		rc := RecordedCell{Cell: c}
		if err := json.Unmarshal(c.Axes, &rc.Axes); err != nil {
			return nil, fmt.Errorf("reading axes of cell %s: %w", c.ID, err)
		}
		out = append(out, rc)
	}
	return out, nil
}

// Difference is a figure that comes out other than it was published.
type Difference struct {
	Figure     string `json:"figure"`
	Published  string `json:"published"`
	Recomputed string `json:"recomputed"`
}

// Replay compares every figure of a bundle, whose record and rows are r and rows,
// with the published one: bit for bit where they were computed on this kind of
// processor, else to nine digits. It returns how many figures it compared.
func Replay(b *bundle.Bundle, r *Record, rows []stat.Row) (figures int, diffs []Difference, err error) {
	var published Summary
	was, err := b.Published(&published)
	if err != nil {
		return 0, nil, err
	}
	c := &comparison{exact: b.Manifest.Arch == runtime.GOARCH}
	for i := range max(len(was), len(rows)) {
		c.compare(rowName(was, rows, i), at(was, i), at(rows, i))
	}
	now := r.Summary()
	for i := range max(len(published.Trials), len(now.Trials)) {
		c.compare(fmt.Sprintf("trial %d", i+1), at(published.Trials, i), at(now.Trials, i))
	}
	for i := range max(len(published.Comparisons), len(now.Comparisons)) {
		c.compare(fmt.Sprintf("comparison %d", i+1), at(published.Comparisons, i), at(now.Comparisons, i))
	}
	c.compare("baseline", published.Baseline, now.Baseline)
	contents, err := b.Contents()
	if err != nil {
		return 0, nil, err
	}
	c.compare("environment", contents.Environments, r.environments())
	return c.figures, c.diffs, c.err
}

// comparison compares values by their JSON, which tells every bit of a float.
type comparison struct {
	exact   bool
	figures int
	diffs   []Difference
	err     error
}

func (c *comparison) compare(name string, published, now any) {
	a, err1 := json.Marshal(published)
	b, err2 := json.Marshal(now)
	c.err = errors.Join(c.err, err1, err2)
	c.figures++
	if !bytes.Equal(a, b) && (c.exact || !alike(a, b)) {
		c.diffs = append(c.diffs, Difference{name, string(a), string(b)})
	}
}

// alike says whether two JSON texts differ by the last digits of numbers alone.
func alike(a, b []byte) bool {
	x, y := json.NewDecoder(bytes.NewReader(a)), json.NewDecoder(bytes.NewReader(b))
	for {
		s, err1 := x.Token()
		t, err2 := y.Token()
		if err1 != nil || err2 != nil {
			return errors.Is(err1, io.EOF) && errors.Is(err2, io.EOF)
		}
		u, number1 := s.(float64)
		v, number2 := t.(float64)
		if number1 && number2 && math.Abs(u-v) <= 1e-9*max(math.Abs(u), math.Abs(v)) {
			continue
		}
		if s != t {
			return false
		}
	}
}

// at is an item of a list, nil beyond its end.
func at[T any](list []T, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

func rowName(was, now []stat.Row, i int) string {
	row := stat.Row{}
	if i < len(was) {
		row = was[i]
	} else if i < len(now) {
		row = now[i]
	}
	return fmt.Sprintf("%s of cell %s", row.Metric, row.Cell)
}
