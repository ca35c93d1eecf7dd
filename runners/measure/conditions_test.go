package measure

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/board"
)

// pi is a Raspberry Pi 5 with governor performance, as its kernel shows it.
var pi = map[string]string{
	"proc/device-tree/model":                                  "Raspberry Pi 5 Model B Rev 1.0\x00",
	"proc/device-tree/compatible":                             "raspberrypi,5-model-b\x00brcm,bcm2712\x00",
	"sys/devices/system/cpu/cpufreq/policy0/related_cpus":     "0 1 2 3\n",
	"sys/devices/system/cpu/cpufreq/policy0/scaling_driver":   "cpufreq-dt\n",
	"sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "performance\n",
	"sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "2400000\n",
	"sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq": "1500000\n",
	"sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "2400000\n",
	"sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq": "2400000\n",
	"sys/class/thermal/thermal_zone0/type":                    "cpu-thermal\n",
	"sys/class/thermal/thermal_zone0/temp":                    "50000\n",
	"sys/class/thermal/cooling_device0/type":                  "pwm-fan\n",
	"sys/class/thermal/cooling_device0/cur_state":             "4\n",
	"sys/class/thermal/cooling_device1/type":                  "cpufreq-cpu0\n",
	"sys/class/thermal/cooling_device1/cur_state":             "0\n",
	"sys/devices/platform/soc/soc:firmware/get_throttled":     "20000\n",
	"sys/class/hwmon/hwmon0/in1_label":                        "VIN_SYS_5V0\n",
	"sys/class/hwmon/hwmon0/in1_input":                        "5032\n",
	"sys/class/devfreq/1000.gpu/cur_freq":                     "910000000\n",
	"sys/class/hwmon/hwmon4/name":                             "rpi_volt\n",
	"sys/class/hwmon/hwmon4/in0_lcrit_alarm":                  "0\n",
}

func put(t *testing.T, m Machine, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.Root, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What happens between the window's ends is seen by looking, or not at all.
func TestAWatchSeesWhatHappens(t *testing.T) {
	m := tree(t, pi)
	w := m.newWatch(string(board.Pi5), DefaultLimits, nil)
	at := time.Unix(1000, 0)
	look := func() {
		at = at.Add(firmwareLook)
		w.look(t.Context(), at)
	}
	look()
	put(t, m, "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "1200000\n")
	put(t, m, "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "1200000\n")
	put(t, m, "sys/class/thermal/thermal_zone0/temp", "81500\n")
	put(t, m, "sys/class/thermal/cooling_device1/cur_state", "3\n")
	put(t, m, "sys/class/hwmon/hwmon0/in1_input", "4700\n")
	put(t, m, "sys/devices/platform/soc/soc:firmware/get_throttled", "e0005\n")
	look()
	put(t, m, "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "2400000\n")
	put(t, m, "sys/class/thermal/thermal_zone0/temp", "off\n")
	put(t, m, "sys/class/thermal/cooling_device1/cur_state", "1\n")
	put(t, m, "sys/devices/platform/soc/soc:firmware/get_throttled", "e0000\n")
	look()
	w.look(t.Context(), at.Add(time.Millisecond)) // too soon to ask what is slow

	before, after := board.Throttle(0x20000), board.Throttle(0xe0000)
	e := wire.Evidence{ThrottleBits: throttleBits(&before, &after)}
	w.seen.fill(&e)
	want := wire.Evidence{
		Looks: 4, HottestC: ptr(81.5), SupplyV: ptr(4.7), ThrottleBits: ptr(uint32(0xc0005)),
		Cooling: []wire.Cooling{{Type: "cpufreq-cpu0", State: 3}},
		Clocks: []wire.Clock{
			{Name: "policy0", CPUs: "0-3", Governor: "performance", MeanKHz: 2.1e6, MinKHz: 1.2e6, TargetKHz: 2.4e6, CapKHz: 1.2e6, Low: 1, Looks: 4, Locked: true},
			{Name: "1000.gpu", MeanKHz: 910000, MinKHz: 910000, Looks: 4},
		},
	}
	if diff := cmp.Diff(want, e, near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A firmware that cannot be asked is said to be unknown, and not asked again: a
// question may cost a process.
func TestASilentFirmwareIsUnknown(t *testing.T) {
	w := tree(t, pi, map[string]string{"sys/devices/platform/soc/soc:firmware/get_throttled": "none"}).newWatch(string(board.Pi5), DefaultLimits, nil)
	w.look(t.Context(), time.Unix(1000, 0))
	if !w.silent || w.seen.bits != nil {
		t.Errorf("silent %v, bits %v", w.silent, w.seen.bits)
	}
	_, _, warnings := DefaultLimits.judge(facts{windowS: 1, settled: true, cores: 1, threads: 1, pi: true})
	if !warned(warnings, "throttle-unknown") {
		t.Errorf("warnings %v", warnings)
	}
}

// One question in vain must not blind a window: the kernel clears the bits that stay.
func TestAFirmwareThatFailsOnceIsAskedAgain(t *testing.T) {
	const file = "sys/devices/platform/soc/soc:firmware/get_throttled"
	m := tree(t, pi)
	w := m.newWatch(string(board.Pi5), DefaultLimits, nil)
	at := time.Unix(1000, 0)
	look := func(text string) {
		t.Helper()
		put(t, m, file, text)
		at = at.Add(firmwareLook)
		w.look(t.Context(), at)
	}
	for _, text := range []string{"0\n", "none", "none", "4\n", "none", "none"} {
		look(text)
	}
	if w.silent || w.seen.dumb || w.seen.bits == nil || *w.seen.bits&board.ThrottledNow == 0 {
		t.Fatalf("silent %v, dumb %v, bits %v: want the throttling that came after two failures", w.silent, w.seen.dumb, w.seen.bits)
	}
	look("none")
	if !w.silent || !w.seen.dumb {
		t.Error("the third failure in a row does not count")
	}
	bits := uint32(*w.seen.bits)
	_, _, warnings := DefaultLimits.judge(facts{evidence: wire.Evidence{ThrottleBits: &bits}, pi: true, dumb: w.seen.dumb})
	if !warned(warnings, "throttle-unknown") {
		t.Errorf("warnings %v", warnings)
	}
}

// A cap that began before the window is one: its clock is not what the board can do.
func TestACapBeforeTheWindow(t *testing.T) {
	m := tree(t, pi)
	before := m.policies()
	put(t, m, "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "1200000\n")
	put(t, m, "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "1200000\n")
	put(t, m, "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq", "2400000\n")
	judge := func(before []board.Policy) (wire.Verdict, []wire.Warning) {
		w := m.newWatch(string(board.Pi5), DefaultLimits, before)
		w.look(t.Context(), time.Unix(1000, 0))
		f := facts{windowS: 1, settled: true, cores: 1, threads: 1, capped: w.seen.capped}
		w.seen.fill(&f.evidence)
		verdict, _, warnings := DefaultLimits.judge(f)
		return verdict, warnings
	}
	if verdict, _ := judge(before); verdict != wire.Throttled {
		t.Errorf("a clock that fell in the warm-up is %q, want %q", verdict, wire.Throttled)
	}
	verdict, warnings := judge(m.policies())
	if verdict != wire.Valid || !warned(warnings, "clock-capped") {
		t.Errorf("a standing cap is %q with warnings %v, want valid with clock-capped", verdict, warnings)
	}
}

func warned(warnings []wire.Warning, code string) bool {
	for _, w := range warnings {
		if w.Code == code {
			return true
		}
	}
	return false
}

// Every limit can be set by a plan: within it a trial is valid, beyond it not, and
// valid again where the plan allows more.
func TestEachLimit(t *testing.T) {
	clock := func(low, looks int) []wire.Clock {
		return []wire.Clock{{Name: "policy0", TargetKHz: 2e6, CapKHz: 2e6, MinKHz: 1e6, Low: low, Looks: looks, Locked: true}}
	}
	tests := []struct {
		name           string
		within, beyond func(*facts)
		looser         func(*Limits)
		verdict        wire.Verdict
		reason         string
	}{
		{
			"foreign CPU", func(f *facts) { f.evidence.ForeignCPU = ptr(0.023) }, func(f *facts) { f.evidence.ForeignCPU = ptr(0.025) },
			func(l *Limits) { l.ForeignCPU = 0.03 }, wire.Contended, "other processes",
		},
		{
			"steal", func(f *facts) { f.evidence.StealCPU = ptr(0.023) }, func(f *facts) { f.evidence.StealCPU = ptr(0.025) },
			func(l *Limits) { l.StealCPU = 0.03 }, wire.Contended, "hypervisor",
		},
		{
			"ticks", func(f *facts) { f.windowS, f.evidence.ForeignCPU = 1, ptr(0.059) }, func(f *facts) { f.windowS, f.evidence.ForeignCPU = 1, ptr(0.061) },
			func(l *Limits) { l.Ticks = 5 }, wire.Contended, "other processes",
		},
		{
			"pressure on the CPU", func(f *facts) { f.evidence.PSICPU = ptr(0.15) }, func(f *facts) { f.evidence.PSICPU = ptr(0.16) },
			func(l *Limits) { l.PSICPU = 0.2 }, wire.Contended, "waited for a core",
		},
		{
			"pressure on memory", func(f *facts) { f.evidence.PSIMemory = ptr(0.01) }, func(f *facts) { f.evidence.PSIMemory = ptr(0.011) },
			func(l *Limits) { l.PSIMemory = 0.1 }, wire.Contended, "stalled for memory",
		},
		{
			"pressure on I/O", func(f *facts) { f.evidence.PSIIO = ptr(0.05) }, func(f *facts) { f.evidence.PSIIO = ptr(0.051) },
			func(l *Limits) { l.PSIIO = 0.1 }, wire.Contended, "stalled for I/O",
		},
		{
			"relative clock", func(f *facts) { f.evidence.FreqRel = ptr(0.95) }, func(f *facts) { f.evidence.FreqRel = ptr(0.949) },
			func(l *Limits) { l.FreqRel = 0.9 }, wire.Throttled, "the clock fell",
		},
		{
			"low looks", func(f *facts) { f.evidence.Clocks = clock(1, 50) }, func(f *facts) { f.evidence.Clocks = clock(2, 50) },
			func(l *Limits) { l.FreqLow = 0.05 }, wire.Throttled, "the clock policy0 was below 98 % of 2000 MHz at 2 of 50 looks",
		},
		{
			"supply", func(f *facts) { f.evidence.SupplyV = ptr(4.75) }, func(f *facts) { f.evidence.SupplyV = ptr(4.74) },
			func(l *Limits) { l.SupplyV = 4.6 }, wire.Undervolted, "the supply fell to 4.74 V",
		},
		{
			"readings", func(f *facts) { f.energy = &wire.Energy{Readings: 30} }, func(f *facts) { f.energy = &wire.Energy{Readings: 29} },
			func(l *Limits) { l.Readings = 20 }, wire.Sensor, "29 readings",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			judge := func(l Limits, change func(*facts)) (wire.Verdict, string) {
				f := facts{windowS: 10, settled: true, threads: 1, cores: 1}
				change(&f)
				v, reason, _ := l.judge(f)
				return v, reason
			}
			if v, reason := judge(DefaultLimits, tt.within); v != wire.Valid {
				t.Errorf("within: %s, %s", v, reason)
			}
			if v, reason := judge(DefaultLimits, tt.beyond); v != tt.verdict || !strings.Contains(reason, tt.reason) {
				t.Errorf("beyond: %s, %q; want %s, %q", v, reason, tt.verdict, tt.reason)
			}
			loose := DefaultLimits
			tt.looser(&loose)
			if v, reason := judge(loose, tt.beyond); v != wire.Valid {
				t.Errorf("beyond, where the plan allows it: %s, %s", v, reason)
			}
		})
	}
}

// What no threshold decides.
func TestConditionsThatInvalidate(t *testing.T) {
	bits := func(v uint32) func(*facts) { return func(f *facts) { f.evidence.ThrottleBits = &v } }
	tests := []struct {
		name    string
		change  func(*facts)
		verdict wire.Verdict
		reason  string
	}{
		{"bits of old times only", bits(0), wire.Valid, ""},
		{"under-voltage at a look", bits(0x1), wire.Undervolted, "under-voltage"},
		{"under-voltage between looks", bits(0x10000), wire.Undervolted, "under-voltage"},
		{"capped", bits(0x2), wire.Throttled, "frequency capped"},
		{"throttled between looks", bits(0x40000), wire.Throttled, "throttled"},
		{"soft limit", bits(0x8), wire.Throttled, "soft temperature limit"},
		{"both", bits(0x5), wire.Undervolted, "throttled"},
		{"a cap that fell", func(f *facts) {
			f.evidence.Clocks = []wire.Clock{{Name: "policy4", TargetKHz: 2.4e6, CapKHz: 1.8e6, Looks: 9}}
		}, wire.Throttled, "the greatest clock of policy4 fell from 2400 to 1800 MHz"},
		{"a turbo clock", func(f *facts) { f.evidence.Clocks = []wire.Clock{{Name: "policy0", MinKHz: 8e5, Low: 0, Looks: 9}} }, wire.Valid, ""},
		{"a governor that follows the load", func(f *facts) {
			f.evidence.Clocks = []wire.Clock{{Name: "policy0", Governor: "schedutil", TargetKHz: 2.4e6, CapKHz: 2.4e6, Low: 8, Looks: 9}}
		}, wire.Valid, ""},
		{"cooling", func(f *facts) { f.evidence.Cooling = []wire.Cooling{{Type: "cpufreq-cpu0", State: 1}} }, wire.Throttled, "cpufreq-cpu0"},
		{"a phone that is cool", func(f *facts) { f.evidence.ThermalStatus = ptr(0) }, wire.Valid, ""},
		{"a phone that is warm", func(f *facts) { f.evidence.ThermalStatus = ptr(1) }, wire.Throttled, "thermal status 1 of 6"},
		{"plugged in", func(f *facts) { f.evidence.SupplyChange = "Discharging to Charging" }, wire.Unsettled, "Discharging to Charging"},
		{"not ready", func(f *facts) { f.unready = []string{"the board was at 82.0 °C"} }, wire.Unsettled, "82.0 °C"},
		{"a clock that jumped", func(f *facts) { f.evidence.ClockJumpS = -3600 }, wire.Valid, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := facts{windowS: 10, settled: true, threads: 1, cores: 1}
			tt.change(&f)
			v, reason, warnings := DefaultLimits.judge(f)
			if v != tt.verdict || !strings.Contains(reason, tt.reason) {
				t.Errorf("got %s, %q; want %s, %q", v, reason, tt.verdict, tt.reason)
			}
			for code, want := range map[string]bool{"governor": strings.Contains(tt.name, "governor"), "clock-jump": strings.Contains(tt.name, "jumped")} {
				if warned(warnings, code) != want {
					t.Errorf("warning %s: %v, want %v", code, !want, want)
				}
			}
		})
	}
}

// Limits that decide before the judge, or on a warning, or on what counts as low.
func TestLimitsOutsideTheVerdict(t *testing.T) {
	t.Run("load_per_core", func(t *testing.T) {
		for _, c := range []struct {
			load, limit float64
			ready       bool
		}{{0.8, 0.2, true}, {0.81, 0.2, false}, {0.81, 0.3, true}, {100, 0, true}} {
			x := trial{session: &Session{machine: tree(t)}, limits: Limits{LoadPerCore: c.limit}, env: wire.Environment{Cores: 4, Load1: c.load}}
			if err := x.ready(t.Context(), quiet); err != nil {
				t.Fatal(err)
			}
			if (len(x.unready) == 0) != c.ready {
				t.Errorf("load %g on 4 cores, limit %g: %q", c.load, c.limit, x.unready)
			}
		}
	})
	t.Run("clock_jump_s", func(t *testing.T) {
		for _, c := range []struct {
			jump, limit float64
			told        bool
		}{{0.1, 0.1, false}, {0.11, 0.1, true}, {-0.11, 0.1, true}, {0.11, 0.2, false}} {
			l := DefaultLimits
			l.ClockJumpS = c.limit
			_, _, warnings := l.judge(facts{evidence: wire.Evidence{ClockJumpS: c.jump}, windowS: 1, settled: true})
			if warned(warnings, "clock-jump") != c.told {
				t.Errorf("a jump of %g s, limit %g s: %v", c.jump, c.limit, warnings)
			}
		}
	})
	t.Run("freq_target", func(t *testing.T) {
		for _, c := range []struct {
			khz, share float64
			low        int
		}{{2.352e6, 0.98, 0}, {2.351e6, 0.98, 1}, {2.351e6, 0.9, 0}} {
			w := watch{limits: Limits{FreqTarget: c.share}}
			clock := wire.Clock{TargetKHz: 2.4e6}
			w.clock(&clock, c.khz)
			if clock.Low != c.low || clock.Looks != 1 {
				t.Errorf("%.0f kHz of 2400000, limit %g: %+v", c.khz, c.share, clock)
			}
		}
	})
	t.Run("start_temp_c", func(t *testing.T) {
		for _, c := range []struct {
			kind  board.Kind
			limit float64
			want  float64
			is    bool
		}{{board.Pi5, 0, 70, true}, {board.Generic, 0, 0, false}, {board.Generic, 55, 55, true}, {board.Pi5, -1, 0, false}} {
			if got, is := (Limits{StartTempC: c.limit}).startC(c.kind); got != c.want || is != c.is {
				t.Errorf("%s, start_temp_c %g: %g, %v", c.kind, c.limit, got, is)
			}
		}
	})
}

// A clock that was set in the window is told, also where only the kernel knows: the
// move of the boot's time is in whole seconds, of which one is rounding.
func TestTheTimeOfDayJumps(t *testing.T) {
	at := time.Now()
	for _, c := range []struct {
		after time.Time
		boot  *int64
		want  float64
	}{
		{at.Add(time.Second), nil, 0},
		{at.Add(time.Second), ptr(int64(1)), 0},
		{at.Add(time.Second), ptr(int64(-3600)), -3600},
	} {
		if got := jump(at, c.after, c.boot); got != c.want {
			t.Errorf("boot's time moved by %v: %g s, want %g", c.boot, got, c.want)
		}
	}
	stat := func(btime string) Machine {
		return tree(t, map[string]string{"proc/stat": "cpu 1 2\nbtime " + btime + "\n"})
	}
	before, after := stat("1700000000").snapshot(nil), stat("1700003600").snapshot(nil)
	if got := evidence(before, after, 0, 0).ClockJumpS; got != 3600 {
		t.Errorf("a jump of %g s, want 3600", got)
	}
	if stat("soon").bootTime() != nil {
		t.Error("a boot time that is no number was read")
	}
}

func TestSupplyChanges(t *testing.T) {
	for _, c := range []struct{ before, after, want string }{
		{"Discharging", "Charging", "Discharging to Charging"},
		{"Not charging", "Discharging", "Not charging to Discharging"},
		{"Full", "Charging", ""}, // the load is fed from outside either way
		{"", "Charging", ""},
		{"Discharging", "Discharging", ""},
	} {
		if got := supplyChange(c.before, c.after); got != c.want {
			t.Errorf("%q, %q: got %q, want %q", c.before, c.after, got, c.want)
		}
	}
}

// Throttled, undervolted and unsettled trials never enter a figure: a real trial
// on a machine in that state must say so, whatever else is fine.
func TestATrialOnABadBoardIsNeverValid(t *testing.T) {
	ready := map[string]string{"sys/devices/platform/soc/soc:firmware/get_throttled": "0\n"}
	tests := []struct {
		name    string
		state   map[string]string
		change  func(*wire.Measure)
		verdict wire.Verdict
		reason  string
	}{
		{"capped clock", map[string]string{"sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1500000\n"}, nil, wire.Throttled, "the clock policy0 was below 98 % of 2400 MHz"},
		{"cooling", map[string]string{"sys/class/thermal/cooling_device1/cur_state": "2\n"}, nil, wire.Throttled, "cpufreq-cpu0"},
		{"firmware throttles", map[string]string{"sys/devices/platform/soc/soc:firmware/get_throttled": "60006\n"}, nil, wire.Throttled, "frequency capped, throttled"},
		{"under-voltage", map[string]string{"sys/devices/platform/soc/soc:firmware/get_throttled": "10001\n"}, nil, wire.Undervolted, "under-voltage"},
		{"weak supply", map[string]string{"sys/class/hwmon/hwmon0/in1_input": "4600\n"}, nil, wire.Undervolted, "4.60 V"},
		{"alarm", map[string]string{"sys/class/hwmon/hwmon4/in0_lcrit_alarm": "1\n"}, nil, wire.Undervolted, "sagged"},
		{"too hot to begin", map[string]string{"sys/class/thermal/thermal_zone0/temp": "71000\n"}, func(r *wire.Measure) {
			l := wire.DefaultLimits()
			l.CoolLimitS = 0
			r.Limits = &l
		}, wire.Unsettled, "the board was at 71.0 °C after 0 s of cooling, the limit is 70.0 °C"},
		{"another power mode", nil, func(r *wire.Measure) { r.PowerMode = "25W" }, wire.Unsettled, `"25W" is wanted`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := load(t, writeModel(t, 1, labels), tree(t, pi, ready, tt.state))
			req := wire.Measure{
				Items: writeItems(t, testItems), Batch: 1, Window: time.Millisecond, MinInferences: 1, WarmupLimit: time.Millisecond, NoEnergy: true,
			}
			if tt.change != nil {
				tt.change(&req)
			}
			limits := wire.DefaultLimits()
			if req.Limits != nil {
				limits = *req.Limits
			}
			limits.FreqRel = 0.01 // this machine's own clock is no part of the test
			req.Limits = &limits
			got, err := s.Measure(t.Context(), req, quiet)
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != tt.verdict || !strings.Contains(got.Reason, tt.reason) {
				t.Errorf("got %s, %q; want %s, %q", got.Verdict, got.Reason, tt.verdict, tt.reason)
			}
			if got.Env.Kind != string(board.Pi5) || got.Evidence.Looks == 0 {
				t.Errorf("kind %q, %d looks", got.Env.Kind, got.Evidence.Looks)
			}
		})
	}
}

// A hot board is given time: the trial begins when it has cooled, and says how
// long that took.
func TestATrialWaitsForAHotBoard(t *testing.T) {
	m := tree(t, pi, map[string]string{"sys/class/thermal/thermal_zone0/temp": "71000\n"})
	s := load(t, writeModel(t, 1, labels), m)
	var stages []string
	got, err := s.Measure(t.Context(), wire.Measure{
		Items: writeItems(t, testItems), Batch: 1, Window: time.Millisecond, MinInferences: 1, WarmupLimit: time.Millisecond, NoEnergy: true,
	}, func(stage string, _, _ int) {
		if stages = append(stages, stage); stage == "cool" {
			put(t, m, "sys/class/thermal/thermal_zone0/temp", "60000\n")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "tokenize cool warm-up work"; strings.Join(stages, " ") != want {
		t.Errorf("stages %v, want %s", stages, want)
	}
	if strings.Contains(got.Reason, "cooling") || got.Evidence.CooledS <= 0 {
		t.Errorf("reason %q after %g s of cooling", got.Reason, got.Evidence.CooledS)
	}
}

// Limits that cannot be kept are refused before a board works for nothing.
func TestLimitsThatCannotBeAreRefused(t *testing.T) {
	if err := wire.DefaultLimits().Validate(); err != nil {
		t.Error(err)
	}
	l := wire.DefaultLimits()
	l.TempCPerMin = 0
	req := wire.Measure{Batch: 1, Limits: &l}
	if err := checkMeasure(&req); err == nil || !strings.Contains(err.Error(), "limit temp_c_per_min is 0: use 0.1 to 1000") {
		t.Errorf("got %v", err)
	}
	strict := DefaultLimits
	strict.TempCPerMin = 3
	if got := defaultSettling.within(strict).ThermalTime; got != 20*time.Second {
		t.Errorf("3 °C a minute is watched over %v, want 20 s", got)
	}
	if got := defaultSettling.within(DefaultLimits).ThermalTime; got != defaultSettling.ThermalTime {
		t.Errorf("the default limit is watched over %v, want %v", got, defaultSettling.ThermalTime)
	}
}
