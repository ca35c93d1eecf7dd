package board

import (
	"fmt"
	"strings"
)

// Severity says how bad a finding is.
type Severity string

// The severities, the gravest first.
const (
	Bad  Severity = "bad"  // measurements will be wrong or refused
	Warn Severity = "warn" // measurements may be refused, or spread
	Note Severity = "note" // less is known than could be
)

// Finding is something that makes measurements bad on a board.
type Finding struct {
	Severity Severity `json:"severity"`
	What     string   `json:"what"`
	Evidence string   `json:"evidence"` // what was read, with its unit
	Mend     string   `json:"mend"`     // a command for the board, or what to do
}

// Want is what the user wishes of a board.
type Want struct {
	PowerMode string // name or number of a Jetson's power mode; empty = any
	Governor  string // of all CPUs; empty = any
	Fan       string // auto, max or a duty as in 50%; empty = any
	Kind      Kind   // of board; empty = any
	// External says that another machine measures this one's power.
	External bool
}

// What an idle board should keep.
const (
	idleCPU   = 0.05 // share of a core that others take
	idleSteal = 0.02
	idleC     = 70   // °C
	idleLoad  = 0.2  // load average a core
	phoneLow  = 30   // % of charge
	pi5Supply = 5000 // mA
)

// Diagnose judges the facts of a board, the gravest findings first.
func Diagnose(f Facts, w Want) []Finding {
	var d diagnosis
	d.identity(f, w)
	d.clocks(f, w)
	d.wishes(f, w)
	d.supply(f)
	d.heat(f)
	d.neighbours(f)
	d.kernel(f)
	d.sensors(f, w)
	var out []Finding
	for _, s := range []Severity{Bad, Warn, Note} {
		for _, finding := range d {
			if finding.Severity == s {
				out = append(out, finding)
			}
		}
	}
	return out
}

type diagnosis []Finding

func (d *diagnosis) add(s Severity, what, mend, evidence string, args ...any) {
	*d = append(*d, Finding{Severity: s, What: what, Mend: mend, Evidence: fmt.Sprintf(evidence, args...)})
}

// clocks looks at what decides the speed: governors, limits and the power mode.
func (d *diagnosis) clocks(f Facts, w Want) {
	var loose []string
	for _, p := range f.Policies {
		if !p.Steady() {
			continue
		}
		if !p.Locked() {
			loose = append(loose, fmt.Sprintf("governor %s of %s (CPUs %s), %d to %d MHz", p.Governor, p.Name, p.CPUs, p.MinKHz/1000, p.MaxKHz/1000))
		}
		// A Jetson's power mode limits the clock, which is what it is for.
		if p.TopKHz > p.MaxKHz && !f.Kind.Jetson() {
			d.add(Warn, "the clock is limited below what the hardware can do",
				fmt.Sprintf("echo %d | sudo tee /sys/devices/system/cpu/cpufreq/%s/scaling_max_freq", p.TopKHz, p.Name),
				"%s: %d of %d MHz", p.Name, p.MaxKHz/1000, p.TopKHz/1000)
		}
	}
	if len(loose) > 0 {
		d.add(Warn, "the clock follows the load", "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor", "%s", strings.Join(loose, "; "))
	}
	if w.PowerMode != "" && !f.InMode(w.PowerMode) {
		is := f.PowerMode
		if is == "" {
			is = "not known"
		}
		mend := fmt.Sprintf("this board has no power mode %q: ask for %s", w.PowerMode, modeNames(f.PowerModes))
		if m, ok := findMode(f.PowerModes, w.PowerMode); ok {
			mend = fmt.Sprintf("sudo nvpmodel -m %d", m.ID)
		}
		d.add(Bad, "the power mode is not as wanted", mend, "%s, wanted is %s", is, w.PowerMode)
	}
	if f.Kind.Jetson() {
		d.memoryClock(f)
	}
	if f.Kind.Jetson() && f.PowerMode == "" {
		d.add(Note, "the power mode is not known", "sudo nvpmodel -q", "neither %s nor nvpmodel -q tells", "/"+modeStatus)
	}
}

// memoryClock looks whether a Jetson's memory clock is held: decoding is as fast as
// the memory, whose clock else comes up some way into the work. Where only root may
// know, the GPU's clock tells whether jetson_clocks was run, which holds both.
func (d *diagnosis) memoryClock(f Facts) {
	const mend = "sudo jetson_clocks"
	for _, v := range f.Devices {
		if v.Name == emc && v.Locked != nil {
			if !*v.Locked {
				d.add(Warn, "the memory clock follows the load", mend, "emc at %d of %d MHz, mrq_rate_locked is 0", v.CurHz/1e6, v.MaxHz/1e6)
			}
			return
		}
	}
	for _, v := range f.Devices {
		if v.Name != emc && v.MinHz > 0 && v.MinHz < v.MaxHz {
			d.add(Note, "the memory clock follows the load, it seems", mend,
				"only root may read it; jetson_clocks would hold %s too, which may go from %d to %d MHz", v.Name, v.MinHz/1e6, v.MaxHz/1e6)
			return
		}
	}
}

// supply looks at the board's feed and battery.
func (d *diagnosis) supply(f Facts) {
	if p := f.Firmware; p != nil {
		switch t := p.Throttle; {
		case t == nil:
			d.add(Warn, "the firmware does not tell of throttling", "sudo apt install raspberrypi-utils; sudo usermod -aG video $USER", "%s", p.Reason)
		case t.Now()&UnderVoltage != 0:
			d.add(Bad, "the supply is too weak now", "use the board's own supply and a short cable", "get_throttled 0x%x: under-voltage", uint32(*t))
		case t.Now() != 0:
			d.add(Bad, "the firmware slows the board down now", "cool the board; see its temperature", "get_throttled 0x%x: %s", uint32(*t), t.Now())
		case t.Since() != 0:
			mend := "cool the board, then reboot it to clear the bits"
			if t.Since()&UnderVoltage != 0 {
				mend = "use the board's own supply and a short cable, then reboot to clear the bits"
			}
			d.add(Warn, "the board was slowed down since its boot", mend, "get_throttled 0x%x: %s", uint32(*t), t.Since())
		}
		if f.Kind == Pi5 && p.SupplyMA > 0 && p.SupplyMA < pi5Supply {
			d.add(Warn, "the supply promises less than a Pi 5 may take", "use a 5 V 5 A supply", "%d of %d mA", p.SupplyMA, pi5Supply)
		}
	}
	b := f.Battery
	if b == nil || f.Kind != Phone && f.Kind != Generic {
		return // boards on a brick show batteries that are not there
	}
	if f.Kind == Phone && !b.Discharging() {
		d.add(Bad, "the battery is charging, so that its current is not the load's", "unplug the phone and reach it over Wi-Fi (adb tcpip 5555, or ssh)", "status %s", b.Status)
	}
	if f.Kind == Phone && b.Percent != nil && *b.Percent < phoneLow {
		d.add(Warn, "a low battery caps the clock", "charge it to 30 to 80 % and unplug it", "%d %%", *b.Percent)
	}
	if f.Kind == Generic && b.Discharging() {
		d.add(Warn, "the machine runs on its battery, which may cap the clock", "plug it in", "status %s", b.Status)
	}
}

// heat looks at temperatures and at what cools by slowing down.
func (d *diagnosis) heat(f Facts) {
	if f.TempC != nil && *f.TempC >= idleC {
		d.add(Warn, "the board is hot before it has work", "let it cool, or give it a fan or a heat sink", "%.1f °C, a start is best below %d °C", *f.TempC, idleC)
	}
	for _, c := range f.Coolings {
		if c.Caps() && c.State > 0 {
			d.add(Bad, "a cooling device slows the board down now", "cool the board", "%s is at %d of %d", c.Type, c.State, c.Max)
		}
	}
	if s := f.ThermalStatus; s != nil && *s > 0 {
		d.add(Bad, "Android slows the phone down for its heat", "let it cool", "thermal status %d of 6", *s)
	}
}

// neighbours looks at who else uses the processor and the memory.
func (d *diagnosis) neighbours(f Facts) {
	if b := f.Background; b != nil {
		if b.CPU != nil && *b.CPU > idleCPU {
			var who []string
			mend := "no process takes much by itself: wait until the machine is idle, and see top for what is left"
			for i, p := range b.Busiest {
				who = append(who, fmt.Sprintf("%s (pid %d) %.0f %%", p.Name, p.PID, 100*p.CPU))
				// A few per cent may be anybody's housekeeping: only who would be too
				// much alone, or is most of it, is to be stopped.
				if i == 0 && (p.CPU > idleCPU || p.CPU > *b.CPU/2) {
					mend = fmt.Sprintf("stop %s: kill %d, or its service", p.Name, p.PID)
				}
			}
			d.add(Warn, "others use the processor", mend, "%.0f %% of a core over %.0f s: %s", 100**b.CPU, b.Seconds, strings.Join(who, ", "))
		}
		if b.Steal != nil && *b.Steal > idleSteal {
			d.add(Warn, "the hypervisor takes processor time away", "use a machine of your own, or a dedicated one", "%.1f %% of a core", 100**b.Steal)
		}
		if b.SwapPages != nil && *b.SwapPages > 0 {
			d.add(Bad, "the machine is swapping", "stop what fills the memory: ps -eo pid,rss,comm --sort -rss", "%d pages in %.0f s", *b.SwapPages, b.Seconds)
		}
	} else if f.Load1 != nil && f.Cores > 0 && *f.Load1 > idleLoad*float64(f.Cores) {
		d.add(Warn, "the machine was busy over the last minute", "wait, or stop what runs: top", "load %.2f on %d cores", *f.Load1, f.Cores)
	}
	if f.SwapUsed > 0 {
		d.add(Note, "swap is in use", "sudo swapoff -a", "%.0f MiB", float64(f.SwapUsed)/(1<<20))
	}
	// An app in the background may run on the little cores only.
	allowed, err1 := ParseCPUList(f.AllowedCPUs)
	online, err2 := ParseCPUList(f.Online)
	// An emulated board tells its own cores and this machine's permission.
	if err1 == nil && err2 == nil && len(allowed) > 0 && len(allowed) < len(online) && f.Virtual != Emulated {
		mend := "start the session without a cpuset: taskset -p 0xffffffff $$"
		if f.Kind == Phone {
			mend = "bring Termux to the foreground and take termux-wake-lock, or use adb"
		}
		d.add(Bad, "this session may not use all cores", mend, "CPUs %s of %s", f.AllowedCPUs, f.Online)
	}
}

// kernel looks at what the kernel does not tell.
func (d *diagnosis) kernel(f Facts) {
	switch {
	case f.PSI || f.OS != "linux":
	case f.PSIOff:
		d.add(Note, "the kernel was started with psi=0: waiting for the processor goes unseen", "remove psi=0 from the kernel's command line and reboot", "/proc/cmdline")
	case f.Kind.Pi():
		d.add(Note, "the kernel tells no pressure: waiting for the processor goes unseen",
			"sudo sed -i 's/$/ psi=1/' /boot/firmware/cmdline.txt, then reboot", "no /proc/pressure/cpu")
	case f.Kind.Jetson():
		d.add(Note, "the kernel tells no pressure: waiting for the processor goes unseen",
			"add psi=1 to APPEND in /boot/extlinux/extlinux.conf, then reboot", "no /proc/pressure/cpu")
	case f.Kind == Phone:
		d.add(Note, "pressure cannot be read: waiting for the processor goes unseen", "use adb, whose user may read it", "no /proc/pressure/cpu")
	default:
		d.add(Note, "the kernel tells no pressure: waiting for the processor goes unseen", "start the kernel with psi=1", "no /proc/pressure/cpu")
	}
}

// sensors looks at how power is measured.
func (d *diagnosis) sensors(f Facts, w Want) {
	var wrong []string
	for _, s := range f.Shunts {
		if s.UOhm != s.WantUOhm {
			wrong = append(wrong, fmt.Sprintf("%s: %d µΩ, this module has %d µΩ", s.Rail, s.UOhm, s.WantUOhm))
		}
	}
	if len(wrong) > 0 {
		d.add(Bad, "the kernel has a wrong shunt, so that currents are wrong by its factor",
			"correct shunt-resistor-micro-ohms in the device tree, or name the shunts in the inventory", "%s", strings.Join(wrong, "; "))
	}
	for _, a := range f.Access {
		if a.OK {
			continue
		}
		group := a.Group
		if group == "" || group == "root" {
			group = "i2c"
			if strings.HasSuffix(a.Path, "vcio") {
				group = "video"
			}
		}
		d.add(Note, "this user may not use "+a.Path, "sudo usermod -aG "+group+" $USER, then log in again", "opening it was refused")
	}
	if w.External || len(f.Sensors) == 0 {
		return
	}
	best := f.Sensors[0]
	if !best.Usable && len(wrong) == 0 { // a wrong shunt is why, and was said
		what := "there is no energy sensor"
		if best.Source != "" {
			what = "the energy sensor cannot be used"
		}
		d.add(Note, what, sensorMend(f.Kind, best.Mend), "%s", best.Why)
	}
	for _, text := range best.Warnings {
		d.add(Warn, "the energy sensor is doubtful", "see the evidence, or describe the sensor in the inventory", "%s: %s", best.Source, text)
	}
}

// sensorMend says how to measure a kind's power where it has no sensor of its own.
func sensorMend(kind Kind, told string) string {
	switch kind {
	case Pi4, Pi3:
		return "put an INA226 with a shunt of at most 20 mΩ into the 5 V feed, wired to the controller, and name it in the inventory"
	case RB3Gen2, RB5:
		return "put an INA226 into the 12 V lead, wired to the controller, and name it in the inventory"
	}
	if told == "" {
		return "name an external meter in the inventory"
	}
	return told
}
