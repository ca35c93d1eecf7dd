package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
	"golang.org/x/term"

	"github.com/seed-c6f48606/harness/reports/stat"
)

var formats = []string{"table", "json", "jsonl", "csv"}

func (a *app) checkFormat() error {
	if !slices.Contains(formats, a.format) {
		return fmt.Errorf("--output %q: must be one of %s", a.format, strings.Join(formats, ", "))
	}
	return nil
}

// none is what a person reads where there is no figure.
const none = "–"

// table is what a person reads. Columns of numbers are aligned right.
type table struct {
	header []string
	rows   [][]string
	right  []int // columns of numbers
}

// print writes the table without frames: header, a line, rows.
func (t table) print(w io.Writer) error {
	align := make(tw.Alignment, len(t.header))
	for i := range align {
		align[i] = tw.AlignLeft
		if slices.Contains(t.right, i) {
			align[i] = tw.AlignRight
		}
	}
	pad := tw.CellPadding{Global: tw.Padding{Right: "  ", Overwrite: true}}
	cell := func() tw.CellConfig {
		return tw.CellConfig{
			Alignment: tw.CellAlignment{PerColumn: align}, Padding: pad,
			Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off},
		}
	}
	out := tablewriter.NewTable(w,
		tablewriter.WithConfig(tablewriter.Config{Header: cell(), Row: cell(), Behavior: tw.Behavior{TrimSpace: tw.Off}}),
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.BorderNone,
			Settings: tw.Settings{
				Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
				Lines:      tw.Lines{ShowHeaderLine: tw.On, ShowTop: tw.Off, ShowBottom: tw.Off, ShowFooterLine: tw.Off},
			},
		})),
	)
	out.Header(t.header)
	if err := out.Bulk(t.rows); err != nil {
		return fmt.Errorf("printing table: %w", err)
	}
	if err := out.Render(); err != nil {
		return fmt.Errorf("printing table: %w", err)
	}
	return nil
}

// width is that of the terminal in columns of text; 120 where there is none.
func (a *app) width() int {
	if f, ok := a.out.(interface{ Fd() uintptr }); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return 120
}

// emit prints the table, or the records behind it, in the format asked for.
func (a *app) emit(t table, records []any) error {
	switch a.format {
	case "json":
		return writeJSON(a.out, records)
	case "jsonl":
		return writeJSONLines(a.out, records)
	case "csv":
		w := csv.NewWriter(a.out)
		rows := [][]string{t.header}
		for _, r := range t.rows {
			r = slices.Clone(r)
			for i, v := range r {
				if v == none {
					r[i] = "" // as in the rows of a run
				}
			}
			rows = append(rows, r)
		}
		return csvError(w.WriteAll(rows))
	}
	return t.print(a.out)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing json: %w", err)
	}
	return nil
}

func writeJSONLines[T any](w io.Writer, records []T) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, r := range records {
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("writing jsonl: %w", err)
		}
	}
	return nil
}

// writeRowsCSV writes tidy rows; an unavailable figure is an empty field, the
// warnings are joined by semicolons.
func writeRowsCSV(w io.Writer, rows []stat.Row) error {
	out := csv.NewWriter(w)
	if err := out.Write(stat.Columns()); err != nil {
		return csvError(err)
	}
	float := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	optional := func(v *float64) string {
		if v == nil {
			return ""
		}
		return float(*v)
	}
	for _, r := range rows {
		err := out.Write([]string{
			r.Run, r.Cell, r.Target, r.Board, r.Model, r.Dataset, strconv.Itoa(r.Bits), strconv.Itoa(r.GroupSize), r.Algorithm,
			float(r.RankRatio), float(r.PruneRatio), float(r.Threshold), strconv.Itoa(r.Batch), strconv.Itoa(r.Threads), r.Tier, r.Scenario,
			r.Metric, r.Unit, optional(r.Value), optional(r.Lo), optional(r.Hi), strconv.Itoa(r.N), r.Verdict,
			strings.Join(r.Warnings, "; "), r.Time.Format(time.RFC3339Nano), r.Commit,
		})
		if err != nil {
			return csvError(err)
		}
	}
	out.Flush()
	return csvError(out.Error())
}

func csvError(err error) error {
	if err != nil {
		return fmt.Errorf("writing csv: %w", err)
	}
	return nil
}

// digits prints three significant digits, plainly where that is readable.
func digits(v float64) string {
	switch a := max(v, -v); {
	case a == 0:
		return "0"
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a >= 0.01:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// megabytes prints bytes in decimal megabytes.
func megabytes(v float64) string { return strconv.FormatFloat(v/1e6, 'f', 2, 64) }

// fixed prints shares with three decimals.
func fixed(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }

// interval prints "value [lo, hi]", the value alone without an interval and a
// dash without a value.
func interval(r stat.Row, show func(float64) string) string {
	switch {
	case !r.Available():
		return none
	case r.Lo == nil || r.Hi == nil:
		return show(*r.Value)
	}
	return show(*r.Value) + " [" + show(*r.Lo) + ", " + show(*r.Hi) + "]"
}
