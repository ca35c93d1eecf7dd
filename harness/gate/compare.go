package gate

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// confidence is the level of published intervals.
const confidence = 0.95

// Policy says when a stored comparison is a regression.
type Policy struct {
	// MarginPct is the change in per cent that matters.
	MarginPct float64
	// FalseShare bounds the expected share of false ones among the changes told, over
	// all metrics and cells (Benjamini and Hochberg).
	FalseShare float64
	// Metrics are those that are compared; nil = all.
	Metrics []Metric
}

// DefaultPolicy tells changes of more than 1 %, 5 % of them false.
func DefaultPolicy() Policy { return Policy{MarginPct: 1, FalseShare: 0.05} }

// Validate refuses a policy that tells nothing or everything.
func (p Policy) Validate() error {
	switch {
	case !(p.MarginPct > 0 && p.MarginPct < 100):
		return fmt.Errorf("margin of %g %%: must be above 0 and below 100", p.MarginPct)
	case !(p.FalseShare > 0 && p.FalseShare <= 0.5):
		return fmt.Errorf("false share %g: must be above 0 and at most 0.5", p.FalseShare)
	}
	return nil
}

// Finding is a metric of a cell beside its baseline.
type Finding struct {
	Cell, Target string
	Metric       string
	Unit         string
	Less         bool // less is better
	Before       float64
	After        float64
	NBefore      int
	NAfter       int
	Raw          stat.Interval // change in per cent as it was measured
	Effect       stat.Interval // the machine's own change taken out, per cent
	Control      *Control      // nil where none applies
	P            float64       // chance of such a change if there is none
	Q            float64       // the same adjusted for all findings
	Verdict      stat.Outcome
	// Further trials of the candidate, and as many of the baseline, would tell; 0
	// where it is told.
	Further int
	// Watched says that it is worse beside its nights, surely or not.
	Watched bool
	Note    string
	Live    *Confirmed // what an interleaved series said of it, nil = none was run
}

// Confirmed is the judgement of a live series on a finding.
type Confirmed struct {
	Change  stat.Interval // per cent
	Outcome stat.Outcome
	Blocks  int
	Cause   *Cause // nil = not profiled
}

// Suspect says that a finding is worth an interleaved series: either of its effects
// is bad enough, or its nights make it suspicious, and no series was run.
func (f *Finding) Suspect(p Policy) bool {
	if f.Live != nil {
		return false
	}
	worse := func(i stat.Interval) bool { return f.loss(i.Value) > p.MarginPct }
	return f.Verdict == stat.Regressed || f.Watched || f.Verdict == stat.CannotTell && (worse(f.Raw) || worse(f.Effect))
}

// open says that nothing rules out a regression that matters.
func (f *Finding) open(p Policy) bool {
	worst := max(f.loss(f.Effect.Lo), f.loss(f.Effect.Hi))
	return f.Live == nil && f.Verdict == stat.CannotTell && !(worst <= p.MarginPct)
}

// loss is a change in per cent, positive where it is for the worse.
func (f *Finding) loss(pct float64) float64 {
	if f.Less {
		return pct
	}
	return -pct
}

// Compare sets a run beside baseline runs, metric by metric in the cells that both
// have, and tells what could not be compared. Cells are the same if model, data and
// axes are; the kernel tier, which a better build may raise, is no part of that.
func Compare(baseline []*sweep.Record, run *sweep.Record, p Policy) (findings []Finding, notes []string) {
	metrics := p.Metrics
	if metrics == nil {
		metrics = Metrics
	}
	baseline, notes = comparable(baseline, run)
	controls := map[[2]string]*Control{}
	missing, lack := 0, map[string]*stat.Shortage{}
	for _, c := range run.Cells {
		after := validOf(run, c.ID)
		var before []store.Trial
		var machines [][]store.Trial
		for _, b := range baseline {
			before = append(before, validOf(b, c.ID)...)
			machines = append(machines, validOn(b, c.Target))
		}
		if len(after) == 0 || len(before) == 0 {
			missing++
			continue
		}
		roof := binding(after)
		key := [2]string{c.Target, roof}
		if _, known := controls[key]; !known {
			controls[key] = nil
			if k, ok := control(roof, machines, validOn(run, c.Target)); ok {
				controls[key] = &k
			}
		}
		for _, m := range metrics {
			if m.lacks(lack, slices.Concat(before, after)) {
				continue
			}
			if f, ok := compareMetric(m, before, after, controls[key], p); ok {
				f.Cell, f.Target = c.ID, c.Target
				f.Note = tiers(before, after)
				findings = append(findings, f)
			}
		}
	}
	if p.Metrics == nil {
		findings = append(findings, compareQuality(baseline, run, p)...)
	}
	if missing > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d cells have no valid trial on one side and were not compared", missing, len(run.Cells)))
	}
	notes = append(notes, lacking(lack)...)
	decide(findings, p)
	if len(baseline) > 0 {
		watch(findings, baseline, run, p)
	}
	return findings, notes
}

// comparable leaves out runs of another model or data.
func comparable(baseline []*sweep.Record, run *sweep.Record) (kept []*sweep.Record, notes []string) {
	for _, b := range baseline {
		switch {
		case b.Plan.ModelHash != run.Plan.ModelHash:
			notes = append(notes, fmt.Sprintf("run %s is of another model (%s) than run %s (%s): its cells are others", b.Run.ID, b.Run.Model, run.Run.ID, run.Run.Model))
		case b.Plan.DataHash != run.Plan.DataHash:
			notes = append(notes, fmt.Sprintf("run %s is of other data (%s) than run %s (%s): its cells are others", b.Run.ID, b.Run.Dataset, run.Run.ID, run.Run.Dataset))
		case b.Plan.Scenario != run.Plan.Scenario:
			notes = append(notes, fmt.Sprintf("run %s is of scenario %s and run %s of %s: their times are others", b.Run.ID, b.Plan.Scenario, run.Run.ID, run.Plan.Scenario))
		default:
			kept = append(kept, b)
		}
	}
	return kept, notes
}

// tiers notes that the sides ran on different kernels.
func tiers(before, after []store.Trial) string {
	a, b := before[len(before)-1].Result.Env.Tier, after[len(after)-1].Result.Env.Tier
	if a == b {
		return ""
	}
	return fmt.Sprintf("kernel tier %s before, %s now", a, b)
}

func values(m Metric, trials []store.Trial) []float64 {
	var out []float64
	for _, t := range trials {
		if v := m.Of(t.Result); !math.IsNaN(v) {
			out = append(out, v)
		}
	}
	return out
}

// compareMetric sets a metric's trials beside each other.
func compareMetric(m Metric, before, after []store.Trial, k *Control, p Policy) (Finding, bool) {
	a, b := values(m, before), values(m, after)
	if len(a) == 0 || len(b) == 0 {
		return Finding{}, false
	}
	f := Finding{Metric: m.Name, Unit: m.Unit, Less: m.Less, Before: stat.Median(a), After: stat.Median(b), NBefore: len(a), NAfter: len(b)}
	shift := stat.HodgesLehmann(thin(logs(a)), thin(logs(b)), confidence)
	_, f.P = stat.MannWhitney(thin(a), thin(b))
	f.Raw, f.Effect = percentOf(shift), percentOf(shift)
	if m.Timed && k != nil {
		sign := 1.0 // a machine that is slower by so much takes longer by as much
		if !m.Less {
			sign = -1
		}
		clean := shift
		clean.Value += sign * k.Change.Value
		clean.Lo = clean.Value - math.Hypot(shift.Value-shift.Lo, halfWidth(k.Change))
		clean.Hi = clean.Value + math.Hypot(shift.Hi-shift.Value, halfWidth(k.Change))
		f.Effect, f.Control = percentOf(clean), k
	}
	f.Further = further(logs(a), logs(b), p.MarginPct)
	return f, true
}

func halfWidth(i stat.Interval) float64 { return max(i.Hi-i.Value, i.Value-i.Lo) }

func logs(xs []float64) []float64 {
	out := make([]float64, len(xs))
	for i, x := range xs {
		out[i] = math.Log(x)
	}
	return out
}

// percentOf turns an interval of log ratios into one of per cent.
func percentOf(i stat.Interval) stat.Interval {
	i.Value, i.Lo, i.Hi = 100*math.Expm1(i.Value), 100*math.Expm1(i.Lo), 100*math.Expm1(i.Hi)
	return i
}

// further is how many more trials a side would let a change of the margin be told
// nine times in ten, from the scatter that was seen.
func further(a, b []float64, marginPct float64) int {
	z := distuv.UnitNormal.Quantile(1-(1-confidence)/2) + distuv.UnitNormal.Quantile(0.9)
	// 1.4826 makes the median absolute deviation a standard deviation; rank statistics
	// need 5 % more than a mean of normal values.
	s := max(spread(a), spread(b)) * 1.4826
	need := 2 * 1.05 * math.Pow(z*s/math.Log1p(marginPct/100), 2)
	const most = 100000
	return max(0, int(min(most, math.Ceil(need)))-min(len(a), len(b)))
}

func spread(xs []float64) float64 {
	m := stat.Median(xs)
	d := make([]float64, len(xs))
	for i, x := range xs {
		d[i] = math.Abs(x - m)
	}
	return stat.Median(d)
}

// decide adjusts for the number of findings and gives the verdicts.
func decide(findings []Finding, p Policy) {
	ps := make([]float64, len(findings))
	for i := range findings {
		ps[i] = findings[i].P
	}
	for i, q := range stat.BenjaminiHochberg(ps) {
		f := &findings[i]
		f.Q = q
		f.judge(p)
	}
}

// judge gives the verdict. A change is told when the raw effect and the one with the
// machine's own change taken out agree on it: a slow day of the board is then no
// regression, and a control that is off makes none up.
func (f *Finding) judge(p Policy) {
	// Two trials have an interval that covers little; that they are equal says something.
	small := func(i stat.Interval) bool {
		return i.Lo >= -p.MarginPct && i.Hi <= p.MarginPct && (i.Level >= 0.9 || i.Lo == i.Hi)
	}
	worse := func(i stat.Interval) bool { return i.Lo > 0 && i.Value > p.MarginPct }
	better := func(i stat.Interval) bool { return i.Hi < 0 && i.Value < -p.MarginPct }
	if !f.Less {
		worse, better = better, worse
	}
	switch told := f.Q <= p.FalseShare; {
	case told && worse(f.Raw) && worse(f.Effect):
		f.Verdict, f.Further = stat.Regressed, 0
	case told && better(f.Raw) && better(f.Effect):
		f.Verdict, f.Further = stat.Improved, 0
	case small(f.Effect):
		f.Verdict, f.Further = stat.Same, 0
	default:
		f.Verdict = stat.CannotTell
		f.Further = max(1, f.Further)
	}
}

// compareQuality compares what artefacts predict on the same items: per item, so
// that what is hard for both cancels.
func compareQuality(baseline []*sweep.Record, run *sweep.Record, p Policy) []Finding {
	if len(baseline) == 0 {
		return nil
	}
	base := baseline[len(baseline)-1] // what is predicted does not drift from night to night
	var out []Finding
	for _, q := range run.Qualities {
		i := slices.IndexFunc(base.Qualities, func(o store.Quality) bool { return o.Subject == q.Subject && o.Threshold == q.Threshold })
		if i < 0 || q.Subject == store.Baseline || q.Subject == store.Reference {
			continue
		}
		if f, ok := compareAccuracy(base.Qualities[i].Result, q.Result); ok {
			f.Cell = cellOf(run, q)
			out = append(out, f)
		}
	}
	return out
}

// cellOf names the first cell that has a quality's artefact and threshold.
func cellOf(r *sweep.Record, q store.Quality) string {
	for _, c := range r.Cells {
		if c.Artefact == q.Subject && c.Axes.Threshold == q.Threshold {
			return c.ID
		}
	}
	return q.Subject
}

// compareAccuracy is McNemar's test on the items, with the bootstrap's interval of
// the change in per cent.
func compareAccuracy(a, b wire.EvalResult) (Finding, bool) {
	n := len(b.Predictions)
	if n == 0 || len(a.Predictions) != n || !slices.Equal(a.Truth, b.Truth) {
		return Finding{}, false
	}
	hits := func(r wire.EvalResult) []float64 {
		out := make([]float64, n)
		for i := range out {
			if r.Predictions[i] == r.Truth[i] {
				out[i] = 1
			}
		}
		return out
	}
	x, y := hits(a), hits(b)
	lost, won := 0, 0
	for i := range x {
		switch {
		case x[i] > y[i]:
			lost++
		case y[i] > x[i]:
			won++
		}
	}
	f := Finding{Metric: "accuracy", Before: stat.Mean(x), After: stat.Mean(y), NBefore: n, NAfter: n, P: stat.McNemarExact(lost, won)}
	if f.Before == 0 {
		return Finding{}, false
	}
	share := func(v []float64) func([]int) float64 {
		return func(items []int) float64 {
			s := 0.0
			for _, i := range items {
				s += v[i]
			}
			return 100 * s / float64(len(items)) / f.Before
		}
	}
	f.Raw = stat.PairedBootstrap(n, share(x), share(y), stat.Resampling{Resamples: 1000})
	f.Effect = f.Raw
	return f, true
}
