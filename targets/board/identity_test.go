package board

import (
	"context"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A report must name the machine behind its figures.
func TestABoardIsIdentifiedFromItsTrees(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("procfs and sysfs are Linux's")
	}
	root := treeOf(t, map[string]string{
		"proc/device-tree/model":                                  "Raspberry Pi 5 Model B Rev 1.0\x00",
		"proc/sys/kernel/random/boot_id":                          "0f2d\n",
		"proc/loadavg":                                            "0.25 0.10 0.05 1/100 4242\n",
		"proc/meminfo":                                            "MemTotal: 8000000 kB\nMemFree: 1 kB\nMemAvailable: 1 kB\nSwapTotal: 100 kB\nSwapFree: 60 kB\n",
		"proc/cpuinfo":                                            "processor : 0\nmodel name : Chip A\n\nprocessor : 1\nmodel name : Chip B\n\nprocessor : 2\nmodel name : Chip A\n\n",
		"proc/stat":                                               "cpu  1 1 1 1 0 0 0 0 0 0\ncpu0 1 1 1 1 0 0 0 0 0 0\n",
		"sys/class/thermal/thermal_zone0/temp":                    "48500\n",
		"sys/class/thermal/thermal_zone1/temp":                    "51250\n",
		"sys/class/thermal/thermal_zone2/temp":                    "-274000\n",
		"sys/class/thermal/thermal_zone3/temp":                    "off\n",
		"sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "performance\n",
		"sys/devices/system/cpu/cpufreq/policy4/scaling_governor": "ondemand\n",
		"sys/devices/system/cpu/cpufreq/policy7/scaling_governor": "ondemand\n",
	})
	load, temp := 0.25, 51.25
	want := Identity{
		Kind: Pi5, Model: "Raspberry Pi 5 Model B Rev 1.0", OS: "linux", Arch: runtime.GOARCH, CPU: "Chip A + Chip B", Cores: 3,
		MemoryBytes: 8_000_000 << 10, MemoryFree: 1 << 10, Governor: "ondemand,performance", BootID: "0f2d", Load1: &load, TempC: &temp,
	}
	// Host name, kernel and swap come from system calls, not from the tree.
	ignore := cmpopts.IgnoreFields(Identity{}, "Host", "Kernel", "SwapUsed", "Virtual", "Clusters", "Policies")
	if diff := cmp.Diff(want, Local(context.Background(), root), ignore); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
}

// Figures of a virtual machine and of a laptop must not pass for a board's.
func TestOtherMachines(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("procfs and sysfs are Linux's")
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  Identity
	}{
		"laptop": {
			map[string]string{"sys/class/dmi/id/product_name": "ThinkPad X1\n", "proc/cpuinfo": "processor : 0\nmodel name : Chip A\nflags : fpu sse2\n\n"},
			Identity{Model: "ThinkPad X1", CPU: "Chip A"},
		},
		"guest": {
			map[string]string{"proc/cpuinfo": "processor : 0\nmodel name : Chip A\nflags : fpu hypervisor sse2\n\n"},
			Identity{CPU: "Chip A", Virtual: "vm"},
		},
		"board and DMI": {
			map[string]string{"sys/firmware/devicetree/base/model": "Jetson\x00", "sys/class/dmi/id/product_name": "generic\n"},
			Identity{Model: "Jetson"},
		},
		"unnamed": {
			map[string]string{"proc/device-tree/model": "\x00", "sys/class/dmi/id/product_name": " \n"},
			Identity{},
		},
	} {
		id := Local(context.Background(), treeOf(t, c.files))
		if diff := cmp.Diff(c.want, Identity{Model: id.Model, CPU: id.CPU, Virtual: id.Virtual}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAMachineThatTellsNothingIsNoError(t *testing.T) {
	id := Local(context.Background(), t.TempDir())
	if id.OS != runtime.GOOS || id.Cores < 1 || id.TempC != nil {
		t.Errorf("got %+v", id)
	}
}

func TestThisMachineIsIdentified(t *testing.T) {
	id := Local(context.Background(), "/")
	t.Logf("%+v", id)
	if id.Cores < 1 || id.MemoryBytes < 1<<20 {
		t.Errorf("got %d cores, %d bytes", id.Cores, id.MemoryBytes)
	}
}
