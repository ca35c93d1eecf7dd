package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// report is all that is written of one session.
type report struct {
	CPU, System, Time string
	Processors        int
	Rounds            int
	Apart             []float64 // core-to-core latency in ns before and after every run
	Models            []modelFile
	Programs          []string
	Versions          map[string]string
	Rows              []row
	Perplexities      []perplexityRow
	Absent            []string // what was not measured at all, with the reason
}

// markdown writes one table a metric and what failed below.
func (r *report) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s beside %s, on the same files\n\n", r.Programs[0], strings.Join(r.Programs[1:], " and "))
	fmt.Fprintf(&b, "%s, %d processors, %s; %s.\n\n", r.CPU, r.Processors, r.System, r.Time)
	for _, p := range r.Programs {
		fmt.Fprintf(&b, "- %s: %s\n", p, cmp.Or(r.Versions[p], "version unknown"))
	}
	for _, m := range r.Models {
		fmt.Fprintf(&b, "- file %s: %.1f MB\n", m.Name, float64(m.SizeBytes)/1e6)
	}
	fmt.Fprintf(&b, "\n%d rounds; in each every program runs once, in turn forwards and backwards. Cells: median (smallest–largest).\n", r.Rounds)
	if len(r.Apart) > 0 {
		fmt.Fprintf(&b, "Core to core before and after the runs: %.0f ns in the median, %.0f to %.0f.\n", stat.Median(r.Apart), slices.Min(r.Apart), slices.Max(r.Apart))
	}
	fmt.Fprintf(&b, "Ratio: how many times better %s is, of the medians, with the distribution-free interval of the rounds' ratios%s.\n", r.Programs[0], r.level())
	var notes []string
	for _, m := range metrics {
		r.table(&b, m, &notes)
	}
	r.perplexityTable(&b)
	notes = append(notes, r.Absent...)
	if len(notes) > 0 {
		b.WriteString("\n## Notes\n\n")
		for _, n := range notes {
			fmt.Fprintf(&b, "- %s\n", n)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// level is the least level that the intervals reach.
func (r *report) level() string {
	least := 1.0
	for _, row := range r.Rows {
		for _, f := range row.Figures {
			if f.RatioLevel > 0 {
				least = min(least, f.RatioLevel)
			}
		}
	}
	if least == 1 {
		return ""
	}
	return fmt.Sprintf(" (level %.3g %% or more)", 100*least)
}

func (r *report) table(b *strings.Builder, m metric, notes *[]string) {
	rows := slices.DeleteFunc(slices.Clone(r.Rows), func(row row) bool { return row.Metric != m.Name })
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s, %s\n\n| model | threads | task |", upperFirst(m.Name), m.Unit)
	rule := "\n| --- | ---: | --- |"
	for i, p := range r.Programs {
		fmt.Fprintf(b, " %s |", p)
		rule += " ---: |"
		if i > 0 {
			b.WriteString(" ratio |")
			rule += " ---: |"
		}
	}
	b.WriteString(rule + "\n")
	for _, row := range rows {
		fmt.Fprintf(b, "| %s | %d | %s |", row.Model, row.Threads, row.Task)
		for i, f := range row.Figures {
			fmt.Fprintf(b, " %s%s |", f.text(), note(f, row, notes))
			if i > 0 {
				fmt.Fprintf(b, " %s |", f.ratioText())
			}
		}
		b.WriteString("\n")
	}
}

// note adds why a figure is missing or rests on fewer runs. What was not tried is
// said once a model, what failed or does not count once a cell.
func note(f figure, row row, notes *[]string) string {
	if f.Reason == "" {
		return ""
	}
	text := fmt.Sprintf("%s, %s", f.Program, row.Model)
	if missing := f.Failed + f.Skipped; f.Failed > 0 || f.N > 0 {
		text += fmt.Sprintf(", threads %d, %s: %d of %d runs", row.Threads, row.Task, missing, missing+f.N)
	}
	text = text + ": " + f.Reason
	if !slices.Contains(*notes, text) {
		*notes = append(*notes, text)
	}
	return " see notes"
}

func (r *report) perplexityTable(b *strings.Builder) {
	if len(r.Perplexities) == 0 {
		return
	}
	b.WriteString("\n## Perplexity of the same tokens\n\n| model | tokens | program | perplexity | difference |\n| --- | ---: | --- | ---: | ---: |\n")
	for _, p := range r.Perplexities {
		if p.Error != "" {
			fmt.Fprintf(b, "| %s | %d | %s | %s | – |\n", p.Model, p.Tokens, p.Program, p.Error)
			continue
		}
		difference := "–"
		if p.Difference != nil {
			difference = fmt.Sprintf("%+.3f %%", 100**p.Difference)
		}
		fmt.Fprintf(b, "| %s | %d | %s | %.4f | %s |\n", p.Model, p.Tokens, p.Program, p.Perplexity, difference)
	}
}

// jsonl writes the samples, then the rows and perplexities made of them.
func (r *report) jsonl(w io.Writer, samples []sample) error {
	if err := writeJSONL(w, samples); err != nil {
		return err
	}
	if err := writeJSONL(w, r.Rows); err != nil {
		return err
	}
	return writeJSONL(w, r.Perplexities)
}

// writeJSONL writes each value on a line.
func writeJSONL[T any](w io.Writer, values []T) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, v := range values {
		if err := enc.Encode(v); err != nil {
			return err
		}
	}
	return nil
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
