package sweep

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/page"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/compress"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// BaselineName is what the floor is called wherever it is printed.
const BaselineName = "TF-IDF + logistic regression"

// Report writes the run's HTML report of rows, which are the record's own.
func (r *Record) Report(w io.Writer, rows []stat.Row) error {
	return page.Render(w, page.Data{
		Title: r.Run.Model + " on " + r.Run.Dataset, Run: r.Run.ID, Command: r.Run.Command, Model: r.Run.Model, Dataset: r.Run.Dataset,
		Started: r.Run.Started, Ended: r.Run.Ended, Rows: rows, Trials: r.pageTrials(), Comparisons: r.Comparisons(),
		Baseline: r.Baseline(), Targets: r.pageTargets(), Environment: r.Environment(), Warnings: r.Warnings(), Notes: r.notes(),
		Searches: r.Searches(rows),
	})
}

// pageTargets are the machines in the plan's order.
func (r *Record) pageTargets() []page.Target {
	var out []page.Target
	for _, name := range r.Plan.Targets {
		out = append(out, page.Target{Name: name, Environment: r.EnvironmentOf(name), Energy: r.energySensor(name)})
	}
	return out
}

// energySensor is what measured a target's energy, else why nothing did.
func (r *Record) energySensor(target string) string {
	why := ""
	for _, t := range r.trialsOn(target) {
		e := t.Result.Energy
		switch {
		case e == nil:
			why = cmp.Or(why, t.Result.EnergyReason)
			continue
		case e.Simulated:
			return e.Source + ", " + e.Scope + ", " + stat.Simulated
		}
		return e.Source + ", " + e.Scope
	}
	return why
}

// Comparisons tests every artefact and threshold against the dense f32 model,
// with Holm's correction over all of them.
func (r *Record) Comparisons() []page.Comparison {
	dense := r.quality(store.Reference, 0)
	if dense == nil {
		return nil
	}
	var out []page.Comparison
	var seen []qualityKey
	for _, c := range r.Cells {
		key := qualityKey{c.Artefact, c.Axes.Threshold}
		res := r.quality(key.artefact, key.threshold)
		if res == nil || slices.Contains(seen, key) {
			continue
		}
		seen = append(seen, key)
		if cmp, ok := Compare(c.Axes.Variant(), *dense, *res, r.Plan.Seed); ok {
			out = append(out, cmp)
		}
	}
	Adjust(out)
	return out
}

// Variant names a cell's artefact and threshold.
func (a Axes) Variant() string {
	parts := []string{fmt.Sprintf("%d-bit", a.Bits)}
	if a.RankRatio != 1 {
		parts = append(parts, "rank "+number(a.RankRatio))
	}
	if a.PruneRatio != 0 {
		parts = append(parts, "prune "+number(a.PruneRatio))
	}
	if a.Threshold != 0 {
		parts = append(parts, "τ "+number(a.Threshold))
	}
	return strings.Join(parts, ", ")
}

// Baseline is the floor, nil where there is none.
func (r *Record) Baseline() *page.Baseline {
	return baseline(r.quality(store.Baseline, 0), r.Plan.Seed)
}

func baseline(res *wire.EvalResult, seed uint64) *page.Baseline {
	if res == nil {
		return nil
	}
	f1 := Assess(*res, nil, seed).F1Macro
	return &page.Baseline{Name: BaselineName, MacroF1: f1.Value, Lo: f1.Lo, Hi: f1.Hi, N: f1.N}
}

// Warnings are those of the whole run: its state, its events, what building the
// artefacts found doubtful, and how many trials were not valid.
func (r *Record) Warnings() []string {
	var out []string
	if r.Run.State != store.Done {
		text := fmt.Sprintf("the run is not complete (%s)", r.Run.State)
		if r.Run.Detail != "" {
			text += ": " + r.Run.Detail
		}
		out = append(out, text)
	}
	if n, all := r.ValidTrials(), len(r.Trials); n < all {
		out = append(out, fmt.Sprintf("%d of %d trials are not valid and enter no figure", all-n, all))
	}
	if names := r.virtual(); len(names) > 0 {
		out = append(out, strings.Join(names, ", ")+": no hardware but a virtual board; times are an emulator's and say nothing of the board's own, energy is a model's")
	}
	reasons := map[string]bool{}
	for _, target := range r.Plan.Targets {
		for _, t := range r.trialsOn(target) {
			why := t.Result.EnergyReason
			if len(r.Plan.Targets) > 1 && why != "" {
				why += " (" + target + ")"
			}
			if t.Result.Energy == nil && why != "" && !reasons[why] {
				reasons[why] = true
				out = append(out, "energy is unavailable: "+why)
			}
		}
	}
	for _, a := range r.Artefacts {
		var report compress.Report
		if json.Unmarshal(a.Report, &report) != nil {
			continue // of another version; the notes name the artefact
		}
		for _, w := range report.Warnings {
			out = append(out, "artefact "+Axes{Bits: a.Bits, RankRatio: a.RankRatio, PruneRatio: a.PruneRatio}.Variant()+": "+w)
		}
	}
	for _, e := range r.Events {
		if e.Level != store.Info {
			out = append(out, e.Text)
		}
	}
	return out
}

// virtual are the targets that are virtual boards.
func (r *Record) virtual() []string {
	return slices.DeleteFunc(slices.Clone(r.Plan.Targets), func(target string) bool { return r.EnvironmentOf(target).Virtual != virtualBoard })
}

func (r *Record) notes() []string {
	p := r.Plan
	notes := []string{
		fmt.Sprintf("Every trial is a process of its own; the %d repeats of the cells were interleaved in a random order of seed %d.", p.Repeats, p.Seed),
		"Latency is the time of one batch. Figures are medians over valid trials with 95 % order-statistic intervals; a lower level is noted in the row's warnings.",
		fmt.Sprintf("F1, KL and perplexity are of the very artefact that was timed, F1 on the whole test split, perplexity on %d texts spread evenly over it; intervals are bootstraps over items. KL and agreement are against the dense model in f32.", perplexityItems),
		"TOPS count two operations for each multiply-accumulate: nominal as if nothing were skipped, executed as the kernels counted them.",
	}
	if len(p.Targets) > 1 {
		notes = append(notes, "The artefacts were built once and their quality evaluated once, by the controller; trials of different targets ran beside each other, one at a time on each, in an order of its own.")
	}
	for _, a := range r.Artefacts {
		notes = append(notes, fmt.Sprintf("Artefact %d-bit, rank %s, prune %s: model hash %.12s…, cache key %.12s….",
			a.Bits, number(a.RankRatio), number(a.PruneRatio), a.Hash, a.Key))
	}
	return notes
}

func (r *Record) pageTrials() []page.Trial {
	out := make([]page.Trial, 0, len(r.Trials))
	for _, t := range r.Trials {
		m, x := t.Result, r.Timing(t)
		p := page.Trial{
			Cell: t.Cell, Repeat: t.Repeat + 1, Attempt: t.Attempt + 1, Verdict: string(m.Verdict), Reason: m.Reason,
			Samples: x.Samples, PeakRSSBytes: m.PeakRSSBytes, WindowS: m.WindowS, WarmupS: m.WarmupS,
			ForeignCPU: m.Evidence.ForeignCPU, StealCPU: m.Evidence.StealCPU, Clock: m.Evidence.FreqRel, Warnings: texts(m.Warnings),
		}
		if x.Samples > 0 {
			p.MinMS, p.P50MS, p.P90MS, p.MaxMS = x.MinMS, x.P50MS, x.P90MS, x.MaxMS
		}
		if m.WindowS > 0 {
			p.ThroughputPerS = float64(m.Items) / m.WindowS
		}
		out = append(out, p)
	}
	return out
}

func texts(ws []wire.Warning) []string {
	var out []string
	for _, w := range ws {
		out = append(out, w.Text)
	}
	return out
}
