package store

import (
	"encoding/json"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// State is where a run stands.
type State string

// States of a run. A run whose process died without a word is read as
// Interrupted.
const (
	Running     State = "running"
	Interrupted State = "interrupted"
	Failed      State = "failed"
	Done        State = "done"
)

// Run is one sweep.
type Run struct {
	ID          string
	Plan        json.RawMessage
	Command     string // as the user typed it
	Model       string
	Dataset     string
	ToolVersion string
	Commit      string
	Started     time.Time
	Ended       time.Time // when State was entered; zero while running
	State       State
	Detail      string // why it failed or was interrupted
}

// Artefact is a model that was built for a run. Key addresses the hash of its
// inputs, Hash that of its files.
type Artefact struct {
	Key                   string
	Bits                  int
	RankRatio, PruneRatio float64
	Path                  string
	Hash                  string
	Cached                bool // found in the cache
	BuildS                float64
	Report                json.RawMessage // what building did, as runners/compress reports it
}

// Cell is one configuration of a run; Axes is the plan's own record of it.
type Cell struct {
	ID       string
	Target   string // name of the machine; empty is stored as "local"
	Position int
	Artefact string
	Axes     json.RawMessage
}

// Trial is one process-level measurement of a cell. Attempts count from 0.
type Trial struct {
	ID              int64
	Cell            string
	Repeat, Attempt int
	Started, Ended  time.Time
	Result          wire.MeasureResult // with its verdict, reason and samples
}

// Subjects of a quality that are no artefacts.
const (
	Reference = "reference" // the dense f32 model
	Baseline  = "baseline"  // bag of words
)

// Quality is what an artefact predicts at a threshold.
type Quality struct {
	Subject   string // an artefact's key, Reference or Baseline
	Threshold float64
	Result    wire.EvalResult
}

// Levels of an event.
const (
	Info    = "info"
	Warning = "warning"
	Fault   = "error"
)

// Event is something about a run that a reader should know.
type Event struct {
	At                time.Time
	Level, Code, Text string
	Target            string // the machine that it is about, empty = the run as a whole
}
