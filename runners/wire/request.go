package wire

import "time"

// Scenarios after MLPerf Inference that a runner may be asked for.
const (
	// SingleStream sends the next query when the last one is answered.
	SingleStream = "single-stream"
	// Offline hands over all queries at once and times the whole.
	Offline = "offline"
)

// Load asks the runner to load a model. A later Load replaces the model.
type Load struct {
	// Model is a folder, a .safetensors with its config.json beside it, or a .gguf.
	Model string `json:"model"`
	// Tokenizer is a folder or file; empty means the model's own.
	Tokenizer string `json:"tokenizer,omitempty"`
	// Threads is the number of workers; 0 means every core.
	Threads int `json:"threads"`
	// Exact dequantizes weights and computes in f32.
	Exact bool `json:"exact,omitempty"`
	// Chunk is the longest prefill piece in tokens; 0 means the engine's default.
	Chunk int `json:"chunk,omitempty"`
}

// Measure asks for one trial of the loaded model.
type Measure struct {
	// Items is the path of a JSON-lines file of Item.
	Items string `json:"items"`
	// Batch is the number of items in one inference, ≥ 1.
	Batch int `json:"batch"`
	// Threshold is the routing threshold τ in [0, 1]; 0 is dense.
	Threshold float64 `json:"threshold"`
	// Scenario is SingleStream (also when empty) or Offline.
	Scenario string `json:"scenario,omitempty"`
	// WarmupLimit ends the warm-up of a trial that does not settle; 0 means the default.
	WarmupLimit time.Duration `json:"warmup_limit_ns,omitempty"`
	// Window is the least length of the work window; 0 means 0.5 s, or 10 s
	// when an energy sensor is read.
	Window time.Duration `json:"window_ns,omitempty"`
	// IdleWindow is the length of each idle window; 0 means none without an
	// energy sensor and 2 s with one.
	IdleWindow time.Duration `json:"idle_window_ns,omitempty"`
	// MinInferences is the least number of inferences, given up after four
	// windows; 0 means 20.
	MinInferences int `json:"min_inferences,omitempty"`
	// MaxInferences ends the window early; 0 means no such end.
	MaxInferences int `json:"max_inferences,omitempty"`
	// Seed orders the items.
	Seed uint64 `json:"seed"`
	// Own lists further process ids whose CPU time is not foreign. The
	// runner's parent, the controller, is always one of them.
	Own []int `json:"own,omitempty"`
	// NoEnergy leaves the energy sensors alone, so that the window stays short.
	NoEnergy bool `json:"no_energy,omitempty"`
	// Outside says that a sensor elsewhere reads the energy: the temperature must
	// have settled as with one of the machine's own.
	Outside bool `json:"outside,omitempty"`
	// Limits judge the trial; nil means DefaultLimits.
	Limits *Limits `json:"limits,omitempty"`
	// PowerMode is the name or number of the power mode that the board must be
	// in; empty means any.
	PowerMode string `json:"power_mode,omitempty"`
	// CPUProfile asks for a profile of the work window.
	CPUProfile bool `json:"cpu_profile,omitempty"`
	// Roof asks for the machine's own rates right after the window; that takes
	// 64 MiB, which are not in the trial's peak.
	Roof bool `json:"roof,omitempty"`
}

// Evaluate asks for the quality of the loaded model on labelled items.
type Evaluate struct {
	// Items is the path of a JSON-lines file of Item.
	Items string `json:"items"`
	// Batch is the number of items in one inference; it must not change a result.
	Batch int `json:"batch"`
	// Threshold is the routing threshold τ in [0, 1].
	Threshold float64 `json:"threshold"`
	// Reference is a file that an earlier Evaluate wrote through ReferenceOut
	// from the dense f32 model and the same items; empty means no KL and top-1.
	Reference string `json:"reference,omitempty"`
	// ReferenceOut is where to write this model's distributions; empty means nowhere.
	ReferenceOut string `json:"reference_out,omitempty"`
	// Perplexity asks for the language model's perplexity on the items' texts.
	Perplexity bool `json:"perplexity,omitempty"`
	// PerplexityItems bounds the texts that perplexity, and KL without a
	// classifier, read; 0 means all, for KL as many as 1 GiB of distributions
	// hold.
	PerplexityItems int `json:"perplexity_items,omitempty"`
}

// Info asks for the runner's machine.
type Info struct{}

// Cancel gives up the running request that has the id of the cancel's line.
type Cancel struct{}

// Quit asks the runner to exit with status 0.
type Quit struct{}
