package wire

import "fmt"

// MaxFaults is how many attempts of one trial may end without a result. They do
// not count against the retries of invalid measurements.
const MaxFaults = 4

// Limits are what a valid trial must keep. A plan file may set them; they travel
// in the request. Shares of CPU time are of one core over the window.
type Limits struct {
	// ForeignCPU and StealCPU: the kernel counts CPU time in ticks of 10 ms by
	// sampling, so Ticks of them are allowed on top; a short window is judged
	// more mildly than a long one.
	ForeignCPU float64 `json:"foreign_cpu" yaml:"foreign_cpu"`
	StealCPU   float64 `json:"steal_cpu" yaml:"steal_cpu"`
	Ticks      float64 `json:"ticks" yaml:"ticks"`
	// PSICPU is the share of the window in which some task waited for a
	// processor. Own threads wait for each other where every core has a worker,
	// so it must be well above what a busy neighbour could hide in.
	PSICPU float64 `json:"psi_cpu" yaml:"psi_cpu"`
	// PSIMemory and PSIIO are shares in which all tasks stalled.
	PSIMemory float64 `json:"psi_memory" yaml:"psi_memory"`
	PSIIO     float64 `json:"psi_io" yaml:"psi_io"`
	// FreqRel is the least clock after the window relative to before, by a
	// chain of dependent additions.
	FreqRel float64 `json:"freq_rel" yaml:"freq_rel"`
	// FreqTarget is the share of the greatest clock allowed below which a look
	// at a steady clock counts as low, FreqLow the share of low looks allowed.
	FreqTarget float64 `json:"freq_target" yaml:"freq_target"`
	FreqLow    float64 `json:"freq_low" yaml:"freq_low"`
	// SupplyV is the least voltage of a board's 5 V supply.
	SupplyV float64 `json:"supply_v" yaml:"supply_v"`
	// StartTempC is the temperature below which a trial begins. 0 means 70 °C
	// on a known board and no limit elsewhere, a negative one no limit.
	StartTempC float64 `json:"start_temp_c" yaml:"start_temp_c"`
	// CoolLimitS is how long a trial waits for that, in seconds.
	CoolLimitS float64 `json:"cool_limit_s" yaml:"cool_limit_s"`
	// TempCPerMin is the greatest change of temperature, in °C a minute, at
	// the end of the warm-up before a window in which energy is read.
	TempCPerMin float64 `json:"temp_c_per_min" yaml:"temp_c_per_min"`
	// LoadPerCore is the greatest load average a core before a trial; 0 means
	// no limit, because the load of a sweep's last trial is still in it.
	LoadPerCore float64 `json:"load_per_core" yaml:"load_per_core"`
	// Readings is the least number of an energy sensor's readings in a window.
	Readings int `json:"readings" yaml:"readings"`
	// Stale is the greatest share of its values that repeat the one before,
	// beyond what reading faster than it converts explains.
	Stale float64 `json:"stale" yaml:"stale"`
	// SamplerCPU is the share of a core above which the readings' own cost is
	// worth a warning.
	SamplerCPU float64 `json:"sampler_cpu" yaml:"sampler_cpu"`
	// ClockJumpS is how far the time of day may jump in the window before a
	// warning, in seconds. Times are taken from a clock that does not.
	ClockJumpS float64 `json:"clock_jump_s" yaml:"clock_jump_s"`
}

// DefaultLimits are those of a long window in the field (foreign CPU 2 % of a
// core, no memory stall), and mild enough in a window of 0.5 s that the
// housekeeping of an idle machine passes.
func DefaultLimits() Limits {
	return Limits{
		ForeignCPU: 0.02, StealCPU: 0.02, Ticks: 4,
		PSICPU: 0.15, PSIMemory: 0.01, PSIIO: 0.05,
		FreqRel: 0.95, FreqTarget: 0.98, FreqLow: 0.02, SupplyV: 4.75,
		CoolLimitS: 120, TempCPerMin: 12, Readings: 30, Stale: 0.25, SamplerCPU: 0.02, ClockJumpS: 0.1,
	}
}

// Validate refuses limits that no trial can be judged by.
func (l Limits) Validate() error {
	for _, v := range []struct {
		name          string
		value, lo, hi float64
	}{
		{"foreign_cpu", l.ForeignCPU, 0, 1024},
		{"steal_cpu", l.StealCPU, 0, 1024},
		{"ticks", l.Ticks, 0, 1000},
		{"psi_cpu", l.PSICPU, 0, 1},
		{"psi_memory", l.PSIMemory, 0, 1},
		{"psi_io", l.PSIIO, 0, 1},
		{"freq_rel", l.FreqRel, 0, 1},
		{"freq_target", l.FreqTarget, 0, 1},
		{"freq_low", l.FreqLow, 0, 1},
		{"supply_v", l.SupplyV, 0, 100},
		{"start_temp_c", l.StartTempC, -1000, 150},
		{"cool_limit_s", l.CoolLimitS, 0, 3600},
		{"temp_c_per_min", l.TempCPerMin, 0.1, 1000},
		{"load_per_core", l.LoadPerCore, 0, 1000},
		{"readings", float64(l.Readings), 0, 1e6},
		{"stale", l.Stale, 0, 1},
		{"sampler_cpu", l.SamplerCPU, 0, 1},
		{"clock_jump_s", l.ClockJumpS, 0, 1e9},
	} {
		if !(v.value >= v.lo && v.value <= v.hi) {
			return fmt.Errorf("limit %s is %g: use %g to %g", v.name, v.value, v.lo, v.hi)
		}
	}
	return nil
}
