package measure

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a kernel says in another form must be unknown, not a wrong number.
func TestReadingsThatAreNoReadings(t *testing.T) {
	type readings struct {
		Busy, Steal, PSI, Load           *float64
		Throttles, Undervolts, Swaps, OM *int64
		CPU                              float64
		Peak                             int64
	}
	tests := []struct {
		name  string
		files map[string]string
		want  readings
	}{
		{name: "nothing"},
		{name: "empty files", files: map[string]string{
			"proc/stat": "", "proc/pressure/cpu": "", "proc/vmstat": "", "proc/42/stat": "", "proc/loadavg": "", "proc/self/status": "",
			"sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "",
		}},
		{name: "other words", files: map[string]string{
			"proc/stat": "cpu a b c d e f g h\n", "proc/pressure/cpu": "some total=x\n", "proc/vmstat": "pswpin x\noom_kill\n",
			"proc/42/stat": "42 (x) S 1\n", "proc/loadavg": "x y\n", "proc/self/status": "VmHWM: many kB\n",
			"sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "x\n",
		}},
		{name: "a kernel before steal time", files: map[string]string{"proc/stat": "cpu 1 2 3 4 5 6\n"}},
		{
			name: "numbers",
			files: map[string]string{
				// guest time (the 9th) is part of user time
				"proc/stat": "cpu  100 20 3 9999 9999 5 6 70 50 0\n", "proc/pressure/cpu": "some avg10=1.00 total=1500000\n",
				"proc/vmstat": "pswpin 3\npswpout 4\noom_kill 2\n", "proc/loadavg": "0.50 1 1 1/1 1\n",
				"proc/42/stat": "42 (ev) il (x) S 1 1 1 0 -1 0 0 0 0 0 250 50 7 7\n", "proc/self/status": "VmPeak:\t9 kB\nVmHWM:\t    12 kB\n",
				"sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "1\n",
				"sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "2\n",
				"sys/class/hwmon/hwmon0/oc2_event_cnt":                             "4\n",
				"sys/class/hwmon/hwmon0/oc1_event_cnt":                             "8\n",
			},
			want: readings{
				Busy: ptr(1.34), Steal: ptr(0.7), PSI: ptr(1.5), Load: ptr(0.5), CPU: 3, Peak: 12 << 10,
				Throttles: ptr(int64(7)), Undervolts: ptr(int64(8)), Swaps: ptr(int64(7)), OM: ptr(int64(2)),
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := tree(t, tt.files)
			var got readings
			got.Busy, got.Steal = m.cpuTotals()
			got.PSI, got.Load = m.pressure("cpu", "some"), m.load1()
			got.Throttles = m.throttles()
			got.Undervolts, _ = m.undervolts()
			got.Swaps, got.OM = m.memoryEvents()
			got.CPU, got.Peak = m.cpuTime(42), m.peakRSS()
			if diff := cmp.Diff(tt.want, got, near); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A virtual board's watts are a model's: who asks what there is must hear that.
func TestInfoSaysSimulated(t *testing.T) {
	if e := tree(t, raplTree).Info(t.Context()).Energy; e == "" || strings.Contains(e, "simulated") {
		t.Errorf("of a real machine: %q", e)
	}
	if e := tree(t, raplTree, map[string]string{"etc/harness-virtual": "pi5\n"}).Info(t.Context()).Energy; !strings.Contains(e, ", simulated") {
		t.Errorf("of a virtual board: %q", e)
	}
}

// A controller shows these facts beside each figure; it must not invent any.
func TestInfoSaysWhyThereIsNoEnergy(t *testing.T) {
	info := tree(t).Info(t.Context())
	if info.Energy != "" || info.EnergyReason == "" || info.EnergyMend == "" {
		t.Errorf("without a sensor: %q, reason %q, mend %q", info.Energy, info.EnergyReason, info.EnergyMend)
	}
	if len(info.Tiers) == 0 || info.Tiers[0] != "generic" || info.Env.Tier == "" {
		t.Errorf("tiers %v, active %q", info.Tiers, info.Env.Tier)
	}
	if got, want := tree(t, raplTree).Info(t.Context()).Energy, "rapl, SoC-package (package-0, dram-0)"; got != want {
		t.Errorf("with a sensor: %q, want %q", got, want)
	}
}

// raplTree is a processor's energy counters.
var raplTree = map[string]string{
	"sys/class/powercap/intel-rapl:0/name":                  "package-0\n",
	"sys/class/powercap/intel-rapl:0/max_energy_range_uj":   "262143328850\n",
	"sys/class/powercap/intel-rapl:0/energy_uj":             "1000000\n",
	"sys/class/powercap/intel-rapl:0:0/name":                "dram\n",
	"sys/class/powercap/intel-rapl:0:0/max_energy_range_uj": "65712999613\n",
	"sys/class/powercap/intel-rapl:0:0/energy_uj":           "500000\n",
}
