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
	Host   string `json:"host,omitempty"`
	Kind   Kind   `json:"kind"`
	Model  string `json:"model,omitempty"` // the device tree's, the phone's or the DMI's name of the board
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Kernel string `json:"kernel,omitempty"`
	CPU    string `json:"cpu,omitempty"`
	SoC    string `json:"soc,omitempty"`
	// Clusters are the cores by type and clock.
	Clusters []Cluster `json:"clusters,omitempty"`
	// Features are the arithmetic features that all cores have.
	Features []string `json:"features,omitempty"`
	// Cores counts the logical cores that are online; Online lists them.
	Cores       int    `json:"cores"`
	Online      string `json:"online,omitempty"`
	MemoryBytes int64  `json:"memory_bytes,omitempty"`
	// MemoryFree is what programs can still take without swapping, bytes.
	MemoryFree int64 `json:"memory_free_bytes,omitempty"`
	SwapUsed   int64 `json:"swap_used_bytes,omitempty"`
	// Governor lists the distinct cpufreq governors, comma separated.
	Governor string   `json:"governor,omitempty"`
	Policies []Policy `json:"policies,omitempty"`
	// L4T and JetPack are the versions of a Jetson's software.
	L4T     string `json:"l4t,omitempty"`
	JetPack string `json:"jetpack,omitempty"`
	// PowerMode is the name of a Jetson's power budget; PowerModes are those it has.
	PowerMode  string      `json:"power_mode,omitempty"`
	PowerModes []PowerMode `json:"power_modes,omitempty"`
	Android    *Android    `json:"android,omitempty"`
	// Virtual names the hypervisor or container that this runs in.
	Virtual string   `json:"virtual,omitempty"`
	BootID  string   `json:"boot_id,omitempty"`
	Load1   *float64 `json:"load1,omitempty"`
	TempC   *float64 `json:"temp_c,omitempty"` // hottest thermal zone
}

// simulated marks the file system of a virtual board of this project.
const simulated = "etc/harness-virtual"

// Emulated is the Virtual of such a board.
const Emulated = "harness-virtual"

// Local identifies this machine. root is "/" except in tests.
func Local(ctx context.Context, root string) Identity { return At(root).Identity(ctx) }

// Identity says what the machine is.
func (s Source) Identity(ctx context.Context) Identity {
	compatible := s.compatible()
	processors := parseCPUInfo(string(s.bytes("proc/cpuinfo")))
	policies := s.Policies()
	id := Identity{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Online: s.text("sys/devices/system/cpu/online"),
		Model: s.model(), SoC: chip(compatible),
		Clusters: s.clusters(processors), Features: commonFeatures(processors, s.Root == "/"),
		Policies: policies, Governor: governors(policies),
		Kernel: s.text("proc/sys/kernel/osrelease"),
		BootID: s.text("proc/sys/kernel/random/boot_id"),
		TempC:  Hottest(s.Root),
	}
	id.Kind = KindOf(id.Model, compatible)
	if id.Kind == Generic {
		if id.Android = s.android(ctx); id.Android != nil {
			id.Kind, id.Model, id.SoC = Phone, id.Android.Model, id.Android.SoC
		}
	}
	if id.Kind.Jetson() {
		id.L4T = s.l4t(ctx)
		id.JetPack = JetPack(id.L4T)
		all, now := s.modes(ctx)
		if id.PowerModes = all; now != nil {
			id.PowerMode = now.Name
		}
	}
	id.Host, _ = os.Hostname()
	id.fromHost(ctx, s.Root)
	if s.text(simulated) != "" {
		id.Virtual = Emulated
	}
	if slices.ContainsFunc(processors, func(p processor) bool { return p.arm }) {
		id.CPU = coreSummary(id.Clusters) // an Arm kernel tells no model names
	}
	return id
}

// fromHost adds what gopsutil knows. Each fact is optional: a machine that hides
// it leaves it empty.
func (id *Identity) fromHost(ctx context.Context, root string) {
	if root != "/" {
		ctx = context.WithValue(ctx, common.EnvKey, common.EnvMap{
			common.HostProcEnvKey: filepath.Join(root, "proc"), common.HostSysEnvKey: filepath.Join(root, "sys"),
			common.HostEtcEnvKey: filepath.Join(root, "etc"), common.HostRootEnvKey: root,
		})
	}
	if v, err := host.KernelVersionWithContext(ctx); err == nil && id.Kernel == "" {
		id.Kernel = v
	}
	if system, role, err := host.VirtualizationWithContext(ctx); err == nil && role == "guest" {
		id.Virtual = system
	}
	if infos, err := cpu.InfoWithContext(ctx); err == nil {
		id.CPU = modelNames(infos)
		if id.Virtual == "" && slices.ContainsFunc(infos, hypervised) {
			id.Virtual = "vm"
		}
	}
	if n, err := cpu.CountsWithContext(ctx, true); err == nil && n > 0 {
		id.Cores = n
	}
	if v, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		id.MemoryBytes, id.MemoryFree = int64(v.Total), int64(v.Available)
	}
	if v, err := mem.SwapMemoryWithContext(ctx); err == nil {
		id.SwapUsed = int64(v.Used)
	}
	if v, err := load.AvgWithContext(ctx); err == nil {
		id.Load1 = &v.Load1
	}
}

// modelNames joins the distinct model names, of which a big.LITTLE board has several.
func modelNames(infos []cpu.InfoStat) string {
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

func (s Source) model() string {
	for _, path := range []string{
		"proc/device-tree/model", "sys/firmware/devicetree/base/model", "sys/class/dmi/id/product_name",
	} {
		if t := s.text(path); t != "" {
			return t
		}
	}
	return ""
}

// compatible is the device tree's list, the most specific string first.
func (s Source) compatible() []string {
	for _, path := range []string{"proc/device-tree/compatible", "sys/firmware/devicetree/base/compatible"} {
		if t := s.text(path); t != "" {
			return strings.Split(t, "\x00")
		}
	}
	return nil
}
