package board

import (
	"path/filepath"
	"slices"
	"strings"
)

// Policy is a group of CPUs with one clock (Documentation/admin-guide/pm/cpufreq.rst).
// Clocks are in kHz, 0 where the kernel does not tell.
type Policy struct {
	Name     string   `json:"name"` // such as "policy4"
	CPUs     string   `json:"cpus"`
	Driver   string   `json:"driver,omitempty"`
	Governor string   `json:"governor,omitempty"`
	Choices  []string `json:"governors,omitempty"` // governors that can be chosen
	CurKHz   int64    `json:"cur_khz,omitempty"`
	MinKHz   int64    `json:"min_khz,omitempty"` // least and greatest that are allowed now
	MaxKHz   int64    `json:"max_khz,omitempty"`
	TopKHz   int64    `json:"top_khz,omitempty"` // what the hardware can do
}

// turboDrivers run clocks that depend on load, temperature and the number of
// busy cores; such a clock below its greatest tells nothing.
var turboDrivers = []string{"intel_pstate", "intel_cpufreq", "acpi-cpufreq", "amd-pstate", "amd-pstate-epp", "pcc-cpufreq"}

// Steady says whether the clock stays at MaxKHz under load unless something caps it.
func (p Policy) Steady() bool {
	return p.MaxKHz > 0 && p.Driver != "" && !slices.Contains(turboDrivers, p.Driver)
}

// Locked says whether the clock stays at MaxKHz without load too.
func (p Policy) Locked() bool {
	return p.Steady() && (p.Governor == "performance" || p.MinKHz == p.MaxKHz)
}

const policyDirs = "sys/devices/system/cpu/cpufreq/policy*"

// Policies lists the machine's clocks.
func (s Source) Policies() []Policy {
	var out []Policy
	for _, dir := range s.glob(policyDirs) {
		p := Policy{
			Name: filepath.Base(dir), Driver: s.text(dir, "scaling_driver"), Governor: s.text(dir, "scaling_governor"),
			Choices: strings.Fields(s.text(dir, "scaling_available_governors")),
			CurKHz:  s.khz(dir, "scaling_cur_freq"), MinKHz: s.khz(dir, "scaling_min_freq"),
			MaxKHz: s.khz(dir, "scaling_max_freq"), TopKHz: s.khz(dir, "cpuinfo_max_freq"),
		}
		// The kernel writes these CPUs with blanks between.
		if cpus, err := ParseCPUList(strings.Join(strings.Fields(s.text(dir, "related_cpus")), ",")); err == nil {
			p.CPUs = FormatCPUList(cpus)
		}
		out = append(out, p)
	}
	return out
}

func (s Source) khz(elem ...string) int64 {
	if n := s.number(elem...); n != nil && *n > 0 {
		return *n
	}
	return 0
}

// Now reads the clock of p again, and the greatest that is allowed.
func (s Source) Now(p Policy) (curKHz, maxKHz int64) {
	dir := filepath.Join(filepath.Dir(policyDirs), p.Name)
	return s.khz(dir, "scaling_cur_freq"), s.khz(dir, "scaling_max_freq")
}

// governors lists the distinct governors, comma separated.
func governors(policies []Policy) string {
	var names []string
	for _, p := range policies {
		if p.Governor != "" && !slices.Contains(names, p.Governor) {
			names = append(names, p.Governor)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// Device is a clock beside the CPU's: the GPU's, or that of the memory.
type Device struct {
	Name  string `json:"name"`
	CurHz int64  `json:"cur_hz"`
	MinHz int64  `json:"min_hz,omitempty"` // least and greatest that are allowed now
	MaxHz int64  `json:"max_hz,omitempty"`
	// Locked says whether a Jetson's memory clock is held; nil where nobody tells.
	Locked *bool `json:"locked,omitempty"`
	path   string
}

// devfreqs are the names, in the device tree or in sysfs, of clocks worth
// reading: GPUs of Jetson and Adreno, and the memory's.
var devfreqs = []string{"gpu", "ga10b", "gv11b", "gp10b", "emc", "ddr", "bwmon", "memory"}

// The memory clock of a Jetson, rate, min_rate and max_rate in Hz, and whether it is held
// (jetson_clocks does), mrq_rate_locked; root only.
const (
	emc     = "emc"
	emcPath = "sys/kernel/debug/bpmp/debug/clk/emc"
)

// Devices lists the GPU's and the memory's clocks that can be read.
func (s Source) Devices() []Device {
	var out []Device
	add := func(name, cur, low, top string) {
		if n := s.number(cur); n != nil && *n >= 0 {
			d := Device{Name: name, CurHz: *n, path: cur}
			d.MinHz, d.MaxHz = s.khz(low), s.khz(top)
			out = append(out, d)
		}
	}
	for _, dir := range s.glob("sys/class/devfreq/*") {
		name := filepath.Base(dir)
		if node := s.text(dir, "device/of_node/name"); node != "" && !strings.Contains(name, node) {
			name += " (" + node + ")"
		}
		if slices.ContainsFunc(devfreqs, func(part string) bool { return strings.Contains(name, part) }) {
			add(name, filepath.Join(dir, "cur_freq"), filepath.Join(dir, "min_freq"), filepath.Join(dir, "max_freq"))
		}
	}
	add("kgsl-3d0", "sys/class/kgsl/kgsl-3d0/gpuclk", "", "sys/class/kgsl/kgsl-3d0/max_gpuclk")
	before := len(out)
	add(emc, emcPath+"/rate", emcPath+"/min_rate", emcPath+"/max_rate")
	if held := s.number(emcPath, "mrq_rate_locked"); held != nil && len(out) > before {
		locked := *held != 0
		out[before].Locked = &locked
	}
	return out
}

// Hz reads the clock of d again; 0 where it does not answer.
func (s Source) Hz(d Device) int64 { return s.khz(d.path) }
