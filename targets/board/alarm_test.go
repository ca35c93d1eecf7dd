package board

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// orinChips are the two INA3221 of an AGX Orin, and one that a user wired, with its fan.
var orinChips = map[string]string{
	"sys/class/hwmon/hwmon1/name": "ina3221\n", "sys/class/hwmon/hwmon1/in1_label": "VDD_GPU_SOC\n", "sys/class/hwmon/hwmon1/in2_label": "NC\n",
	"sys/class/hwmon/hwmon1/curr1_max_alarm": "0\n", "sys/class/hwmon/hwmon1/curr1_crit_alarm": "1\n",
	"sys/class/hwmon/hwmon1/curr2_max_alarm": "1\n", "sys/class/hwmon/hwmon1/curr2_crit_alarm": "1\n",
	"sys/class/hwmon/hwmon2/name": "ina3221\n", "sys/class/hwmon/hwmon2/in2_label": "VDDQ_VDD2_1V8AO\n",
	"sys/class/hwmon/hwmon2/curr2_max_alarm": "x\n", // as of a channel that is off
	"sys/class/hwmon/hwmon3/name":            "ina3221\n", "sys/class/hwmon/hwmon3/curr1_max_alarm": "1\n",
	"sys/class/hwmon/hwmon4/name": "pwm_tach\n", "sys/class/hwmon/hwmon4/rpm": "1812\n",
	"sys/class/hwmon/hwmon5/name": "pwmfan\n", "sys/class/hwmon/hwmon5/fan1_input": "0\n", "sys/class/hwmon/hwmon5/fan2_input": "-1\n",
}

// An alarm of a sensor that a user wired slows nothing down; one of the module's that is
// not asked lets a throttled trial through.
func TestAlarmsAreTheModules(t *testing.T) {
	s := Source{Root: treeOf(t, orinChips)}
	raised := func() (out []string) {
		for _, a := range s.Alarms(AGXOrin) {
			word := a.Rail + " " + a.Limit
			if s.Raised(a) {
				word += "!"
			}
			out = append(out, word)
		}
		return out
	}
	if diff := cmp.Diff([]string{"VDD_GPU_SOC warning", "VDD_GPU_SOC critical!"}, raised()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.Alarms(Pi5); got != nil {
		t.Errorf("a Raspberry Pi has %v", got)
	}
}

// A fan that stands is told from one that does not tell.
func TestFansTellTheirSpeed(t *testing.T) {
	s := Source{Root: treeOf(t, orinChips)}
	got := map[string]int64{}
	for _, f := range s.Fans() {
		got[f.Name] = *s.RPM(f)
	}
	if diff := cmp.Diff(map[string]int64{"pwm_tach": 1812, "pwmfan": 0}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Decoding is as fast as the memory: a clock that follows the load makes two trials of
// one cell differ.
func TestTheMemoryClockIsLookedAt(t *testing.T) {
	orin := map[string]string{
		"proc/device-tree/compatible": "nvidia,p3767-0005\x00nvidia,tegra234\x00", "proc/device-tree/model": "NVIDIA Jetson Orin Nano\x00",
		"proc/pressure/cpu": "some avg10=0.00 total=0\n", "etc/nvpmodel.conf": "< POWER_MODEL ID=1 NAME=25W >\n", "var/lib/nvpmodel/status": "pmode:0001\n",
		"sys/class/devfreq/17000000.gpu/cur_freq": "306000000\n", "sys/class/devfreq/17000000.gpu/min_freq": "306000000\n", "sys/class/devfreq/17000000.gpu/max_freq": "1020000000\n",
	}
	const dir = emcPath + "/"
	for name, c := range map[string]struct {
		files map[string]string
		say   []string
	}{
		"loose": {
			map[string]string{dir + "rate": "204000000\n", dir + "max_rate": "3199000000\n", dir + "mrq_rate_locked": "0\n"},
			[]string{"warn the memory clock follows the load: emc at 204 of 3199 MHz"},
		},
		"held":                          {map[string]string{dir + "rate": "3199000000\n", dir + "max_rate": "3199000000\n", dir + "mrq_rate_locked": "1\n"}, nil},
		"not root":                      {nil, []string{"note the memory clock follows the load, it seems: only root may read it; jetson_clocks would hold 17000000.gpu too, which may go from 306 to 1020 MHz"}},
		"not root, after jetson_clocks": {map[string]string{"sys/class/devfreq/17000000.gpu/min_freq": "1020000000\n"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(orin)
			maps.Copy(files, c.files)
			f, err := Source{Root: treeOf(t, files)}.Gather(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			f.SwapUsed, f.Load1, f.AllowedCPUs, f.OS = 0, nil, "", "linux"
			check(t, Diagnose(f, Want{External: true}), c.say)
		})
	}
}
