// Package page writes a sweep's report: one HTML file with nothing loaded from
// elsewhere, in which every figure links to the trials behind it.
package page

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

//go:embed report.html report.css report.js
var files embed.FS

// Data is everything that a report shows.
type Data struct {
	Title   string
	Run     string
	Command string // the command line that made the run
	Model   string
	Dataset string
	Started time.Time
	Ended   time.Time // zero while the run is unfinished
	// Rows are the figures, one a metric and cell; the first cell in them is
	// shown first.
	Rows        []stat.Row
	Trials      []Trial
	Comparisons []Comparison
	Baseline    *Baseline // nil = not computed
	// Targets are the machines in the order in which they are shown. With more
	// than one, pictures and recommendations are made for each; none stands for
	// the machine of Environment.
	Targets     []Target
	Environment wire.Environment // of the first target that told one
	Warnings    []string         // about the whole run
	Notes       []string         // what was done how; shown at the end
	Searches    []Search         // what is known of each target's Pareto front; may be empty
}

// Target is a machine on which cells were measured.
type Target struct {
	Name        string // as in the rows
	Environment wire.Environment
	Energy      string // sensor and what it covers, or why there is none
}

// Trial is one process-level measurement of a cell, valid or not.
type Trial struct {
	Cell                        string
	Repeat, Attempt             int
	Verdict                     string
	Reason                      string // why the verdict is not valid
	Samples                     int
	P50MS, P90MS, MinMS, MaxMS  float64 // latency of one batch in milliseconds
	ThroughputPerS              float64 // items a second
	PeakRSSBytes                int64
	WindowS, WarmupS            float64
	ForeignCPU, StealCPU, Clock *float64 // share of one core, share of one core, relative frequency; nil = unknown
	Warnings                    []string
}

// Comparison is a paired test of one artefact and threshold against the dense
// model on the same items (McNemar, exact).
type Comparison struct {
	Name                    string
	F1, F1Dense             float64
	Delta, DeltaLo, DeltaHi float64 // difference in macro-F1 with its 95 % interval
	OnlyDense, OnlyThis     int     // items that only one of the two gets right
	P, PHolm                float64 // p, and p after Holm's correction over the run
}

// Baseline is the bag-of-words floor on the same test split.
type Baseline struct {
	Name    string
	MacroF1 float64
	Lo, Hi  float64
	N       int
}

// Render writes the report. It returns an error when no row is given or a
// picture cannot be drawn.
func Render(w io.Writer, d Data) error {
	if len(d.Rows) == 0 {
		return fmt.Errorf("rendering report of run %s: it has no figures", d.Run)
	}
	v, err := newView(d)
	if err != nil {
		return fmt.Errorf("rendering report of run %s: %w", d.Run, err)
	}
	t, err := template.New("report.html").Funcs(template.FuncMap{
		"figure": figure, "labels": labels, "bytes": bytesText, "share": share, "ms": number, "p": pValue, "signed": signed, "chance": chance,
		"time": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	}).ParseFS(files, "report.html")
	if err != nil {
		return fmt.Errorf("parsing report template: %w", err)
	}
	if err := t.Execute(w, v); err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return nil
}
