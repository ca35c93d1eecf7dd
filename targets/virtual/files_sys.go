package virtual

import (
	"fmt"
	"math"
	"strings"
)

const (
	cpuDir     = "sys/devices/system/cpu/"
	thermalDir = "sys/class/thermal/"
	hwmonDir   = "sys/class/hwmon/"
	// coolingSteps is max_state of a cooling device.
	coolingSteps = 10
)

// sys writes the parts of /sys that do not change, and opens those that the
// board's user may change.
func (f *files) sys() error {
	texts := map[string]string{}
	all := fmt.Sprintf("0-%d\n", f.spec.cores()-1)
	for _, name := range []string{"online", "possible", "present"} {
		texts[cpuDir+name] = all
	}
	first := 0
	for i, c := range f.spec.clusters {
		policy := policyDir(first)
		var related []string
		for k := range c.cores {
			cpu := fmt.Sprintf("%scpu%d/", cpuDir, first+k)
			related = append(related, fmt.Sprint(first+k))
			texts[cpu+"cpu_capacity"] = fmt.Sprintln(c.capacity)
			texts[cpu+"topology/cluster_id"] = fmt.Sprintln(i)
			texts[cpu+"topology/core_id"] = fmt.Sprintln(k)
			texts[cpu+"topology/physical_package_id"] = "0\n"
			if err := f.link(cpu+"cpufreq", strings.TrimSuffix(policy, "/")); err != nil {
				return err
			}
		}
		texts[policy+"related_cpus"] = strings.Join(related, " ") + "\n"
		texts[policy+"affected_cpus"] = texts[policy+"related_cpus"]
		texts[policy+"cpuinfo_min_freq"] = fmt.Sprintln(c.minKHz)
		texts[policy+"cpuinfo_max_freq"] = fmt.Sprintln(c.maxKHz)
		texts[policy+"scaling_min_freq"] = fmt.Sprintln(c.minKHz)
		texts[policy+"scaling_available_governors"] = "performance powersave schedutil ondemand\n"
		texts[policy+"scaling_driver"] = "cpufreq-dt\n"
		if err := f.open(policy+"scaling_governor", "performance\n"); err != nil {
			return err
		}
		first += c.cores
	}
	for i, zone := range f.spec.zones {
		texts[fmt.Sprintf("%sthermal_zone%d/type", thermalDir, i)] = zone + "\n"
	}
	for i, device := range f.coolers() {
		dir := fmt.Sprintf("%scooling_device%d/", thermalDir, i)
		texts[dir+"type"], texts[dir+"max_state"] = device+"\n", fmt.Sprintln(coolingSteps)
	}
	for name, text := range texts {
		if err := f.set(name, text); err != nil {
			return err
		}
	}
	return f.sensors()
}

func policyDir(first int) string { return fmt.Sprintf("%scpufreq/policy%d/", cpuDir, first) }

// coolers are the cooling devices; a fan caps nothing and comes last.
func (f *files) coolers() []string {
	if f.spec.kind == "pi5" {
		return append(f.spec.cooling[:len(f.spec.cooling):len(f.spec.cooling)], "pwm-fan")
	}
	return f.spec.cooling
}

// liveSys writes the parts of /sys that change.
func (f *files) liveSys(m *model) error {
	for i := range f.spec.zones {
		// The first zone is the hottest; the others lie a little below it.
		c := m.tempC - 0.7*float64(i)
		if strings.HasPrefix(f.spec.zones[i], "tj") {
			c = m.tempC // the greatest of all
		}
		// A thermal sensor's step is some tenths of a degree.
		if err := f.setInt(fmt.Sprintf("%sthermal_zone%d/temp", thermalDir, i), milli(quantize(c, 0.25))); err != nil {
			return err
		}
	}
	state := int64(math.Round((1 - m.capped) / (1 - leastClock) * coolingSteps))
	for i := range f.coolers() {
		s := state
		if i >= len(f.spec.cooling) { // the fan
			s = int64(min(4, max(0, (m.tempC-45)/5)))
		}
		if err := f.setInt(fmt.Sprintf("%scooling_device%d/cur_state", thermalDir, i), s); err != nil {
			return err
		}
	}
	first := 0
	for _, c := range f.spec.clusters {
		// A Pi's firmware caps the clock behind the kernel's back.
		most, now := m.mode*m.capped, m.clock
		if f.firmwareCaps() {
			most, now = m.mode, m.mode*m.governed()
		}
		dir := policyDir(first)
		if err := f.setInt(dir+"scaling_max_freq", int64(float64(c.maxKHz)*most)); err != nil {
			return err
		}
		if err := f.setInt(dir+"scaling_cur_freq", max(int64(c.minKHz), int64(float64(c.maxKHz)*now))); err != nil {
			return err
		}
		first += c.cores
	}
	return f.liveSensors(m)
}

func (f *files) firmwareCaps() bool { return f.spec.kind == "pi5" || f.spec.kind == "pi4" }
