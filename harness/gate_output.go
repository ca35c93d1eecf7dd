package main

import (
	"fmt"
	"io"

	"github.com/seed-c6f48606/harness/harness/gate"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// finding is a figure beside its baseline as -o json prints it.
type finding struct {
	Cell     string  `json:"cell"`
	Target   string  `json:"target"`
	Metric   string  `json:"metric"`
	Unit     string  `json:"unit"`
	Verdict  string  `json:"verdict"`
	Before   float64 `json:"before"`
	After    float64 `json:"after"`
	NBefore  int     `json:"n_before"`
	NAfter   int     `json:"n_after"`
	Raw      effect  `json:"raw"`
	Effect   effect  `json:"effect"`              // without the machine's own change
	Roof     string  `json:"roof,omitempty"`      // that the cell hangs on
	RoofRate *effect `json:"roof_rate,omitempty"` // how the machine's changed
	P        float64 `json:"p"`
	Q        float64 `json:"q"`
	Further  int     `json:"further"` // trials a side that would tell; 0 = told
	Live     *effect `json:"live,omitempty"`
	Blocks   int     `json:"blocks,omitempty"`
	Kernel   string  `json:"kernel,omitempty"`
	Layer    string  `json:"layer,omitempty"`
	Note     string  `json:"note,omitempty"`
}

func findingOf(f *gate.Finding) finding {
	out := finding{
		Cell: f.Cell, Target: f.Target, Metric: f.Metric, Unit: f.Unit, Verdict: string(f.Final()), Before: f.Before, After: f.After,
		NBefore: f.NBefore, NAfter: f.NAfter, Raw: effectOf(f.Raw), Effect: effectOf(f.Effect), P: f.P, Q: f.Q, Further: f.Further, Note: f.Note,
	}
	if f.Control != nil {
		rate := effectOf(f.Control.Percent())
		out.Roof, out.RoofRate = f.Control.Roof, &rate
	}
	if f.Live != nil {
		live := effectOf(f.Live.Change)
		out.Live, out.Blocks = &live, f.Live.Blocks
		if c := f.Live.Cause; c != nil && c.Kernel != nil {
			out.Kernel, out.Layer = c.Kernel.Name, c.Layer
		}
	}
	return out
}

// emitFindings prints findings; all of them, or those that a person must see.
func (a *app) emitFindings(findings []gate.Finding, brief bool) error {
	t := table{header: []string{"cell", "metric", "before", "now", "change", "verdict", "because"}, right: []int{2, 3}}
	var records []any
	for i := range findings {
		f := &findings[i]
		records = append(records, findingOf(f))
		if brief && f.Final() == stat.Same {
			continue
		}
		t.rows = append(t.rows, []string{
			f.Cell, f.Metric, digits(f.Before), digits(f.After), gate.Percent(f.Effect), string(f.Final()), f.Why(),
		})
	}
	if len(t.rows) == 0 && a.format == "table" {
		return nil
	}
	return a.emit(t, records)
}

// emitResult prints what the gate says.
func (a *app) emitResult(r *gate.Result) error {
	for _, text := range r.Notes {
		fmt.Fprintln(a.err, note(store.Warning, text))
	}
	if err := a.emitFindings(r.Findings, true); err != nil || a.format != "table" {
		return err
	}
	fmt.Fprintf(a.out, "\nrun %s: %s\n", r.Run, r.Line())
	if since := r.Since(); since != "" && r.Count(stat.Regressed) > 0 {
		fmt.Fprintln(a.out, "it came", since)
	}
	return nil
}

// writeOutputs writes the files that were asked for.
func writeOutputs(r *gate.Result, junit, sarif, markdown string) error {
	for _, o := range []struct {
		path  string
		write func(io.Writer) error
	}{{junit, r.JUnit}, {sarif, r.SARIF}, {markdown, r.Markdown}} {
		if o.path == "" {
			continue
		}
		if err := replaceFile(o.path, o.write); err != nil {
			return err
		}
	}
	return nil
}
