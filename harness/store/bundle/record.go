package bundle

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// The records below are the files' JSON. A later version may add to them; what is
// there keeps its name and meaning.

type run struct {
	ID          string      `json:"id"`
	Command     string      `json:"command"`
	Model       string      `json:"model"`
	Dataset     string      `json:"dataset"`
	ToolVersion string      `json:"tool_version"`
	Commit      string      `json:"commit"`
	Started     time.Time   `json:"started"`
	Ended       time.Time   `json:"ended,omitzero"`
	State       store.State `json:"state"`
	Detail      string      `json:"detail,omitempty"`
}

func runOf(r store.Run) run {
	return run{r.ID, r.Command, r.Model, r.Dataset, r.ToolVersion, r.Commit, r.Started.UTC(), r.Ended.UTC(), r.State, r.Detail}
}

func (r run) stored() store.Run {
	return store.Run{
		ID: r.ID, Command: r.Command, Model: r.Model, Dataset: r.Dataset, ToolVersion: r.ToolVersion, Commit: r.Commit,
		Started: r.Started, Ended: r.Ended, State: r.State, Detail: r.Detail,
	}
}

type cell struct {
	ID       string          `json:"id"`
	Target   string          `json:"target"`
	Position int             `json:"position"`
	Artefact string          `json:"artefact"`
	Axes     json.RawMessage `json:"axes"`
}

func cellOf(c store.Cell) cell             { return cell{c.ID, c.Target, c.Position, c.Artefact, c.Axes} }
func (c cell) stored() (store.Cell, error) { return store.Cell(c), nil }

// artefact leaves out where the files lay and whether they were there already.
type artefact struct {
	Key        string          `json:"key"`
	Hash       string          `json:"hash"`
	Bits       int             `json:"bits"`
	RankRatio  float64         `json:"rank_ratio"`
	PruneRatio float64         `json:"prune_ratio"`
	BuildS     float64         `json:"build_s"`
	Report     json.RawMessage `json:"report"`
}

func artefactOf(a store.Artefact) artefact {
	return artefact{a.Key, a.Hash, a.Bits, a.RankRatio, a.PruneRatio, a.BuildS, a.Report}
}

func (a artefact) stored() (store.Artefact, error) {
	return store.Artefact{Key: a.Key, Hash: a.Hash, Bits: a.Bits, RankRatio: a.RankRatio, PruneRatio: a.PruneRatio, BuildS: a.BuildS, Report: a.Report}, nil
}

type quality struct {
	Subject   string          `json:"subject"`
	Threshold float64         `json:"threshold"`
	Result    wire.EvalResult `json:"result"`
}

func qualityOf(q store.Quality) quality { return quality(q) }

// stored refuses numbers of classes that there are none of.
func (q quality) stored() (store.Quality, error) {
	r := q.Result
	for i, p := range r.Predictions {
		if p < 0 || p >= len(r.Labels) {
			return store.Quality{}, fmt.Errorf("quality of %.80s: prediction %d is class %d of %d", q.Subject, i, p, len(r.Labels))
		}
	}
	for i, c := range r.Truth {
		if c < -1 || c >= len(r.Labels) {
			return store.Quality{}, fmt.Errorf("quality of %.80s: truth %d is class %d of %d", q.Subject, i, c, len(r.Labels))
		}
	}
	return store.Quality(q), nil
}

type event struct {
	At     time.Time `json:"at"`
	Level  string    `json:"level"`
	Code   string    `json:"code"`
	Text   string    `json:"text"`
	Target string    `json:"target,omitempty"`
}

func eventOf(e store.Event) event { return event{e.At.UTC(), e.Level, e.Code, e.Text, e.Target} }

func (e event) stored() (store.Event, error) {
	return store.Event{At: e.At, Level: e.Level, Code: e.Code, Text: e.Text, Target: e.Target}, nil
}

type trial struct {
	Cell    string             `json:"cell"`
	Repeat  int                `json:"repeat"`
	Attempt int                `json:"attempt"`
	Started time.Time          `json:"started"`
	Ended   time.Time          `json:"ended"`
	Result  wire.MeasureResult `json:"result"` // its samples are below
	Samples samples            `json:"samples"`
}

// samples are a trial's by columns: start of the inference in seconds since the
// window's, latency in milliseconds, items and tokens.
type samples struct {
	TimeS     []float64 `json:"t_s"`
	LatencyMS []float64 `json:"latency_ms"`
	Items     []int     `json:"items"`
	Tokens    []int     `json:"tokens"`
}

func trialOf(t store.Trial) trial {
	xs := t.Result.Samples
	t.Result.Samples = nil
	s := samples{make([]float64, len(xs)), make([]float64, len(xs)), make([]int, len(xs)), make([]int, len(xs))}
	for i, x := range xs {
		s.TimeS[i], s.LatencyMS[i], s.Items[i], s.Tokens[i] = x.TimeS, x.LatencyMS, x.Items, x.Tokens
	}
	return trial{t.Cell, t.Repeat, t.Attempt, t.Started.UTC(), t.Ended.UTC(), t.Result, s}
}

func (t trial) stored() (store.Trial, error) {
	s, n := t.Samples, len(t.Samples.TimeS)
	if len(s.LatencyMS) != n || len(s.Items) != n || len(s.Tokens) != n {
		return store.Trial{}, fmt.Errorf("its columns have %d, %d, %d and %d samples", n, len(s.LatencyMS), len(s.Items), len(s.Tokens))
	}
	t.Result.Samples = nil
	for i := range n {
		t.Result.Samples = append(t.Result.Samples, wire.Sample{TimeS: s.TimeS[i], LatencyMS: s.LatencyMS[i], Items: s.Items[i], Tokens: s.Tokens[i]})
	}
	return store.Trial{Cell: t.Cell, Repeat: t.Repeat, Attempt: t.Attempt, Started: t.Started, Ended: t.Ended, Result: t.Result}, nil
}

// each converts a list; an empty one is written as such.
func each[A, B any](from []A, to func(A) B) []B {
	out := make([]B, len(from))
	for i, v := range from {
		out[i] = to(v)
	}
	return out
}
