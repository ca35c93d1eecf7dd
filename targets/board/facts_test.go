package board

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// brief is what a person would say of a machine.
type brief struct {
	Kind                           Kind
	SoC, CPU, Online               string
	Clusters                       string // cores by type: CPUs/capacity/MHz
	Dot, MatMul                    bool   // asimddp, i8mm
	L4T, JetPack, Mode             string
	Governor                       string
	Clocks                         string // policy: cur/max MHz, locked
	TempC                          float64
	Caps                           string // cooling devices that cap
	Devices, Supplies, Battery     string
	Bits                           string
	SupplyMA, WrongShunts, Devnode int
}

func summary(f Facts, s Source) brief {
	b := brief{
		Kind: f.Kind, SoC: f.SoC, CPU: f.CPU, Online: f.Online, L4T: f.L4T, JetPack: f.JetPack, Mode: f.PowerMode, Governor: f.Governor,
		Devnode: len(f.Access),
	}
	var list []string
	join := func() string {
		defer func() { list = nil }()
		return strings.Join(list, " ")
	}
	for _, c := range f.Clusters {
		list = append(list, c.CPUs+"/"+itoa(int64(c.Capacity))+"/"+itoa(c.MaxKHz/1000))
	}
	b.Clusters = join()
	for _, p := range f.Policies {
		word := itoa(p.CurKHz/1000) + "/" + itoa(p.MaxKHz/1000)
		if p.Locked() {
			word += " locked"
		}
		list = append(list, word)
	}
	b.Clocks = join()
	for _, c := range f.Coolings {
		if c.Caps() {
			list = append(list, c.Type+"="+itoa(c.State))
		}
	}
	b.Caps = join()
	for _, d := range f.Devices {
		list = append(list, d.Name+"="+itoa(d.CurHz/1e6))
	}
	b.Devices = join()
	for _, p := range s.Supplies() {
		if v := s.Volts(p); v != nil {
			list = append(list, p.Rail+"="+itoa(int64(1000**v)))
		}
	}
	b.Supplies = join()
	for _, name := range f.Features {
		b.Dot = b.Dot || name == "asimddp"
		b.MatMul = b.MatMul || name == "i8mm"
	}
	if f.TempC != nil {
		b.TempC = *f.TempC
	}
	if f.Battery != nil {
		b.Battery = f.Battery.Name + " " + f.Battery.Status
	}
	if f.Firmware != nil {
		b.SupplyMA = f.Firmware.SupplyMA
		if t := f.Firmware.Throttle; t != nil {
			b.Bits = "now " + t.Now().String() + ", since " + t.Since().String()
		}
	}
	for _, x := range f.Shunts {
		if x.UOhm != x.WantUOhm {
			b.WrongShunts++
		}
	}
	return b
}

func itoa(n int64) string { b, _ := json.Marshal(n); return string(b) }

// A board taken for another is read by the wrong rules: rails, limits, remedies.
func TestFactsOfBoards(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("procfs and sysfs are Linux's")
	}
	tests := map[string]brief{
		"pi5": {
			Kind: Pi5, SoC: "bcm2712", CPU: "4× Cortex-A76", Online: "0-3", Clusters: "0-3/1024/2400", Dot: true, Governor: "ondemand",
			Clocks: "1500/2400", TempC: 48.8, Bits: "now , since under-voltage, throttled", SupplyMA: 3000, Devnode: 2,
		},
		"pi4": {
			Kind: Pi4, SoC: "bcm2711", CPU: "4× Cortex-A72", Online: "0-3", Clusters: "0-3/0/1800", Governor: "performance",
			Clocks: "1800/1800 locked", TempC: 45.277, Bits: "now , since ",
		},
		"orin-nano": {
			Kind: OrinNano, SoC: "tegra234", CPU: "6× Cortex-A78AE", Online: "0-5", Clusters: "0-5/0/1728", Dot: true, L4T: "36.4.3", JetPack: "6",
			Mode: "15W", Governor: "schedutil", Clocks: "729/1510 729/1510", TempC: 48.125,
			Caps: "cpufreq-cpu0=0 cpufreq-cpu4=0 devfreq-17000000.gpu=0", Devices: "17000000.gpu=306", Devnode: 2,
		},
		"agx-orin": {
			Kind: AGXOrin, SoC: "tegra234", CPU: "12× Cortex-A78AE", Online: "0-11", Clusters: "0-11/0/2201", Dot: true, L4T: "36.3.0", JetPack: "6",
			Mode: "MAXN", Governor: "performance", Clocks: "2201/2201 locked 2201/2201 locked 2201/2201 locked", TempC: 52.125,
			Caps: "cpufreq-cpu0=2", Supplies: "VIN_SYS_5V0=5032", WrongShunts: 3,
		},
		"jetson-nano": {
			Kind: JetsonNano, SoC: "tegra210", CPU: "4× Cortex-A57", Online: "0-3", Clusters: "0-3/0/1479", L4T: "32.7.1", JetPack: "4",
			Mode: "MAXN", Governor: "performance", Clocks: "1479/1479 locked", TempC: 41, Supplies: "POM_5V_IN=5064",
		},
		"rb3gen2": {
			Kind: RB3Gen2, SoC: "qcm6490", CPU: "4× Cortex-A55 + 3× Cortex-A78 + 1× Cortex-A78", Online: "0-7",
			Clusters: "0-3/324/1958 4-6/871/2400 7/1024/2707", Dot: true, Governor: "performance",
			Clocks: "1958/1958 locked 2400/2400 locked 2707/2707 locked", TempC: 44.1,
			Caps:    "cpufreq-cpu0=0 cpufreq-cpu4=0 devfreq-3d00000.gpu=0",
			Devices: "3d00000.gpu=315", Battery: "qcom-battmgr-bat Unknown",
		},
		"phone": {
			Kind: Phone, SoC: "SM8550", CPU: "3× Cortex-A510 + 2× Cortex-A715 + 2× Cortex-A710 + 1× Cortex-X3", Online: "0-7",
			Clusters: "0-2/0/2016 3-4/0/2803 5-6/0/0 7/0/3187", Dot: true, MatMul: true, Governor: "walt",
			Clocks: "787/2016 499/2803 595/3187", TempC: 39.5, Battery: "battery Charging",
		},
		"laptop": {
			Kind: Generic, CPU: "Example Core 5", Online: "0-1", Clusters: "0-1/0/4700", Governor: "powersave",
			Clocks: "1100/4700 900/4700", TempC: 46, Caps: "Processor=0", Battery: "BAT0 Discharging",
		},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			s := fixture(t, name)
			f, err := s.Gather(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, summary(f, s)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The facts are gathered on the board and judged on the controller: nothing that
// is judged may get lost on the way.
func TestFactsTravel(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("procfs and sysfs are Linux's")
	}
	for _, name := range []string{"pi5", "agx-orin", "phone"} {
		f, err := fixture(t, name).Gather(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var there Facts
		if err := json.Unmarshal(b, &there); err != nil {
			t.Fatal(err)
		}
		want := Want{PowerMode: "MAXN"}
		if diff := cmp.Diff(Diagnose(f, want), Diagnose(there, want)); diff != "" {
			t.Errorf("%s: findings here and there (-here +there):\n%s", name, diff)
		}
	}
}

func TestKindOfEveryModule(t *testing.T) {
	tests := []struct {
		model      string
		compatible []string
		want       Kind
	}{
		{"", []string{"nvidia,p3768-0000+p3767-0000", "nvidia,p3767-0000", "nvidia,tegra234"}, OrinNX},
		{"", []string{"nvidia,p3768-0000+p3767-0001", "nvidia,tegra234"}, OrinNX},
		{"", []string{"nvidia,p3768-0000+p3767-0003", "nvidia,tegra234"}, OrinNano},
		{"", []string{"nvidia,p3737-0000+p3701-0000", "nvidia,tegra234"}, AGXOrin},
		{"", []string{"nvidia,p3509-0000+p3668-0001", "nvidia,tegra194"}, XavierNX},
		{"", []string{"nvidia,p2972-0000", "nvidia,p2888-0001", "nvidia,tegra194"}, AGXXavier},
		{"", []string{"qcom,qrb5165-rb5", "qcom,sm8250"}, RB5},
		{"", []string{"raspberrypi,5-compute-module", "brcm,bcm2712"}, Pi5},
		{"", []string{"raspberrypi,3-model-b-plus", "brcm,bcm2837"}, Pi3},
		{"NVIDIA Orin NX Developer Kit", nil, OrinNX},
		{"NVIDIA Jetson Xavier NX Developer Kit", nil, XavierNX},
		{"Raspberry Pi 4 Model B Rev 1.5", nil, Pi4},
		{"Toaster", []string{"acme,toaster", "acme,chip"}, Generic},
		{"", nil, Generic},
	}
	for _, tt := range tests {
		if got := KindOf(tt.model, tt.compatible); got != tt.want {
			t.Errorf("%q %q: got %s, want %s", tt.model, tt.compatible, got, tt.want)
		}
	}
	if got := chip([]string{"a,b", "nvidia,tegra234"}); got != "tegra234" {
		t.Errorf("chip %q", got)
	}
}
