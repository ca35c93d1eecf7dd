package board

import (
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The doctor is asked when measurements are refused: it must find the cause, name
// a mend for that board, and be silent about a board that is ready.
func TestDoctorOnBoards(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("procfs and sysfs are Linux's")
	}
	tests := []struct {
		name string
		want Want
		say  []string // severity, and part of the finding
	}{
		{"pi5", Want{}, []string{
			"warn the clock follows the load: governor ondemand of policy0",
			"warn the board was slowed down since its boot: get_throttled 0x50000: under-voltage, throttled",
			"warn the supply promises less than a Pi 5 may take: 3000 of 5000 mA",
			"note the kernel tells no pressure",
			"note the energy sensor cannot be used",
		}},
		{"pi4", Want{External: true}, nil},
		{"pi4", Want{}, []string{"note there is no energy sensor: raspberrypi,4-model-b has no sensor of current"}},
		{"orin-nano", Want{PowerMode: "25W"}, []string{
			"bad the power mode is not as wanted: 15W, wanted is 25W",
			"warn the clock follows the load: governor schedutil of policy0 (CPUs 0-3), ",
			"note the memory clock follows the load, it seems: only root may read it",
			"note the kernel tells no pressure",
		}},
		{"agx-orin", Want{}, []string{
			"bad a cooling device slows the board down now: cpufreq-cpu0 is at 2 of 20",
			"bad the kernel has a wrong shunt, so that currents are wrong by its factor: VDD_GPU_SOC: 10000 µΩ, this module has 2000 µΩ; " +
				"VDD_CPU_CV: 10000 µΩ, this module has 2000 µΩ; VIN_SYS_5V0: 10000 µΩ, this module has 2000 µΩ",
			"note the kernel was started with psi=0",
		}},
		{"jetson-nano", Want{PowerMode: "0"}, []string{"note the kernel tells no pressure"}},
		{"rb3gen2", Want{External: true}, nil},
		{"phone", Want{External: true}, []string{
			"bad the battery is charging, so that its current is not the load's: status Charging",
			"bad Android slows the phone down for its heat: thermal status 2 of 6",
			"bad this session may not use all cores: CPUs 0-2 of 0-7",
			"warn the clock follows the load: governor walt of policy0",
			"warn a low battery caps the clock: 24 %",
			"note pressure cannot be read",
		}},
		{"laptop", Want{External: true}, []string{"warn the machine runs on its battery"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := fixture(t, tt.name).Gather(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			f.SwapUsed, f.Load1 = 0, nil // of this machine where the tree has none
			check(t, Diagnose(f, tt.want), tt.say)
		})
	}
}

// check compares findings with the beginnings of what they should say.
func check(t *testing.T, got []Finding, say []string) {
	t.Helper()
	var lines []string
	for i, f := range got {
		line := string(f.Severity) + " " + f.What + ": " + f.Evidence
		if i < len(say) && strings.HasPrefix(line, say[i]) {
			line = say[i]
		}
		lines = append(lines, line)
		if f.Mend == "" || f.Evidence == "" {
			t.Errorf("%q has no mend or no evidence", line)
		}
	}
	if diff := cmp.Diff(say, lines); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// What no fixture has, one finding at a time.
func TestEachFinding(t *testing.T) {
	ready := func() Facts {
		return Facts{PSI: true, Identity: Identity{OS: "linux", Kind: Pi4, Cores: 4, Online: "0-3"}}
	}
	share := func(v float64) *float64 { return &v }
	bits := func(t Throttle) *Firmware { return &Firmware{Throttle: &t} }
	pages := int64(7)
	tests := []struct {
		name   string
		change func(*Facts)
		say    string // empty = nothing
		mend   string // part of it
	}{
		{"ready", func(*Facts) {}, "", ""},
		{"under-voltage now", func(f *Facts) { f.Firmware = bits(0x50005) }, "bad the supply is too weak now: get_throttled 0x50005", "supply"},
		{"throttled now", func(f *Facts) { f.Firmware = bits(0x8) }, "bad the firmware slows the board down now: get_throttled 0x8: soft temperature limit", "cool"},
		{"throttled before", func(f *Facts) { f.Firmware = bits(0x40000) }, "warn the board was slowed down since its boot", "cool the board"},
		{"silent firmware", func(f *Facts) { f.Firmware = &Firmware{Reason: "not found"} }, "warn the firmware does not tell of throttling: not found", "video"},
		{"hot", func(f *Facts) { f.TempC = share(71) }, "warn the board is hot before it has work: 71.0 °C", "fan"},
		{"busy", func(f *Facts) {
			f.Background = &Background{Seconds: 1, CPU: share(0.35), Steal: share(0), Busiest: []Process{{812, "updater", 0.3}, {9, "kworker", 0.05}}}
		}, "warn others use the processor: 35 % of a core over 1 s: updater (pid 812) 30 %, kworker (pid 9) 5 %", "kill 812"},
		{"housekeeping of many", func(f *Facts) {
			f.Background = &Background{Seconds: 1, CPU: share(0.07), Steal: share(0), Busiest: []Process{{81, "a", 0.03}, {9, "b", 0.02}, {7, "c", 0.02}}}
		}, "warn others use the processor: 7 % of a core over 1 s: a (pid 81) 3 %", "no process takes much by itself"},
		{"housekeeping", func(f *Facts) { f.Background = &Background{Seconds: 1, CPU: share(0.03)} }, "", ""},
		{"steal", func(f *Facts) { f.Background = &Background{Seconds: 1, CPU: share(0), Steal: share(0.1)} }, "warn the hypervisor takes processor time", "of your own"},
		{"swapping", func(f *Facts) { f.Background = &Background{Seconds: 1, SwapPages: &pages} }, "bad the machine is swapping: 7 pages", "memory"},
		{"load", func(f *Facts) { f.Load1 = share(1) }, "warn the machine was busy over the last minute: load 1.00 on 4 cores", "top"},
		{"swap in use", func(f *Facts) { f.SwapUsed = 64 << 20 }, "note swap is in use: 64 MiB", "swapoff"},
		{"cpuset", func(f *Facts) { f.AllowedCPUs = "0-1" }, "bad this session may not use all cores: CPUs 0-1 of 0-3", "taskset"},
		{"limited clock", func(f *Facts) {
			f.Policies = []Policy{{Name: "policy0", Driver: "cpufreq-dt", Governor: "performance", MaxKHz: 1500000, TopKHz: 1800000}}
		}, "warn the clock is limited below what the hardware can do: policy0: 1500 of 1800 MHz", "echo 1800000 | sudo tee"},
		{"no permission", func(f *Facts) { f.Access = []Access{{Path: "/dev/i2c-1", Group: "i2c"}} }, "note this user may not use /dev/i2c-1", "usermod -aG i2c"},
		{"root's mailbox", func(f *Facts) { f.Access = []Access{{Path: "/dev/vcio", Group: "root"}} }, "note this user may not use /dev/vcio", "usermod -aG video"},
		{"no PSI", func(f *Facts) { f.PSI = false }, "note the kernel tells no pressure", "cmdline.txt"},
		{"unknown mode", func(f *Facts) { f.Kind = OrinNano }, "note the power mode is not known", "nvpmodel -q"},
		{"NaN", func(f *Facts) { f.TempC = share(math.NaN()) }, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := ready()
			tt.change(&f)
			got := Diagnose(f, Want{External: true})
			var say []string
			if tt.say != "" {
				say = []string{tt.say}
			}
			check(t, got, say)
			if len(got) == 1 && !strings.Contains(got[0].Mend, tt.mend) {
				t.Errorf("mend %q, want %q in it", got[0].Mend, tt.mend)
			}
		})
	}
}

// A wrong power mode is mended by the ID of the wanted one, which differs between boards.
func TestAPowerModeIsMendedByItsID(t *testing.T) {
	f := Facts{PSI: true, Identity: Identity{Kind: OrinNano, PowerMode: "15W", PowerModes: []PowerMode{{0, "15W"}, {1, "25W"}}}}
	for want, mend := range map[string]string{"25W": "sudo nvpmodel -m 1", "1": "sudo nvpmodel -m 1", "50W": "ask for 15W, 25W"} {
		got := Diagnose(f, Want{PowerMode: want, External: true})
		if len(got) != 1 || !strings.Contains(got[0].Mend, mend) {
			t.Errorf("%s: %v", want, got)
		}
	}
	if got := Diagnose(f, Want{PowerMode: "0", External: true}); len(got) > 0 {
		t.Errorf("mode 0 is 15W, but: %v", got)
	}
}

// Without a sensor energy is unavailable: the user is told why, and what to do, but
// not where a meter outside the board does the work.
func TestSensorsThatAreMissing(t *testing.T) {
	facts := func(k Kind, s ...Sensor) Facts { return Facts{PSI: true, Identity: Identity{Kind: k}, Sensors: s} }
	tests := []struct {
		name      string
		facts     Facts
		want      Want
		say, mend string
	}{
		{"hidden", facts(Generic, Sensor{Source: "rapl", Why: "only root may read it", Mend: "a udev rule"}), Want{}, "note the energy sensor cannot be used: only root may read it", "a udev rule"},
		{"none", facts(Generic, Sensor{Why: "nothing is known"}), Want{}, "note there is no energy sensor: nothing is known", "external meter"},
		{"Pi 4", facts(Pi4, Sensor{Why: "it has none"}), Want{}, "note there is no energy sensor: it has none", "at most 20 mΩ"},
		{"12 V kit", facts(RB5, Sensor{Why: "it has none"}), Want{}, "note there is no energy sensor: it has none", "12 V lead"},
		{"measured outside", facts(Pi4, Sensor{Why: "it has none"}), Want{External: true}, "", ""},
		{"good", facts(OrinNano, Sensor{Source: "hwmon-ina3221", Usable: true}), Want{}, "", ""},
		{"doubtful", facts(Generic, Sensor{Source: "hwmon-ina2xx", Usable: true, Warnings: []string{"shunt not stated"}}), Want{}, "warn the energy sensor is doubtful: hwmon-ina2xx: shunt not stated", "inventory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.facts.PowerMode = "15W"
			got := Diagnose(tt.facts, tt.want)
			var say []string
			if tt.say != "" {
				say = []string{tt.say}
			}
			check(t, got, say)
			if len(got) == 1 && !strings.Contains(got[0].Mend, tt.mend) {
				t.Errorf("mend %q, want %q in it", got[0].Mend, tt.mend)
			}
		})
	}
}

// A neighbour must be told from the runner itself, whose work is no background.
func TestBackgroundIsOfOthers(t *testing.T) {
	num := func(v float64) *float64 { return &v }
	swaps := func(v int64) *int64 { return &v }
	before := activity{busy: num(1000), steal: num(10), swaps: swaps(5), processes: map[int]ticks{1: {"init", 50}, 42: {"runner", 100}, 7: {"gone", 5}}}
	after := activity{busy: num(1300), steal: num(20), swaps: swaps(8), processes: map[int]ticks{1: {"init", 50}, 42: {"runner", 280}, 99: {"new", 100}}}
	got := compare(before, after, 2, 42)
	want := &Background{Seconds: 2, CPU: num(0.6), Steal: num(0.05), SwapPages: swaps(3), Busiest: []Process{{99, "new", 0.5}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := compare(activity{}, activity{}, 1); got.CPU != nil || got.SwapPages != nil {
		t.Errorf("a machine that tells nothing: %+v", got)
	}
}
