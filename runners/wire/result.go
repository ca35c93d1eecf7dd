package wire

// Verdict says whether a trial's figures may be used.
type Verdict string

// Only Valid trials enter figures; the others are kept and shown.
const (
	Valid       Verdict = "valid"
	Throttled   Verdict = "throttled"   // the clock fell or a throttle counter moved
	Contended   Verdict = "contended"   // others used the CPU or the memory
	Undervolted Verdict = "undervolted" // the board's supply sagged
	Unsettled   Verdict = "unsettled"   // the warm-up reached its time limit
	Sensor      Verdict = "sensor"      // gaps in or saturation of an energy sensor
	Faulted     Verdict = "faulted"     // the trial did not run to its end
)

// Warning is a doubt about a figure. It travels with the figure and is no error.
type Warning struct {
	// Code is a short stable name, such as "steal" or "psi-unknown".
	Code string `json:"code"`
	// Text is a sentence for the reader.
	Text string `json:"text"`
}

// Loaded answers Load.
type Loaded struct {
	ModelType string `json:"model_type"`
	// Hash is the SHA-256 of the model's files, in hex.
	Hash   string   `json:"hash"`
	Labels []string `json:"labels,omitempty"` // class names in the order of predictions; none without a classifier
	Layers int      `json:"layers"`
	Gates  int      `json:"gates"` // trained gates; without one a threshold skips nothing
	Params int64    `json:"params"`
	Vocab  int      `json:"vocab"`
	// ModelBytes is the stored size of all weights in the model's files.
	ModelBytes int64 `json:"model_bytes"`
	// MemoryBytes is what the engine holds for the weights.
	MemoryBytes int64   `json:"memory_bytes"`
	Threads     int     `json:"threads"`
	Tier        string  `json:"tier"`
	LoadS       float64 `json:"load_s"`
}

// Progress tells how far a request has come.
type Progress struct {
	Stage string `json:"stage"` // "load", "tokenize", "cool", "warm-up", "idle", "work", "evaluate", "perplexity"
	Done  int    `json:"done"`
	Total int    `json:"total"` // 0 = unknown
}

// Sample is one timed inference.
type Sample struct {
	// TimeS is when the inference began, in seconds since the window's start
	// on the runner's monotonic clock.
	TimeS float64 `json:"t_s"`
	// LatencyMS is the time from query to answer in milliseconds.
	LatencyMS float64 `json:"latency_ms"`
	Items     int     `json:"items"`
	Tokens    int     `json:"tokens"`
}

// MeasureResult answers Measure: one trial.
type MeasureResult struct {
	Verdict  Verdict   `json:"verdict"`
	Reason   string    `json:"reason,omitempty"` // why the verdict is not Valid
	Warnings []Warning `json:"warnings,omitempty"`
	Scenario string    `json:"scenario"`
	Batch    int       `json:"batch"`
	// Threshold is the τ that was used.
	Threshold float64  `json:"threshold"`
	Threads   int      `json:"threads"`
	Samples   []Sample `json:"samples"`
	// WindowS is the length of the work window in seconds.
	WindowS          float64 `json:"window_s"`
	Items            int     `json:"items"`  // items answered in the window
	Tokens           int     `json:"tokens"` // their tokens
	WarmupS          float64 `json:"warmup_s"`
	WarmupInferences int     `json:"warmup_inferences"`
	// PeakRSSBytes is the greatest resident memory of the runner's process
	// (VmHWM) from the load of the model to the window's end.
	PeakRSSBytes int64 `json:"peak_rss_bytes"`
	// ModelBytes is the stored size of all weights in the model's files.
	ModelBytes int64 `json:"model_bytes"`
	// DenseMAC counts the multiply-accumulates that the window's tokens would
	// take with nothing skipped, ExecutedMAC those that were done.
	DenseMAC    uint64 `json:"dense_mac"`
	ExecutedMAC uint64 `json:"executed_mac"`
	// SkipRate is the share of gated decisions that skipped, in [0, 1].
	SkipRate float64 `json:"skip_rate"`
	// Work and Idle are when the windows were, on the clock that Time tells.
	Work Span   `json:"work"`
	Idle []Span `json:"idle,omitempty"`
	// Energy is nil where it is unavailable; EnergyReason then says why.
	Energy       *Energy     `json:"energy,omitempty"`
	EnergyReason string      `json:"energy_reason,omitempty"`
	Evidence     Evidence    `json:"evidence"`
	Env          Environment `json:"env"`
	// CPUProfile is the work window's profile in pprof's format, if asked for.
	CPUProfile []byte `json:"cpu_profile,omitempty"`
}

// Evidence is what a verdict was decided from: differences over the work window.
// A nil pointer means that the machine does not tell.
type Evidence struct {
	// OwnCPUS is the CPU time in seconds of the runner, ControllerCPUS that of
	// the controller and the other processes named in the request.
	OwnCPUS        float64 `json:"own_cpu_s"`
	ControllerCPUS float64 `json:"controller_cpu_s"`
	// ForeignCPU is the CPU time of all other processes and StealCPU that taken
	// by the hypervisor, both as shares of one core over the window.
	ForeignCPU *float64 `json:"foreign_cpu,omitempty"`
	StealCPU   *float64 `json:"steal_cpu,omitempty"`
	// PSICPU, PSIMemory (full) and PSIIO (full) are shares of the window.
	PSICPU    *float64 `json:"psi_cpu,omitempty"`
	PSIMemory *float64 `json:"psi_memory,omitempty"`
	PSIIO     *float64 `json:"psi_io,omitempty"`
	// FreqRel is the clock after the window relative to that before it, from a
	// chain of dependent additions; SpinNS is the faster one's time of a step.
	FreqRel *float64 `json:"freq_rel,omitempty"`
	SpinNS  float64  `json:"spin_ns,omitempty"`
	// ThrottleCount sums the thermal throttle counters' differences.
	ThrottleCount *int64 `json:"throttle_count,omitempty"`
	// Undervolts counts the sags of the supply in the window, and the alarms of
	// one that stood at either end.
	Undervolts *int64 `json:"undervolts,omitempty"`
	SwapPages  *int64 `json:"swap_pages,omitempty"`
	OOMKills   *int64 `json:"oom_kills,omitempty"`
	// TempBeforeC and TempAfterC are the hottest zone in °C.
	TempBeforeC *float64 `json:"temp_before_c,omitempty"`
	TempAfterC  *float64 `json:"temp_after_c,omitempty"`
	// Load1 is the load average before the trial.
	Load1 *float64 `json:"load1,omitempty"`
	// LatencyDrift is the fitted relative change of latency at the warm-up's end.
	LatencyDrift float64 `json:"latency_drift"`
	// CooledS is how long the trial waited for the board to cool before it began.
	CooledS float64 `json:"cooled_s,omitempty"`
	// Looks counts the looks at clocks, temperatures and supply in the window,
	// from which the following come.
	Looks  int     `json:"looks,omitempty"`
	Clocks []Clock `json:"clocks,omitempty"`
	// Cooling are the devices that slowed down CPU or GPU, with their highest state.
	Cooling []Cooling `json:"cooling,omitempty"`
	// OverCurrent are the alarms of a Jetson's current sensor that were raised at a look.
	OverCurrent []OverCurrent `json:"over_current,omitempty"`
	// Fans are those that tell their speed.
	Fans []Fan `json:"fans,omitempty"`
	// HottestC is the hottest zone in the window, °C.
	HottestC *float64 `json:"hottest_c,omitempty"`
	// ThrottleBits are a Raspberry Pi's bits of get_throttled: those that stood
	// at any look, and, shifted by 16, those that came to be set for good.
	ThrottleBits *uint32 `json:"throttle_bits,omitempty"`
	// SupplyV is the least voltage of the 5 V supply.
	SupplyV *float64 `json:"supply_v,omitempty"`
	// ThermalStatus is the higher of an Android phone's before and after the window:
	// 0 is none, 6 shutdown.
	ThermalStatus *int `json:"thermal_status,omitempty"`
	// SupplyChange names a change of the battery's state, such as
	// "Discharging to Charging".
	SupplyChange string `json:"supply_change,omitempty"`
	// ClockJumpS is how far the time of day jumped against the monotonic clock.
	ClockJumpS float64 `json:"clock_jump_s,omitempty"`
	// ReadGBS and PeakGOPS are what the machine could do right after the trial, on
	// as many threads: a linear read of memory in 10⁹ bytes/s, and products of small
	// integers in 10⁹ operations/s on the trial's kernel tier.
	ReadGBS  *float64 `json:"read_gb_s,omitempty"`
	PeakGOPS *float64 `json:"peak_gops,omitempty"`
}

// Clock is what a clock did in the window, kHz.
type Clock struct {
	Name     string  `json:"name"` // such as "policy0", "arm" (a Pi's firmware), "17000000.gpu"
	CPUs     string  `json:"cpus,omitempty"`
	Governor string  `json:"governor,omitempty"`
	MeanKHz  float64 `json:"mean_khz"`
	MinKHz   float64 `json:"min_khz"`
	// TargetKHz is the greatest clock allowed when the window began, CapKHz the
	// least that this fell to; 0 where nobody says.
	TargetKHz float64 `json:"target_khz,omitempty"`
	CapKHz    float64 `json:"cap_khz,omitempty"`
	// Low counts the looks at which the clock was below its target.
	Low   int `json:"low"`
	Looks int `json:"looks"`
	// Locked says that nothing but a cap can bring the clock below its target.
	Locked bool `json:"locked,omitempty"`
}

// Cooling is a device that slows something down to cool it.
type Cooling struct {
	Type  string `json:"type"`
	State int64  `json:"state"`
}

// OverCurrent is a rail whose current was above a limit, by which the board slows
// itself down.
type OverCurrent struct {
	Rail  string `json:"rail"`
	Limit string `json:"limit"` // "warning" or "critical"
	Looks int    `json:"looks"` // at which it had been
}

// Fan is the speed of a fan in the window, in turns a minute.
type Fan struct {
	Name   string `json:"name"`
	MinRPM int64  `json:"min_rpm"`
	MaxRPM int64  `json:"max_rpm"`
}

// Energy is the energy of the work window as one sensor saw it. Lo and Hi are
// the ends of 95 % intervals of the sensor's limits of error and of the
// integration; both 0 where the runner was older and gave none.
type Energy struct {
	Source    string `json:"source"`     // such as "rapl"
	Scope     string `json:"scope"`      // such as "SoC-package"
	TotalRule string `json:"total_rule"` // how the rails add up
	Simulated bool   `json:"simulated,omitempty"`
	// Settings are the sensor's own: averaging, conversion times, addresses.
	Settings map[string]string `json:"settings,omitempty"`
	Rails    []Rail            `json:"rails"`
	// GrossJ is the work window's energy, IdleW the mean power of the idle
	// windows, NetJ = GrossJ − IdleW·WindowS.
	GrossJ  float64 `json:"gross_j"`
	GrossLo float64 `json:"gross_lo_j,omitempty"`
	GrossHi float64 `json:"gross_hi_j,omitempty"`
	IdleW   float64 `json:"idle_w"`
	NetJ    float64 `json:"net_j"`
	NetLo   float64 `json:"net_lo_j,omitempty"`
	NetHi   float64 `json:"net_hi_j,omitempty"`
	WindowS float64 `json:"window_s"`
	// Readings counts the sensor's new readings in the window, of the rail that
	// has the fewest, and RateHz is their rate; Gaps counts those that came more
	// than three periods after the last.
	Readings int     `json:"readings"`
	RateHz   float64 `json:"rate_hz,omitempty"`
	Gaps     int     `json:"gaps"`
	PeriodS  float64 `json:"period_s"`
	// Saturated and Missing count values at the end of the sensor's range and
	// such that could not be read, of the rails in the total.
	Saturated int `json:"saturated,omitempty"`
	Missing   int `json:"missing,omitempty"`
	// Stale is the share of values that repeat the one before, StaleDue the
	// share that reading faster than the sensor converts explains.
	Stale    float64 `json:"stale,omitempty"`
	StaleDue float64 `json:"stale_due,omitempty"`
	// Concentration says how unevenly the readings fall within an inference, in
	// [0, 1]; Aliased that it is no chance, and the energy is of one part of it.
	Concentration float64 `json:"concentration,omitempty"`
	Aliased       bool    `json:"aliased,omitempty"`
	// SyncErrorS is the limit of error between the sensor's clock and the
	// window's, in seconds; 0 where one machine has both.
	SyncErrorS float64 `json:"sync_error_s,omitempty"`
	// SamplerCPU is the CPU time of the readings as a share of one core; nil
	// where the machine does not tell.
	SamplerCPU *float64 `json:"sampler_cpu,omitempty"`
	// ErrorRel is the half-width of the interval by the sensor's own limits
	// alone, relative to GrossJ; 0 = not stated by its maker.
	ErrorRel float64 `json:"error_rel,omitempty"`
}

// Rail is one measured supply over the work window.
type Rail struct {
	Name    string  `json:"name"`
	EnergyJ float64 `json:"energy_j"`
	Lo      float64 `json:"energy_lo_j,omitempty"`
	Hi      float64 `json:"energy_hi_j,omitempty"`
	InTotal bool    `json:"in_total"`
	// Missing says that the rail gave no reading in the window.
	Missing bool `json:"missing,omitempty"`
	// ShuntUOhm is the shunt's resistance in µΩ; 0 = there is none, or nobody says.
	ShuntUOhm float64 `json:"shunt_uohm,omitempty"`
	// MeanV is the mean voltage; 0 = the sensor does not tell.
	MeanV float64 `json:"mean_v,omitempty"`
}

// Estimate is a mean-like figure with its standard error over n independent
// texts; one text has no spread, its SE is 0.
type Estimate struct {
	Value float64 `json:"value"`
	SE    float64 `json:"se"`
	N     int     `json:"n"`
}

// EvalResult answers Evaluate. Slices by item are in the items' order.
type EvalResult struct {
	// Labels are the class names; Predictions and Truth index them. Without a
	// classifier all three are empty. Truth is −1 for an item with no label.
	Labels      []string `json:"labels,omitempty"`
	Predictions []int    `json:"predictions,omitempty"`
	Truth       []int    `json:"truth,omitempty"`
	// Perplexity is exp of the mean negative log-likelihood a token; TextNLL
	// (nats) and TextTokens give it for each text that was read.
	Perplexity *Estimate `json:"perplexity,omitempty"`
	TextNLL    []float64 `json:"text_nll,omitempty"`
	TextTokens []int     `json:"text_tokens,omitempty"`
	// KL is the mean divergence KL(reference ‖ model) in nats and Top1 the
	// share of equal first choices, of class distributions where the model has
	// a classifier, else of next-token distributions. ItemKL is by item.
	KL     *Estimate `json:"kl,omitempty"`
	Top1   *Estimate `json:"top1,omitempty"`
	ItemKL []float64 `json:"item_kl,omitempty"`
	// ReferenceKind is "class" or "token".
	ReferenceKind string  `json:"reference_kind,omitempty"`
	SkipRate      float64 `json:"skip_rate"`
	DenseMAC      uint64  `json:"dense_mac"`
	ExecutedMAC   uint64  `json:"executed_mac"`
	Items         int     `json:"items"`
	Tokens        int     `json:"tokens"`
	ElapsedS      float64 `json:"elapsed_s"`
}

// InfoResult answers Info.
type InfoResult struct {
	Env   Environment `json:"env"`
	Tiers []string    `json:"tiers"` // kernel tiers that this CPU can run
	// Energy names the energy sensor; empty means none, and then EnergyReason
	// says why and EnergyMend what would help.
	Energy       string `json:"energy,omitempty"`
	EnergyReason string `json:"energy_reason,omitempty"`
	EnergyMend   string `json:"energy_mend,omitempty"`
}

// Environment is the machine and the program behind a figure. Empty means unknown.
type Environment struct {
	Host        string  `json:"host,omitempty"`
	Board       string  `json:"board,omitempty"` // device-tree model or DMI product
	Kind        string  `json:"kind,omitempty"`  // such as "pi5"; "generic" is none of those known
	SoC         string  `json:"soc,omitempty"`
	OS          string  `json:"os"`
	Arch        string  `json:"arch"`
	Kernel      string  `json:"kernel,omitempty"`
	CPU         string  `json:"cpu,omitempty"`
	Cores       int     `json:"cores"`            // logical cores that are online
	Online      string  `json:"online,omitempty"` // which, as in 0-3,6
	MemoryBytes int64   `json:"memory_bytes,omitempty"`
	MemoryFree  int64   `json:"memory_free_bytes,omitempty"` // that programs could still take
	SwapUsed    int64   `json:"swap_used_bytes,omitempty"`
	Governor    string  `json:"governor,omitempty"`
	PowerMode   string  `json:"power_mode,omitempty"` // of a Jetson, by name
	L4T         string  `json:"l4t,omitempty"`        // version of a Jetson's Linux
	Features    string  `json:"features,omitempty"`   // arithmetic features of all cores, by blanks
	MaxKHz      int64   `json:"max_khz,omitempty"`    // greatest clock allowed of the fastest core
	Virtual     string  `json:"virtual,omitempty"`    // hypervisor or container
	BootID      string  `json:"boot_id,omitempty"`
	Load1       float64 `json:"load1,omitempty"`
	TempC       float64 `json:"temp_c,omitempty"` // hottest zone
	Tier        string  `json:"tier"`
	GoVersion   string  `json:"go_version"`
	ToolVersion string  `json:"tool_version"`
	Commit      string  `json:"commit,omitempty"`
}
