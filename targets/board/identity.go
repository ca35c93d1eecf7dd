package board

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/shirou/gopsutil/v3/common"
	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
)

// Identity is a machine at one moment.
type Identity struct {
	Host   string
	Model  string // the device tree's or the DMI's name of the board
	OS     string
	Arch   string
	Kernel string
	CPU    string
	// Cores counts the logical cores that are online.
	Cores       int
	MemoryBytes int64
	SwapUsed    int64 // bytes
	// Governor lists the distinct cpufreq governors, comma separated.
	Governor string
	// Virtual names the hypervisor or container that this runs in.
	Virtual string
	BootID  string
	Load1   *float64
	TempC   *float64 // hottest thermal zone
}

// Local identifies this machine. root is "/" except in tests.
func Local(ctx context.Context, root string) Identity {
	if root != "/" {
		ctx = context.WithValue(ctx, common.EnvKey, common.EnvMap{
			common.HostProcEnvKey: filepath.Join(root, "proc"), common.HostSysEnvKey: filepath.Join(root, "sys"),
			common.HostEtcEnvKey: filepath.Join(root, "etc"), common.HostRootEnvKey: root,
		})
	}
	id := Identity{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(),
		Model:    model(root),
		Governor: governor(root),
		BootID:   text(root, "proc/sys/kernel/random/boot_id"),
		TempC:    Hottest(root),
	}
	id.Host, _ = os.Hostname()
	// Each of the following is optional: a machine that hides it leaves it empty.
	if v, err := host.KernelVersionWithContext(ctx); err == nil {
		id.Kernel = v
	}
	if system, role, err := host.VirtualizationWithContext(ctx); err == nil && role == "guest" {
		id.Virtual = system
	}
	if infos, err := cpu.InfoWithContext(ctx); err == nil {
		id.CPU = processors(infos)
		if id.Virtual == "" && slices.ContainsFunc(infos, hypervised) {
			id.Virtual = "vm"
		}
	}
	if n, err := cpu.CountsWithContext(ctx, true); err == nil && n > 0 {
		id.Cores = n
	}
	if v, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		id.MemoryBytes = int64(v.Total)
	}
	if v, err := mem.SwapMemoryWithContext(ctx); err == nil {
		id.SwapUsed = int64(v.Used)
	}
	if v, err := load.AvgWithContext(ctx); err == nil {
		id.Load1 = &v.Load1
	}
	return id
}

// processors joins the distinct model names, of which a big.LITTLE board has several.
func processors(infos []cpu.InfoStat) string {
	var names []string
	for _, c := range infos {
		if name := strings.TrimSpace(c.ModelName); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " + ")
}

// hypervised reports the x86 CPUID bit that every hypervisor sets for its guests.
func hypervised(c cpu.InfoStat) bool { return slices.Contains(c.Flags, "hypervisor") }

func model(root string) string {
	for _, path := range []string{
		"proc/device-tree/model", "sys/firmware/devicetree/base/model", "sys/class/dmi/id/product_name",
	} {
		if s := text(root, path); s != "" {
			return s
		}
	}
	return ""
}

func governor(root string) string {
	paths, err := filepath.Glob(filepath.Join(root, "sys/devices/system/cpu/cpufreq/policy*/scaling_governor"))
	if err != nil {
		return "" // the pattern is constant
	}
	var names []string
	for _, path := range paths {
		if s := text("", path); s != "" && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// text reads a one-line file, "" where it cannot be read. Device tree strings
// end in NUL.
func text(root, path string) string {
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return ""
	}
	return strings.Trim(string(b), "\x00\n\t ")
}
