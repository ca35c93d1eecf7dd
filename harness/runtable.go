package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// emitRun prints a run: a table of cells for a person, tidy rows otherwise.
func (a *app) emitRun(r *sweep.Record, rows []stat.Row) error {
	switch a.format {
	case "json":
		return writeJSON(a.out, rows)
	case "jsonl":
		return writeJSONLines(a.out, rows)
	case "csv":
		return writeRowsCSV(a.out, rows)
	}
	return printRun(a.out, r, rows)
}

// printRun prints one line a cell and below it what holds for all of them.
func printRun(w io.Writer, r *sweep.Record, rows []stat.Row) error {
	figures := map[string]map[string]stat.Row{}
	for _, row := range rows {
		if figures[row.Cell] == nil {
			figures[row.Cell] = map[string]stat.Row{}
		}
		figures[row.Cell][row.Metric] = row
	}
	t := table{
		header: []string{"bits", "rank", "prune", "τ", "batch", "p50 ms", "items/s", "macro-F1", "MB", "peak MB", "GOPS", "skip", "valid"},
		right:  []int{0, 1, 2, 3, 4, 6, 8, 9, 10, 11, 12},
	}
	energy := hasFigure(rows, "energy_j")
	if energy {
		t.header = append(t.header, "mJ/item", "TOPS/W")
		t.right = append(t.right, 13, 14)
	}
	threads := len(r.Plan.Threads) > 1
	if threads {
		t.header[4] = "batch/threads"
	}
	several := len(r.Plan.Targets) > 1
	marked := slices.ContainsFunc(rows, func(row stat.Row) bool { return label(row) != "" })
	for _, c := range r.Cells {
		f := figures[c.ID]
		valid, all := 0, 0
		for _, trial := range r.Trials {
			if trial.Cell == c.ID {
				all++
				if trial.Result.Verdict == wire.Valid {
					valid++
				}
			}
		}
		batch := strconv.Itoa(c.Axes.Batch)
		if threads {
			batch += "/" + strconv.Itoa(c.Axes.Threads)
		}
		line := []string{
			strconv.Itoa(c.Axes.Bits), plain(c.Axes.RankRatio), plain(c.Axes.PruneRatio), plain(c.Axes.Threshold), batch,
			interval(f["latency_ms_p50"], digits), point(f["throughput_per_s"], digits), interval(f["f1_macro"], fixed),
			point(f["model_bytes"], megabytes), point(f["peak_rss_bytes"], func(v float64) string { return digits(v / 1e6) }),
			point(f["tops_executed"], func(v float64) string { return digits(1e3 * v) }), point(f["skip_rate"], fixed), fmt.Sprintf("%d/%d", valid, all),
		}
		if energy {
			line = append(line, point(f["energy_j"], func(v float64) string { return digits(1e3 * v) }), point(f["tops_per_w"], digits))
		}
		if marked {
			line = append(line, labels(f))
		}
		if several {
			line = append([]string{c.Target}, line...)
		}
		t.rows = append(t.rows, line)
	}
	if marked {
		t.header = append(t.header, "labels")
	}
	if several {
		t.header = append([]string{"target"}, t.header...)
		for i := range t.right {
			t.right[i]++
		}
	}
	if err := t.print(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	describe(w, r, energy)
	return nil
}

// describe prints what a reader needs beside the table.
func describe(w io.Writer, r *sweep.Record, energy bool) {
	fmt.Fprintf(w, "%s on %s", r.Run.Model, r.Run.Dataset)
	if one := r.Plan.Targets; len(one) == 1 {
		fmt.Fprintf(w, "; %s", machine(one[0], r.EnvironmentOf(one[0])))
	}
	fmt.Fprintf(w, "\nmedians of %s with 95 %% intervals%s; latency is of one batch; MB = 10⁶ bytes; GOPS executed\n", counted(r.Plan.Repeats, "trial"), lower(r))
	if b := r.Baseline(); b != nil {
		fmt.Fprintf(w, "floor: %s, macro-F1 %.3f [%.3f, %.3f], n = %d\n", b.Name, b.MacroF1, b.Lo, b.Hi, b.N)
	}
	if len(r.Plan.Targets) > 1 {
		for _, name := range r.Plan.Targets {
			fmt.Fprintf(w, "%s; %s\n", machine(name, r.EnvironmentOf(name)), tally(r.Verdicts(name)))
		}
	}
	var worse []string
	cmps := r.Comparisons()
	for _, c := range cmps {
		if c.PHolm < 0.05 && c.Delta < 0 {
			worse = append(worse, fmt.Sprintf("%s (ΔF1 %+.3f)", c.Name, c.Delta))
		}
	}
	switch {
	case len(worse) > 0:
		fmt.Fprintf(w, "worse than dense f32 (McNemar, Holm over %d, p < 0.05): %s\n", len(cmps), strings.Join(worse, "; "))
	case len(cmps) > 0:
		fmt.Fprintf(w, "no variant is significantly worse than dense f32 (McNemar, Holm over %d, p < 0.05)\n", len(cmps))
	}
	if text := r.NotEnough(); text != "" {
		fmt.Fprintln(w, text)
	}
	if !energy {
		fmt.Fprintln(w, "energy, power, TOPS/W: unavailable"+because(r))
	}
	for _, text := range r.Warnings() {
		if !strings.HasPrefix(text, "energy is unavailable") {
			fmt.Fprintln(w, "warning:", text)
		}
	}
	if text := r.Outliers(); text != "" {
		fmt.Fprintln(w, "warning:", text)
	}
}

// machine names a target and what it is.
func machine(name string, env wire.Environment) string {
	text := ""
	if name != sweep.Local {
		text = name + ": "
	}
	if env.OS == "" {
		return text + "nothing was measured"
	}
	if env.Board != "" && name != sweep.Local {
		text += env.Board + ", "
	}
	text += fmt.Sprintf("%s, %d cores, kernels %s", env.CPU, env.Cores, env.Tier)
	if env.Virtual != "" {
		text += ", in " + env.Virtual
	}
	return text
}

// tally counts trials by verdict, the valid ones first.
func tally(verdicts map[wire.Verdict]int) string {
	parts := []string{fmt.Sprintf("%d valid", verdicts[wire.Valid])}
	for _, v := range slices.Sorted(maps.Keys(verdicts)) {
		if v != wire.Valid {
			parts = append(parts, fmt.Sprintf("%d %s", verdicts[v], v))
		}
	}
	return "trials: " + strings.Join(parts, ", ")
}

// label says of a figure that no hardware stands behind it.
func label(r stat.Row) string {
	var out []string
	for _, mark := range []string{stat.Emulated, stat.Simulated} {
		if r.Available() && slices.Contains(r.Warnings, mark) {
			out = append(out, mark)
		}
	}
	return strings.Join(out, ", ")
}

// labels are those of a cell's time and energy.
func labels(figures map[string]stat.Row) string {
	var out []string
	if l := label(figures["latency_ms_p50"]); l != "" {
		out = append(out, "time "+l)
	}
	if slices.Contains(figures["energy_j"].Warnings, stat.Simulated) {
		out = append(out, "energy "+stat.Simulated)
	}
	return strings.Join(out, ", ")
}

// lower says in how many cells the valid trials are too few for 95 %.
func lower(r *sweep.Record) string {
	valid := map[string]int{}
	for _, t := range r.Trials {
		if t.Result.Verdict == wire.Valid {
			valid[t.Cell]++
		}
	}
	few := 0
	for _, n := range valid {
		if n < trialsFor95 {
			few++
		}
	}
	if few == 0 {
		return ""
	}
	return fmt.Sprintf(" (lower in %s with fewer than %d valid trials)", counted(few, "cell"), trialsFor95)
}

// trialsFor95 is the least number of trials whose smallest and greatest value
// hold the median between them with 95 %.
const trialsFor95 = 6

// because is the reason that the trials gave for having no energy.
func because(r *sweep.Record) string {
	for _, t := range r.Trials {
		if t.Result.EnergyReason != "" {
			return ": " + t.Result.EnergyReason
		}
	}
	return ""
}

func hasFigure(rows []stat.Row, metric string) bool {
	for _, r := range rows {
		if r.Metric == metric && r.Available() {
			return true
		}
	}
	return false
}

// point prints a figure without its interval.
func point(r stat.Row, show func(float64) string) string {
	if !r.Available() {
		return none
	}
	return show(*r.Value)
}

func plain(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
