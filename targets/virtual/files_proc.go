package virtual

import (
	"fmt"
	"math"
	"strings"
)

// userHZ is the unit of CPU times in /proc (proc(5)), 1/s.
const userHZ = 100

// files writes what a board's kernel and firmware show.
type files struct {
	*tree
	spec  spec
	gauge struct { // the fuel gauge: its last answer and when it made it
		at          float64
		volts, amps float64
		usedC       float64 // charge taken, C
	}
}

// proc writes the parts of /proc that do not change while the board runs.
func (f *files) proc() error {
	var cpus strings.Builder
	n := 0
	for _, c := range f.spec.clusters {
		for range c.cores {
			fmt.Fprintf(&cpus, "processor\t: %d\nBogoMIPS\t: 54.00\nFeatures\t: %s\nCPU implementer\t: 0x%02x\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: 0x%03x\nCPU revision\t: 0\n\n", n, c.features, c.implementer, c.part)
			n++
		}
	}
	texts := map[string]string{
		"proc/cpuinfo":              cpus.String() + f.spec.revision,
		"proc/cmdline":              "console=ttyS0 root=/dev/virtual rootwait psi=1\n",
		"proc/sys/kernel/osrelease": f.spec.kernel + "\n",
		"proc/version":              "Linux version " + f.spec.kernel + " (virtual board) aarch64\n",
		"proc/swaps":                "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
	}
	for _, base := range []string{"proc/device-tree", "sys/firmware/devicetree/base"} {
		texts[base+"/model"] = f.spec.model + "\x00"
		texts[base+"/compatible"] = strings.Join(f.spec.compatible, "\x00") + "\x00"
		texts[base+"/serial-number"] = "virtual\x00"
		if f.spec.kind == "pi5" {
			texts[base+"/chosen/power/max_current"] = "\x00\x00\x13\x88" // 5000 mA, big endian
		}
	}
	for name, text := range texts {
		if err := f.set(name, text); err != nil {
			return err
		}
	}
	return nil
}

// liveProc writes the parts of /proc that change. Only the board's own
// processes count; resident is their memory in bytes.
func (f *files) liveProc(m *model, resident int64, processes int) error {
	cores := float64(f.spec.cores())
	busy := int64(m.busyS * userHZ)
	idle := max(0, int64(m.seconds*userHZ*cores)-busy)
	var stat strings.Builder
	fmt.Fprintf(&stat, "cpu  %d 0 0 %d 0 0 0 0 0 0\n", busy, idle)
	for i := range f.spec.cores() {
		fmt.Fprintf(&stat, "cpu%d %d 0 0 %d 0 0 0 0 0 0\n", i, share(busy, i, f.spec.cores()), share(idle, i, f.spec.cores()))
	}
	fmt.Fprintf(&stat, "intr 0\nctxt 0\nbtime %d\nprocesses %d\nprocs_running 1\nprocs_blocked 0\n", m.btime, processes)
	total := f.spec.memory >> 10
	free := max(0, total*15/16-resident>>10)
	stalled := int64(m.stalledS * 1e6)
	load := m.load * cores
	for name, text := range map[string]string{
		"proc/stat":    stat.String(),
		"proc/uptime":  fmt.Sprintf("%d.00 %d.00\n", int64(m.seconds), idle/userHZ),
		"proc/loadavg": fmt.Sprintf("%.2f %.2f %.2f 1/%d 100\n", load, load, load, processes),
		"proc/meminfo": fmt.Sprintf("MemTotal: %15d kB\nMemFree: %16d kB\nMemAvailable: %11d kB\nBuffers: %16d kB\nCached: %17d kB\nSwapTotal: %14d kB\nSwapFree: %15d kB\n",
			total, free, free, 0, 0, 0, 0),
		"proc/vmstat":                    fmt.Sprintf("nr_free_pages %d\npswpin 0\npswpout 0\noom_kill %d\n", free/4, m.oomKills),
		"proc/pressure/cpu":              pressure(stalled) + full(0),
		"proc/pressure/memory":           pressure(0) + full(0),
		"proc/pressure/io":               pressure(0) + full(0),
		"proc/sys/kernel/random/boot_id": m.bootID + "\n",
	} {
		if err := f.set(name, text); err != nil {
			return err
		}
	}
	return nil
}

func pressure(us int64) string {
	return fmt.Sprintf("some avg10=0.00 avg60=0.00 avg300=0.00 total=%d\n", us)
}

func full(us int64) string {
	return fmt.Sprintf("full avg10=0.00 avg60=0.00 avg300=0.00 total=%d\n", us)
}

// share is part i of n of a whole, such that the parts add up to it.
func share(whole int64, i, n int) int64 {
	return whole*int64(i+1)/int64(n) - whole*int64(i)/int64(n)
}

// liveFirmware writes what vcgencmd, dumpsys and their like print.
func (f *files) liveFirmware(m *model) error {
	switch f.spec.kind {
	case "pi5", "pi4":
		hz := float64(f.spec.clusters[0].maxKHz) * 1000 * m.clock
		for name, text := range map[string]string{
			throttledFile:    fmt.Sprintf("%x\n", m.bits|m.sticky<<16),
			"run/throttled":  fmt.Sprintf("throttled=0x%x\n", m.bits|m.sticky<<16),
			"run/temp":       fmt.Sprintf("temp=%.1f'C\n", m.tempC),
			"run/clock_arm":  fmt.Sprintf("frequency(0)=%d\n", int64(hz)),
			"run/volts_core": fmt.Sprintf("volt=%.4fV\n", 0.72+0.16*m.clock),
		} {
			if err := f.set(name, text); err != nil {
				return err
			}
		}
	}
	if f.spec.sensor == sensorPMIC {
		return f.set(pmicFile, pmicText(m))
	}
	return nil
}

// throttledFile is where the Pi's kernel tells the same bits.
const throttledFile = "sys/devices/platform/soc/soc:firmware/get_throttled"

// pmicFile is what vcgencmd pmic_read_adc prints.
const pmicFile = "run/pmic"

// pmicChannels are the ADC's channels of current and voltage, in the order of
// the rails of spec pi5.
var pmicChannels = [][2]int{{0, 8}, {1, 9}, {2, 10}, {3, 11}, {4, 12}, {5, 13}, {6, 14}, {7, 15}, {17, 20}, {18, 21}, {16, 19}, {22, 23}}

func pmicText(m *model) string {
	var currents, volts strings.Builder
	for i, r := range m.spec.rails {
		v, a := m.reading(i, 0, 0)
		fmt.Fprintf(&currents, "%14s current(%d)=%.8fA\n", r.name+"_A", pmicChannels[i][0], a)
		fmt.Fprintf(&volts, "%14s volt(%d)=%.8fV\n", r.name+"_V", pmicChannels[i][1], v)
	}
	fmt.Fprintf(&volts, "%14s volt(24)=%.8fV\n%14s volt(25)=%.8fV\n", "EXT5V_V", m.inputV, "BATT_V", 3.0)
	return currents.String() + volts.String()
}

// milli rounds to thousandths, as sysfs counts.
func milli(v float64) int64 { return int64(math.Round(v * 1000)) }
