package board

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One misread digit of a tool's answer turns a throttled board into a good one.
func TestAnswersOfTools(t *testing.T) {
	throttle := func(s string) (any, error) { v, err := ParseThrottle(s); return uint32(v), err }
	clock := func(s string) (any, error) { return ParseClock(s) }
	volts := func(s string) (any, error) { return ParseVolts(s) }
	query := func(s string) (any, error) { return ParseModeQuery(s) }
	status := func(s string) (any, error) { return ParseThermalStatus(s) }
	cpus := func(s string) (any, error) { return ParseCPUList(s) }
	tests := []struct {
		name  string
		parse func(string) (any, error)
		text  string
		want  any // nil = an error
	}{
		{"throttled", throttle, "throttled=0x50005\n", uint32(0x50005)},
		{"not throttled", throttle, "throttled=0x0", uint32(0)},
		{"of the kernel", throttle, "50000\n", uint32(0x50000)},
		{"firmware's error", throttle, "error=1 error_msg=\"Command not registered\"", nil},
		{"no bits", throttle, "", nil},
		{"clock", clock, "frequency(0)=2400033024\n", int64(2400033024)},
		{"clock of a Pi 4", clock, "frequency(48)=1500345728", int64(1500345728)},
		{"clock in words", clock, "frequency(0)=fast", nil},
		{"temperature for a clock", clock, "temp=48.8'C", nil},
		{"volts", volts, "      EXT5V_V volt(24)=5.06788000V\n", 5.06788},
		{"amps for volts", volts, "VDD_CORE_A current(7)=1.2A", nil},
		{"infinite volts", volts, "EXT5V_V volt(24)=InfV", nil},
		{"power mode", query, "NV Power Mode: 25W\n1\n", PowerMode{1, "25W"}},
		{"verbose power mode", query, "NVPM VERB: Current mode: NV Power Mode: MAXN\n0", PowerMode{0, "MAXN"}},
		{"mode without ID", query, "NV Power Mode: 25W", nil},
		{"no mode", query, "NVPM ERROR: opening", nil},
		{"thermal status", status, "IsStatusOverride: false\nThermal Status: 3\nCached", 3},
		{"no thermal status", status, "Thermal Status: ?", nil},
		{"thermal status of no level", status, "Thermal Status: 9", nil},
		{"CPUs", cpus, "0-2,5,7-8\n", []int{0, 1, 2, 5, 7, 8}},
		{"no CPUs", cpus, "\n", []int(nil)},
		{"CPUs backwards", cpus, "3-1", nil},
		{"endless CPUs", cpus, "0-4294967295", nil},
		{"many ranges", cpus, strings.Repeat("0-4095,", 9), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.parse(tt.text)
			if (err == nil) != (tt.want != nil) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); err == nil && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestVersionsOfJetsons(t *testing.T) {
	for text, want := range map[string][2]string{
		"# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic": {"36.4.3", "6"},
		"# R35 (release), REVISION: 4.1, GCID: 33958178":                 {"35.4.1", "5"},
		"# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref": {"32.7.1", "4"},
		"36.4.3-20250107174145": {"36.4.3", "6"}, // of the package
		"nonsense":              {"", ""},
	} {
		if got := ParseL4T(text); got != want[0] || JetPack(got) != want[1] {
			t.Errorf("%q: L4T %q, JetPack %q", text, got, JetPack(got))
		}
	}
	modes := ParseModes("< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n<POWER_MODEL  ID=2  NAME=MAXN_SUPER>\n< PM_CONFIG DEFAULT=0 >")
	if diff := cmp.Diff([]PowerMode{{0, "15W"}, {2, "MAXN_SUPER"}}, modes); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

func TestPropertiesOfAPhone(t *testing.T) {
	got := ParseProps("[ro.a]: [b]\n[ro.empty]: []\nnoise\n[ro.two\n[ro.x]: [y z]\n")
	if diff := cmp.Diff(map[string]string{"ro.a": "b", "ro.empty": "", "ro.x": "y z"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// cpu10 before cpu2 would give a board another order of cores every look.
func TestNumbersSortAsNumbers(t *testing.T) {
	got := []string{"a/zone10/temp", "a/zone2/temp", "a/zone2", "b", "a/zone1/temp"}
	byNumber(got)
	if diff := cmp.Diff([]string{"a/zone1/temp", "a/zone2", "a/zone2/temp", "a/zone10/temp", "b"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A hostile or broken board must give facts or none, never end the harness.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		"throttled=0x50005", "frequency(0)=2400033024", "EXT5V_V volt(24)=5.0V", "NV Power Mode: 25W\n1", "pmode:0001", "Thermal Status: 0",
		"0-3,6", "[a]: [b]", "< POWER_MODEL ID=0 NAME=15W >", "# R36 (release), REVISION: 4.3,", "cpu  1 2 3 4 5 6 7 8 9",
		"processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n", "42 (a) b) S 1 1 1 0 -1 0 0 0 0 0 300 100 0 0",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ParseThrottle(s)
		ParseClock(s)
		ParseModeQuery(s)
		parseModeStatus(s)
		ParseThermalStatus(s)
		ParseProps(s)
		ParseL4T(s)
		parseCPULine(s)
		parseProcess(s)
		parseSwaps(s)
		if v, err := ParseVolts(s); err == nil && !(v >= 0 && v < 100) {
			t.Fatalf("%g V", v)
		}
		if modes := ParseModes(s); len(modes) > maxEntries {
			t.Fatalf("%d modes", len(modes))
		}
		if all := parseCPUInfo(s); len(all) > maxCPU {
			t.Fatalf("%d processors", len(all))
		}
		cpus, err := ParseCPUList(s)
		if err != nil {
			return
		}
		back, err := ParseCPUList(FormatCPUList(cpus))
		if err != nil || !slices.Equal(cpus, back) {
			t.Fatalf("%v came back as %v: %v", cpus, back, err)
		}
	})
}

// Whatever a file of a tree holds, gathering ends and stays small.
func FuzzTree(f *testing.F) {
	f.Add("1\n")
	f.Add("nvidia,p3767-0005\x00nvidia,tegra234\x00")
	f.Add("processor : 99999999999\nprocessor : 1\nCPU part : 0xd0b\n")
	f.Fuzz(func(t *testing.T, text string) {
		files := map[string]string{}
		for _, name := range []string{
			"proc/cpuinfo", "proc/device-tree/model", "proc/device-tree/compatible", "proc/cmdline", "proc/self/status", "proc/stat",
			"sys/devices/system/cpu/cpufreq/policy0/related_cpus", "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq",
			"sys/class/thermal/thermal_zone0/temp", "sys/class/thermal/cooling_device0/cur_state", "etc/nvpmodel.conf",
			"var/lib/nvpmodel/status", "sys/class/power_supply/b/type", "sys/class/hwmon/hwmon0/in1_label",
		} {
			files[name] = text
		}
		facts, err := Source{Root: treeOf(t, files)}.Gather(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		Diagnose(facts, Want{PowerMode: text})
	})
}
