package stat

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Row is the tidy form of one published figure: one metric of one cell of one
// run. Store, export, report and gate all speak in rows. The json keys and their
// order are part of the tool's contract.
//
// Value, Lo and Hi are nil where the figure is unavailable (no sensor, no valid
// trial): never zero and never a guess. Lo and Hi are nil too where the value has
// no interval, as for a count of bytes.
type Row struct {
	Run        string    `json:"run"`
	Cell       string    `json:"cell"`
	Target     string    `json:"target"`
	Board      string    `json:"board"`
	Model      string    `json:"model"`
	Dataset    string    `json:"dataset"`
	Bits       int       `json:"bits"`
	GroupSize  int       `json:"group_size"`
	Algorithm  string    `json:"algorithm"`
	RankRatio  float64   `json:"rank_ratio"`
	PruneRatio float64   `json:"prune_ratio"`
	Threshold  float64   `json:"threshold"`
	Batch      int       `json:"batch"`
	Threads    int       `json:"threads"`
	Tier       string    `json:"tier"`
	Scenario   string    `json:"scenario"`
	Metric     string    `json:"metric"`
	Unit       string    `json:"unit"`
	Value      *float64  `json:"value"`
	Lo         *float64  `json:"lo"`
	Hi         *float64  `json:"hi"`
	N          int       `json:"n"`
	Verdict    string    `json:"verdict"`
	Warnings   []string  `json:"warnings"`
	Time       time.Time `json:"time"`
	Commit     string    `json:"commit"`
}

// Warnings that say that no hardware stands behind a figure. They stand in
// Row.Warnings, and wherever the figure is shown.
const (
	Simulated = "simulated" // the rails are a model's
	Emulated  = "emulated"  // the processor is emulated: times are not the board's
)

// Columns returns the names of a row's fields in their published order, as csv
// and parquet exports head their columns.
func Columns() []string {
	return []string{
		"run", "cell", "target", "board", "model", "dataset", "bits", "group_size", "algorithm",
		"rank_ratio", "prune_ratio", "threshold", "batch", "threads", "tier", "scenario",
		"metric", "unit", "value", "lo", "hi", "n", "verdict", "warnings", "time", "commit",
	}
}

// Set puts an interval's numbers into the row. A number that is not finite
// becomes nil, that is unavailable.
func (r *Row) Set(i Interval) {
	r.Value, r.Lo, r.Hi, r.N = finite(i.Value), finite(i.Lo), finite(i.Hi), i.N
}

// SetValue puts a value without interval into the row, n items behind it.
func (r *Row) SetValue(v float64, n int) {
	r.Value, r.Lo, r.Hi, r.N = finite(v), nil, nil, n
}

// Available says whether the row carries a figure.
func (r *Row) Available() bool { return r.Value != nil }

// MarshalJSON writes the row as one object in the order of Columns; warnings is
// always a list.
func (r Row) MarshalJSON() ([]byte, error) {
	type plain Row
	if r.Warnings == nil {
		r.Warnings = []string{}
	}
	b, err := json.Marshal(plain(r))
	if err != nil {
		return nil, fmt.Errorf("encoding row of metric %s: %w", r.Metric, err)
	}
	return b, nil
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
