// Package sweep measures a plan: it builds the artefacts that the plan's cells
// need, asks their quality once, times every cell in interleaved trials, each in
// a runner process of its own, and turns what the store then holds into figures.
//
// A sweep can be stopped at any moment, by Ctrl-C or by SIGKILL of the
// controller or a runner, and be resumed: what to do next is decided from the
// stored trials alone.
package sweep

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/harness/search"
	"github.com/seed-c6f48606/harness/runners/compress"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Limits of a plan.
const (
	MaxBatch   = 1024
	MaxRepeats = 1000
	MaxCells   = 10000
	MaxTargets = 100
	MaxThreads = 1024 // on targets whose cores are not known before they answer
)

// Local is the target that is always there: the machine the harness runs on.
const Local = "local"

// Design says which combinations of the axes' values are cells.
type Design string

const (
	// Grid is every combination.
	Grid Design = "grid"
	// Corners is the reference cell (the first value of every axis), every cell
	// that departs from it on one or two axes, and the cells that depart on all
	// artefact axes (bits, rank, prune) with the run-time axes (threshold,
	// batch, threads) all at rest or all departed. It keeps each axis' effect
	// and each pair's interaction at a fraction of the grid.
	Corners Design = "corners"
)

// Data names a data set as loader.Load does.
type Data struct {
	Spec        string `json:"spec"`
	TextColumn  string `json:"text_column,omitempty"`
	LabelColumn string `json:"label_column,omitempty"`
	TestFile    string `json:"test_file,omitempty"`
	OOS         bool   `json:"oos,omitempty"`
}

// Options returns the loader's options.
func (d Data) Options() loader.Options {
	return loader.Options{TextColumn: d.TextColumn, LabelColumn: d.LabelColumn, TestFile: d.TestFile, OOS: d.OOS}
}

// Plan is everything that decides a run. The first value of an axis is its
// reference. Hashes are filled when the plan is first prepared and compared
// when a run is resumed.
type Plan struct {
	// Targets are names of the inventory, or Local.
	Targets []string `json:"targets"`
	// Cores are the threads of a target's cells where Threads lists none; a target
	// that is not in it takes every core that it has.
	Cores map[string]int `json:"cores,omitempty"`

	Model     string `json:"model"`
	ModelHash string `json:"model_hash,omitempty"`
	Data      Data   `json:"data"`
	DataHash  string `json:"data_hash,omitempty"`

	Design     Design    `json:"design"`
	Bits       []int     `json:"bits"`
	RankRatio  []float64 `json:"rank_ratio"`
	PruneRatio []float64 `json:"prune_ratio"`
	Threshold  []float64 `json:"threshold"`
	Batch      []int     `json:"batch"`
	Threads    []int     `json:"threads"`

	GroupSize    int    `json:"group_size"`
	Algorithm    string `json:"algorithm"`
	CalibSamples int    `json:"calib_samples"`
	Scenario     string `json:"scenario"`

	Repeats       int           `json:"repeats"`
	Retries       int           `json:"retries"` // further attempts of an invalid trial
	Seed          uint64        `json:"seed"`
	Window        time.Duration `json:"window_ns"`       // 0 = the runner's default
	IdleWindow    time.Duration `json:"idle_window_ns"`  // 0 = the runner's default
	WarmupLimit   time.Duration `json:"warmup_limit_ns"` // 0 = the runner's default
	MinInferences int           `json:"min_inferences"`
	Energy        bool          `json:"energy"` // read the energy sensor, which takes windows of 10 s
	// Limits judge the trials, nil = the runner's default. Among them is how long
	// a board is given to cool before a trial.
	Limits *wire.Limits `json:"limits,omitempty"`
	// PowerModes are those that targets must be in.
	PowerModes map[string]string `json:"power_modes,omitempty"`

	// Search says which of the cells are measured, and how often; empty is
	// SearchGrid.
	Search Search `json:"search,omitempty"`
	// Objectives are the metrics of the Pareto front, none = search.Defaults.
	Objectives []string `json:"objectives,omitempty"`
	// Where is a constraint on the cells that may be on it, as search.ParseWhere
	// reads it.
	Where string `json:"where,omitempty"`
	// Sample is how many cells of each target a random search measures.
	Sample int `json:"sample,omitempty"`

	// Sitting is what a run that carries the plan out decides from.
	Sitting *sitting `json:"-"`
}

// Search is a way to choose cells.
type Search string

// Searches.
const (
	SearchGrid    Search = "grid"    // every cell, Repeats times
	SearchRandom  Search = "random"  // Sample cells at random
	SearchHalving Search = "halving" // every cell once, then those that may be on the front
)

// Searches lists them.
func Searches() []string {
	return []string{string(SearchGrid), string(SearchRandom), string(SearchHalving)}
}

// Default is the plan of a sweep without flags: 25 cells over all five axes, in
// the few minutes that leave no time for windows that an energy sensor needs.
func Default() Plan {
	p := Reference()
	p.Energy = false
	p.Design = Corners
	p.Bits = []int{16, 8, 4}
	p.RankRatio = []float64{1, 0.5}
	p.PruneRatio = []float64{0, 0.5}
	p.Threshold = []float64{0, 0.5}
	p.Batch = []int{1, 16}
	return p
}

// Reference is a grid of one cell, the uncompressed model: what an axis that
// the user does not list stays at.
func Reference() Plan {
	return Plan{
		Targets: []string{Local}, Model: "service-nano", Data: Data{Spec: "builtin"}, Design: Grid,
		Bits: []int{16}, RankRatio: []float64{1}, PruneRatio: []float64{0}, Threshold: []float64{0},
		Batch: []int{1}, Threads: []int{runtime.NumCPU()},
		GroupSize: compress.DefaultGroupSize, Algorithm: compress.DefaultAlgorithm, CalibSamples: compress.DefaultCalibSamples,
		Scenario: wire.SingleStream, Repeats: 6, Retries: 2, Seed: 1,
		Energy: true,
	}
}

// ParsePlan reads a stored plan.
func ParsePlan(raw json.RawMessage) (Plan, error) {
	var p Plan
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, fmt.Errorf("reading stored plan: %w", err)
	}
	if len(p.Targets) == 0 {
		p.Targets = []string{Local} // plans knew no other once
	}
	return p, nil
}

// Validate refuses what cannot work with a [*compress.UsageError] that names
// the nearest value that can. It knows nothing of the model; see Prepare.
func (p Plan) Validate() error {
	if err := p.validateTargets(); err != nil {
		return err
	}
	if p.Design != Grid && p.Design != Corners {
		return usage("design", strconv.Quote(string(p.Design)), "grid or corners", "grid")
	}
	if p.Scenario != wire.SingleStream && p.Scenario != wire.Offline {
		return usage("scenario", strconv.Quote(p.Scenario), wire.SingleStream+" or "+wire.Offline, wire.SingleStream)
	}
	combinations := 1 // which Cells goes through even where few are in the design
	for _, axis := range []struct {
		name string
		n    int
	}{
		{"bits", len(p.Bits)},
		{"rank-ratio", len(p.RankRatio)},
		{"prune-ratio", len(p.PruneRatio)},
		{"threshold", len(p.Threshold)},
		{"batch", len(p.Batch)},
		{"threads", max(len(p.Threads), p.freeThreads())},
	} {
		if axis.n == 0 {
			return usage(axis.name, "without a value", "a list of at least one", "")
		}
		if combinations *= axis.n; combinations > 100*MaxCells {
			return usage("grid", fmt.Sprintf("of at least %d combinations", combinations), fmt.Sprintf("at most %d cells", MaxCells), "fewer values an axis")
		}
	}
	for _, r := range p.recipes() {
		if err := r.Validate(); err != nil {
			return err
		}
	}
	for _, t := range p.Threshold {
		if !(t >= 0 && t <= 1) {
			return usage("threshold", number(t), "from 0 (dense) to 1 (skip whatever a gate may skip)", clamped(t, 0, 1))
		}
	}
	for _, b := range p.Batch {
		if err := within("batch", b, 1, MaxBatch, ""); err != nil {
			return err
		}
	}
	most, note := MaxThreads, ""
	if slices.Contains(p.Targets, Local) {
		most, note = runtime.NumCPU(), " (the cores of this machine)"
	}
	for _, t := range p.Threads {
		if err := within("threads", t, 1, most, note); err != nil {
			return err
		}
	}
	if err := within("repeats", p.Repeats, 1, MaxRepeats, ""); err != nil {
		return err
	}
	if err := within("retries", p.Retries, 0, 100, ""); err != nil {
		return err
	}
	for _, limit := range []struct {
		name string
		d    time.Duration
	}{{"window", p.Window}, {"idle-window", p.IdleWindow}, {"warmup-limit", p.WarmupLimit}} {
		if d := limit.d; d < 0 || d > time.Hour {
			return usage(limit.name, d.String(), "from 0s (the default) to 1h", max(0, min(d, time.Hour)).String())
		}
	}
	if p.Limits != nil {
		if err := p.Limits.Validate(); err != nil {
			return err
		}
	}
	if p.MinInferences < 0 {
		return usage("min-inferences", strconv.Itoa(p.MinInferences), "0 (the default) or more", "0")
	}
	n := len(p.Cells())
	if all := n * len(p.Targets); all > MaxCells {
		return usage("grid", fmt.Sprintf("of %d cells", all), fmt.Sprintf("at most %d cells", MaxCells), "fewer values an axis")
	}
	return p.validateSearch(n)
}

// validateSearch knows how many cells a target has.
func (p Plan) validateSearch(cells int) error {
	switch p.Search {
	case "", SearchGrid, SearchRandom, SearchHalving:
	default:
		return usage("search", strconv.Quote(string(p.Search)), "grid, random or halving", string(SearchGrid))
	}
	if p.Sample != 0 && p.Search != SearchRandom {
		return usage("sample", strconv.Itoa(p.Sample)+" with --search "+string(cmp.Or(p.Search, SearchGrid)), "--search random", "")
	}
	if p.Search == SearchRandom {
		if err := within("sample", p.Sample, 1, cells, " (the cells of the grid)"); err != nil {
			return err
		}
	}
	if _, err := p.objectives(); err != nil {
		return fmt.Errorf("--objectives: %w", err)
	}
	if _, err := p.constraint(); err != nil {
		return fmt.Errorf("--where: %w", err)
	}
	return nil
}

// picks is how many trials of a cell a halving search goes by at most. Those of the
// front come to Repeats again at the end, on which its figures stand.
func (p Plan) picks() int { return (p.Repeats + 1) / 2 }

// objectives are the metrics of the front.
func (p Plan) objectives() ([]search.Metric, error) {
	if len(p.Objectives) == 0 {
		return search.Objectives(search.Defaults())
	}
	return search.Objectives(p.Objectives)
}

// constraint is the one on the front's cells, nil where there is none.
func (p Plan) constraint() (*search.Where, error) {
	if p.Where == "" {
		return nil, nil
	}
	return search.ParseWhere(p.Where)
}

func (p Plan) validateTargets() error {
	if n := len(p.Targets); n == 0 || n > MaxTargets {
		return usage("target", fmt.Sprintf("of %d targets", n), fmt.Sprintf("from 1 to %d", MaxTargets), Local)
	}
	for i, name := range p.Targets {
		if name == "" || strings.ContainsAny(name, "@ \t\n") {
			return usage("target", strconv.Quote(name), "a name of the inventory or "+Local, Local)
		}
		if slices.Contains(p.Targets[:i], name) {
			return usage("target", strconv.Quote(name)+" twice", "every target once", "")
		}
	}
	return nil
}

// freeThreads is 1 where an empty list of threads stands for each target's own
// cores, and 0 where it is a mistake.
func (p Plan) freeThreads() int {
	if slices.Equal(p.Targets, []string{Local}) {
		return 0
	}
	return 1
}

func usage(axis, value, limit, nearest string) error {
	return &compress.UsageError{Axis: axis, Value: value, Limit: limit, Nearest: nearest}
}

func within(axis string, v, lo, hi int, note string) error {
	if v >= lo && v <= hi {
		return nil
	}
	return usage(axis, strconv.Itoa(v), fmt.Sprintf("from %d to %d%s", lo, hi, note), strconv.Itoa(max(lo, min(v, hi))))
}

func clamped(v, lo, hi float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return number(max(lo, min(v, hi)))
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// cooling is how long a trial may wait for its machine to cool.
func (p Plan) cooling() time.Duration {
	l := wire.DefaultLimits()
	if p.Limits != nil {
		l = *p.Limits
	}
	return time.Duration(l.CoolLimitS * float64(time.Second))
}
