package command

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

var benchFormats = []string{"table", "json", "jsonl", "csv", "md"}

// benchWriter prints records in one format, as they come where it can.
type benchWriter struct {
	format  string
	w       io.Writer
	records []benchRecord
	csv     *csv.Writer
}

func newBenchWriter(format string, w io.Writer) *benchWriter {
	return &benchWriter{format: format, w: w, csv: csv.NewWriter(w)}
}

func (b *benchWriter) add(r benchRecord) error {
	b.records = append(b.records, r)
	first := len(b.records) == 1
	switch b.format {
	case "jsonl":
		enc := json.NewEncoder(b.w)
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	case "csv":
		names, values := columns(r)
		if first {
			if err := b.csv.Write(names); err != nil {
				return err
			}
		}
		if err := b.csv.Write(values); err != nil {
			return err
		}
		b.csv.Flush()
		return b.csv.Error()
	case "md":
		return b.markdown(r, first)
	}
	return nil
}

// close prints what waits for the last record.
func (b *benchWriter) close() error {
	switch b.format {
	case "json":
		enc := json.NewEncoder(b.w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if b.records == nil {
			b.records = []benchRecord{}
		}
		return enc.Encode(b.records)
	case "md":
		if len(b.records) == 0 {
			return nil
		}
		_, err := fmt.Fprintf(b.w, "\nbuild: %s (%d)\n", b.records[0].BuildCommit, b.records[0].BuildNumber)
		return err
	case "table":
		return b.table()
	}
	return nil
}

// columns are a record's fields and values for csv. As in llama-bench the
// repeats have no column: they are lists.
func columns(r benchRecord) (names, values []string) {
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("json")
		if strings.HasPrefix(name, "samples_") {
			continue
		}
		var text string
		switch x := v.Field(i).Interface().(type) {
		case float64:
			text = strconv.FormatFloat(x, 'g', -1, 64)
		case *float64:
			if x != nil {
				text = strconv.FormatFloat(*x, 'g', -1, 64)
			}
		default:
			text = fmt.Sprint(x)
		}
		if name == "warnings" {
			var codes []string
			for _, w := range r.Warnings {
				codes = append(codes, w.Code)
			}
			text = strings.Join(codes, "; ")
		}
		names, values = append(names, name), append(values, text)
	}
	return names, values
}

// markdown prints llama-bench's columns, so that tables of both fit together.
func (b *benchWriter) markdown(r benchRecord, first bool) error {
	if first {
		if _, err := io.WriteString(b.w,
			"| model | size | params | backend | threads | test | t/s |\n"+
				"| --- | ---: | ---: | --- | ---: | ---: | ---: |\n"); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(b.w, "| %s | %s | %s | %s | %d | %s | %.2f ± %.2f |\n",
		r.ModelType, bytesText(r.ModelSize), size(r.ModelParams), r.Backends, r.Threads, r.name(), r.AvgTS, r.StddevTS)
	return err
}

func bytesText(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

// table prints what a person reads.
func (b *benchWriter) table() error {
	if len(b.records) == 0 {
		return nil
	}
	rows := [][]string{{"model", "threads", "test", "tok/s", "interval", "ms/step", "GB/s", "of limit", "GOPS", "of limit", "peak MB", "verdict"}}
	for i := range b.records {
		r := &b.records[i]
		rows = append(rows, []string{
			r.label(), strconv.Itoa(r.Threads), r.name(), figure(&r.MedianTS), fmt.Sprintf("[%s, %s]", figure(&r.LoTS), figure(&r.HiTS)),
			figure(r.LatencyP50), figure(r.GBPerS), percent(r.ShareGBS), figure(r.GOPS), percent(r.ShareGOPS),
			figure(ptrOf(float64(r.PeakRSSBytes) / 1e6)), string(r.Verdict),
		})
	}
	if err := align(b.w, rows, 0, 2, len(rows[0])-1); err != nil {
		return err
	}
	var notes strings.Builder
	b.notes(&notes)
	_, err := io.WriteString(b.w, notes.String())
	return err
}

// notes are the facts that rows share, and doubts.
func (b *benchWriter) notes(w *strings.Builder) {
	last := &b.records[len(b.records)-1]
	fmt.Fprintf(w, "\ntok/s: median of %d with its %.3g %% interval; %s, tier %s\n", len(last.SamplesTS), 100*last.Level, last.CPUInfo, last.Tier)
	said := map[string]bool{}
	say := func(format string, args ...any) {
		if line := fmt.Sprintf(format, args...); !said[line] {
			said[line] = true
			w.WriteString(line)
		}
	}
	for i := range b.records {
		r := &b.records[i]
		say("%s on %d threads: loaded in %s ms, first token %s ms after a cold start; weights %s MB\n", r.label(), r.Threads,
			figure(&r.LoadMS), figure(&r.FirstTokenMS), figure(ptrOf(float64(r.ModelSize)/1e6)))
	}
	for of, l := range b.limits() {
		say("limits of %s: %s GB/s read from memory, %s GOPS\n", of, l.read, l.peak)
		if l.product.hi > 0 {
			say("beside the tests a matrix product of bytes from the caches did %s GOPS on as many threads\n", l.product)
		}
	}
	for i := range b.records {
		r := &b.records[i]
		if r.Reason != "" {
			say("%s: %s\n", r.name(), r.Reason)
		}
		for _, warning := range r.Warnings {
			say("warning: %s\n", warning.Text)
		}
	}
}

// limits yields the limits that were measured beside the tests, by what they
// are limits of.
func (b *benchWriter) limits() iter.Seq2[string, limitRange] {
	return func(yield func(string, limitRange) bool) {
		of := map[string]limitRange{}
		for i := range b.records {
			if r := &b.records[i]; r.LimitGBS != nil && r.LimitGOPS != nil {
				name := fmt.Sprintf("%d threads, %s products in %s", r.Threads, r.LimitMix, r.Tier)
				l := of[name]
				l.read.add(*r.LimitGBS)
				l.peak.add(*r.LimitGOPS)
				if r.ProductGOPS != nil {
					l.product.add(*r.ProductGOPS)
				}
				of[name] = l
			}
		}
		for _, name := range slices.Sorted(maps.Keys(of)) {
			if !yield(name, of[name]) {
				return
			}
		}
	}
}

// limitRange is between what limits lay.
type limitRange struct{ read, peak, product span }

// span is the least and the greatest of some figures above 0.
type span struct{ lo, hi float64 }

func (s *span) add(v float64) {
	if s.lo == 0 {
		s.lo = v
	}
	s.lo, s.hi = min(s.lo, v), max(s.hi, v)
}

func (s span) String() string {
	if lo, hi := figure(&s.lo), figure(&s.hi); lo != hi {
		return lo + " to " + hi
	}
	return figure(&s.lo)
}

func ptrOf(v float64) *float64 { return &v }

// figure prints three significant digits, more of a large number, a dash for
// none.
func figure(v *float64) string {
	switch {
	case v == nil:
		return "–"
	case *v >= 100:
		return strconv.FormatFloat(*v, 'f', 0, 64)
	case *v >= 10:
		return strconv.FormatFloat(*v, 'f', 1, 64)
	}
	return strconv.FormatFloat(*v, 'f', 2, 64)
}

func percent(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100**v)
}

// align prints rows in columns, the given ones to the left and the others to
// the right.
func align(w io.Writer, rows [][]string, left ...int) error {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	isLeft := map[int]bool{}
	for _, i := range left {
		isLeft[i] = true
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				line.WriteString("  ")
			}
			if isLeft[i] {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}
