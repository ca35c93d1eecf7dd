package measure

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// idle is a machine that tells everything, before a window.
var idle = map[string]string{
	"proc/stat":                            "cpu  1000 0 500 90000 10 0 20 5 300 0\ncpu0 1 2 3\n",
	"proc/pressure/cpu":                    "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n",
	"proc/pressure/memory":                 "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=2000000\n",
	"proc/pressure/io":                     "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3000000\n",
	"proc/vmstat":                          "nr_free_pages 7\npswpin 100\npswpout 200\noom_kill 1\n",
	"proc/sys/kernel/random/boot_id":       "one\n",
	"proc/42/stat":                         "42 (a (b) c) S 1 1 1 0 -1 0 0 0 0 0 300 100 0 0 20 0 1 0\n",
	"sys/class/thermal/thermal_zone0/temp": "40000\n",
	"sys/class/thermal/thermal_zone0/type": "cpu\n",
	"sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count":    "5\n",
	"sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count": "5\n",
	"sys/class/hwmon/hwmon3/name":                                         "soctherm_oc\n",
	"sys/class/hwmon/hwmon3/oc1_event_cnt":                                "2\n",
	"sys/class/hwmon/hwmon3/oc3_event_cnt":                                "2\n",
	"sys/class/hwmon/hwmon4/name":                                         "rpi_volt\n",
	"sys/class/hwmon/hwmon4/in0_lcrit_alarm":                              "0\n",
	"sys/class/hwmon/hwmon5/name":                                         "another\n",
	"sys/class/hwmon/hwmon5/in0_lcrit_alarm":                              "1\n",
}

// cpuLine is the machine's first line after a window with ticks more of user time
// and of steal.
func cpuLine(user, steal string) map[string]string {
	return map[string]string{"proc/stat": "cpu  " + user + " 0 500 90000 10 0 20 " + steal + " 300 0\n"}
}

// A figure is published only from a valid trial: a verdict that misses what
// happened lets a wrong figure through, one that sees ghosts throws good ones away.
func TestVerdict(t *testing.T) {
	energy := func(readings, gaps int) *wire.Energy {
		return &wire.Energy{Readings: readings, Gaps: gaps, ErrorRel: 0.01}
	}
	// Each window is of 10 s on 4 cores with 4 threads, settled, unless changed.
	tests := []struct {
		name    string
		after   map[string]string
		own     float64 // CPU seconds of this process in the window
		spins   [2]float64
		window  time.Duration
		change  func(*facts)
		verdict wire.Verdict
		reason  string // part of it
	}{
		{name: "nothing happened", verdict: wire.Valid},
		{name: "own work is not foreign", after: cpuLine("2000", "5"), own: 10, verdict: wire.Valid},
		{name: "someone else's work beside it", after: cpuLine("2000", "5"), own: 9.5, verdict: wire.Contended, reason: "other processes' share of a core: 5.0 %"},
		{
			name: "the controller's work is not foreign", verdict: wire.Valid,
			after: map[string]string{
				"proc/stat":    "cpu  1100 0 500 90000 10 0 20 5 300 0\n",
				"proc/42/stat": "42 (a (b) c) S 1 1 1 0 -1 0 0 0 0 0 350 150 0 0 20 0 1 0\n",
			},
		},
		{name: "waiting for a disk is not work", after: map[string]string{"proc/stat": "cpu  1000 0 500 91000 999 0 20 5 300 0\n"}, verdict: wire.Valid},
		{name: "interrupts are work", after: map[string]string{"proc/stat": "cpu  1000 0 500 90000 10 60 20 5 300 0\n"}, verdict: wire.Contended, reason: "other processes"},
		{name: "stolen by the hypervisor", after: cpuLine("1000", "65"), verdict: wire.Contended, reason: "the hypervisor's share of a core: 6.0 %"},
		{name: "a short window allows for ticks", after: cpuLine("1004", "5"), window: time.Second / 2, verdict: wire.Valid},
		{name: "but no more", after: cpuLine("1006", "5"), window: time.Second / 2, verdict: wire.Contended, reason: "12.0 %, the limit is 10.0 %"},
		{name: "waiting for a core", after: map[string]string{"proc/pressure/cpu": "some avg10=0 total=3000000\n"}, verdict: wire.Contended, reason: "waited for a core: 20.0 %"},
		{
			name: "own threads wait for each other", after: map[string]string{"proc/pressure/cpu": "some avg10=0 total=3000000\n"},
			change: func(f *facts) { f.threads = 5 }, verdict: wire.Valid,
		},
		{name: "memory stall", after: map[string]string{"proc/pressure/memory": "full avg10=0 total=2200000\n"}, verdict: wire.Contended, reason: "stalled for memory: 2.0 %"},
		{name: "I/O stall", after: map[string]string{"proc/pressure/io": "full avg10=0 total=4000000\n"}, verdict: wire.Contended, reason: "stalled for I/O: 10.0 %"},
		{name: "swapping", after: map[string]string{"proc/vmstat": "pswpin 101\npswpout 202\noom_kill 1\n"}, verdict: wire.Contended, reason: "3 pages were swapped"},
		{name: "out of memory", after: map[string]string{"proc/vmstat": "pswpin 100\npswpout 200\noom_kill 2\n"}, verdict: wire.Contended, reason: "killed 1 processes"},
		{
			name:    "x86 throttle counter",
			after:   map[string]string{"sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "6\n"},
			verdict: wire.Throttled, reason: "rose by 1",
		},
		{name: "Jetson over-current", after: map[string]string{"sys/class/hwmon/hwmon3/oc3_event_cnt": "4\n"}, verdict: wire.Throttled, reason: "rose by 2"},
		{name: "Jetson under-voltage", after: map[string]string{"sys/class/hwmon/hwmon3/oc1_event_cnt": "3\n"}, verdict: wire.Undervolted, reason: "sagged 1 times"},
		{name: "Raspberry Pi under-voltage", after: map[string]string{"sys/class/hwmon/hwmon4/in0_lcrit_alarm": "1\n"}, verdict: wire.Undervolted, reason: "sagged 1 times"},
		{name: "the clock fell", spins: [2]float64{0.25, 0.3}, verdict: wire.Throttled, reason: "the clock fell to 83.3 %"},
		{
			name: "a slow host is no slow board", spins: [2]float64{0.25, 0.3}, change: func(f *facts) { f.emulated = true },
			verdict: wire.Contended, reason: "the host of the emulator slowed down",
		},
		{name: "the clock rose", spins: [2]float64{0.3, 0.25}, verdict: wire.Valid},
		{
			name: "a shared core looks like a slow one", spins: [2]float64{0.25, 0.3}, after: cpuLine("2000", "5"),
			verdict: wire.Contended, reason: "the clock fell",
		},
		{name: "unsettled", change: func(f *facts) { f.settled, f.warmupS = false, 3 }, verdict: wire.Unsettled, reason: "after 3.0 s of warm-up"},
		{name: "readings without gaps", change: func(f *facts) { f.energy = energy(30, 0) }, verdict: wire.Valid},
		{name: "gaps in the readings", change: func(f *facts) { f.energy = energy(200, 2) }, verdict: wire.Sensor, reason: "2 gaps"},
		{name: "too few readings", change: func(f *facts) { f.energy = energy(29, 0) }, verdict: wire.Sensor, reason: "29 readings"},
		{
			name: "the end of the sensor's range", verdict: wire.Sensor, reason: "2 readings at the end",
			change: func(f *facts) { f.energy = energy(200, 0); f.energy.Saturated = 2 },
		},
		{
			name: "a sensor that repeats itself", verdict: wire.Sensor, reason: "80 % of the energy sensor's readings repeat the one before, 75 % may",
			change: func(f *facts) { f.energy = energy(200, 0); f.energy.Stale, f.energy.StaleDue = 0.8, 0.5 },
		},
		{
			name: "a slow sensor that is read often", verdict: wire.Valid,
			change: func(f *facts) { f.energy = energy(200, 0); f.energy.Stale, f.energy.StaleDue = 0.7, 0.5 },
		},
		{
			name: "readings in the rhythm of the inferences", verdict: wire.Sensor, reason: "same part of each",
			change: func(f *facts) { f.energy = energy(200, 0); f.energy.Aliased = true },
		},
		{name: "a lost sensor", change: func(f *facts) { f.blind = "it is gone" }, verdict: wire.Sensor, reason: "was lost: it is gone"},
		{name: "another boot", after: map[string]string{"proc/sys/kernel/random/boot_id": "two\n"}, change: func(f *facts) { f.settled = false }, verdict: wire.Faulted, reason: "boot id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			machine := tree(t, idle)
			before := machine.snapshot([]int{42})
			after := tree(t, idle, tt.after).snapshot([]int{42})
			if tt.window == 0 {
				tt.window = 10 * time.Second
			}
			after.at, after.own = before.at.Add(tt.window), before.own+tt.own
			f := facts{
				evidence: evidence(before, after, tt.spins[0], tt.spins[1]), windowS: tt.window.Seconds(),
				settled: true, rebooted: before.bootID != after.bootID, threads: 4, cores: 4,
			}
			if tt.change != nil {
				tt.change(&f)
			}
			verdict, reason, warnings := DefaultLimits.judge(f)
			if verdict != tt.verdict || !strings.Contains(reason, tt.reason) || (reason == "") != (verdict == wire.Valid) {
				t.Errorf("got %s, %q; want %s, %q", verdict, reason, tt.verdict, tt.reason)
			}
			if f.threads <= f.cores && len(warnings) > 0 {
				t.Errorf("a machine that tells everything has warnings: %v", warnings)
			}
		})
	}
}

// A reader must know when an interval is of half the errors, and what reading cost.
func TestTheSensorsDoubts(t *testing.T) {
	cost := 0.05
	f := facts{energy: &wire.Energy{Readings: 100, SamplerCPU: &cost}, windowS: 10, settled: true}
	_, _, warnings := DefaultLimits.judge(f)
	for _, code := range []string{"sensor-error-unknown", "sampler-cpu"} {
		if !slices.ContainsFunc(warnings, func(w wire.Warning) bool { return w.Code == code }) {
			t.Errorf("no warning %s: %v", code, warnings)
		}
	}
}

// What a machine does not tell is unknown: neither good nor bad, and said.
func TestAMachineThatTellsNothing(t *testing.T) {
	before := tree(t).snapshot([]int{42})
	after := before
	after.at, after.own = before.at.Add(time.Second), before.own+1
	got := evidence(before, after, 0, 0)
	if diff := cmp.Diff(wire.Evidence{OwnCPUS: 1}, got, near); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	verdict, reason, warnings := DefaultLimits.judge(facts{evidence: got, windowS: 1, settled: true, threads: 2, cores: 1})
	var codes []string
	for _, w := range warnings {
		codes = append(codes, w.Code)
	}
	if diff := cmp.Diff([]string{"cpu-unknown", "psi-unknown", "oversubscribed"}, codes); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if verdict != wire.Valid {
		t.Errorf("got %s: %s", verdict, reason)
	}
}

// The evidence is published with the figure: each share must be of the window.
func TestEvidence(t *testing.T) {
	before := tree(t, idle).snapshot([]int{42})
	after := tree(t, idle, map[string]string{
		"proc/stat":                            "cpu  1300 0 500 90000 10 0 20 15 900 0\n",
		"proc/pressure/cpu":                    "some avg10=0 total=1500000\n",
		"proc/42/stat":                         "42 (x) S 1 1 1 0 -1 0 0 0 0 0 320 130 0 0 20 0 1 0\n",
		"sys/class/thermal/thermal_zone0/temp": "45500\n",
		"proc/loadavg":                         "9 9 9 1/1 1\n", // of no interest after the window
	}).snapshot([]int{42})
	before.load1 = ptr(0.25)
	after.at, after.own = before.at.Add(5*time.Second), before.own+2
	want := wire.Evidence{
		OwnCPUS: 2, ControllerCPUS: 0.5, ForeignCPU: ptr(0.1), StealCPU: ptr(0.02),
		PSICPU: ptr(0.1), PSIMemory: ptr(0.), PSIIO: ptr(0.), FreqRel: ptr(0.8), SpinNS: 0.4,
		ThrottleCount: ptr(int64(0)), Undervolts: ptr(int64(0)), SwapPages: ptr(int64(0)), OOMKills: ptr(int64(0)),
		TempBeforeC: ptr(40.), TempAfterC: ptr(45.5), Load1: ptr(0.25),
	}
	got := evidence(before, after, 0.4, 0.5)
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	after.at = before.at // a clock that stands still must not put NaN on the wire
	if e := evidence(before, after, 0, 0); e.ForeignCPU != nil || e.StealCPU != nil {
		t.Errorf("a window of no length has shares: %+v", e)
	}
}

// near takes floats for equal that rounding parts.
var near = cmp.Comparer(func(a, b float64) bool { return a == b || max(a-b, b-a) < 1e-9*max(1, a, -a) })
