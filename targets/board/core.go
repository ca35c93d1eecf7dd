package board

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	xcpu "golang.org/x/sys/cpu"
)

// Cluster is a group of cores of one type that share a clock.
type Cluster struct {
	Core string `json:"core"` // such as "Cortex-A78"
	CPUs string `json:"cpus"` // such as "4-6"
	N    int    `json:"n"`
	// Capacity is the kernel's relative performance of one core, the board's
	// biggest 1024; 0 where it does not tell.
	Capacity int `json:"capacity,omitempty"`
	// MaxKHz is the hardware's greatest clock; 0 where it does not tell.
	MaxKHz int64 `json:"max_khz,omitempty"`
}

// parts names Arm cores by implementer and part (MIDR_EL1; the numbers are in
// each core's technical reference manual).
var parts = map[[2]uint64]string{
	{0x41, 0xd03}: "Cortex-A53", {0x41, 0xd04}: "Cortex-A35", {0x41, 0xd05}: "Cortex-A55", {0x41, 0xd07}: "Cortex-A57",
	{0x41, 0xd08}: "Cortex-A72", {0x41, 0xd09}: "Cortex-A73", {0x41, 0xd0a}: "Cortex-A75", {0x41, 0xd0b}: "Cortex-A76",
	{0x41, 0xd0c}: "Neoverse-N1", {0x41, 0xd0d}: "Cortex-A77", {0x41, 0xd40}: "Neoverse-V1", {0x41, 0xd41}: "Cortex-A78",
	{0x41, 0xd42}: "Cortex-A78AE", {0x41, 0xd44}: "Cortex-X1", {0x41, 0xd46}: "Cortex-A510", {0x41, 0xd47}: "Cortex-A710",
	{0x41, 0xd48}: "Cortex-X2", {0x41, 0xd49}: "Neoverse-N2", {0x41, 0xd4d}: "Cortex-A715", {0x41, 0xd4e}: "Cortex-X3",
	{0x41, 0xd4f}: "Neoverse-V2", {0x41, 0xd80}: "Cortex-A520", {0x41, 0xd81}: "Cortex-A720", {0x41, 0xd82}: "Cortex-X4",
	{0x4e, 0x003}: "Denver 2", {0x4e, 0x004}: "Carmel",
	{0x51, 0x001}: "Oryon", {0x51, 0x800}: "Cortex-A73", {0x51, 0x801}: "Cortex-A53", {0x51, 0x802}: "Cortex-A75",
	{0x51, 0x803}: "Cortex-A55", {0x51, 0x804}: "Cortex-A76", {0x51, 0x805}: "Cortex-A55",
}

// coreName names a part; one that is not known is given in numbers.
func coreName(implementer, part uint64) string {
	if name, ok := parts[[2]uint64{implementer, part}]; ok {
		return name
	}
	return "part 0x" + strconv.FormatUint(part, 16) + " of implementer 0x" + strconv.FormatUint(implementer, 16)
}

// processor is one block of /proc/cpuinfo.
type processor struct {
	cpu      int
	core     string
	arm      bool // told by implementer and part
	features []string
}

// parseCPUInfo reads /proc/cpuinfo of Arm and x86.
func parseCPUInfo(text string) []processor {
	var out []processor
	var implementer, part uint64
	var open bool
	name := ""
	flush := func() {
		if !open {
			return
		}
		p := &out[len(out)-1]
		switch {
		case part != 0 || implementer != 0:
			p.core, p.arm = coreName(implementer, part), true
		default:
			p.core = name
		}
		open, implementer, part, name = false, 0, 0, ""
	}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch key {
		case "processor":
			flush()
			n, err := strconv.Atoi(value)
			if err != nil || n < 0 || n >= maxCPU || len(out) >= maxCPU {
				continue
			}
			out, open = append(out, processor{cpu: n}), true
		case "CPU implementer":
			implementer, _ = strconv.ParseUint(value, 0, 32) // 0 = not told
		case "CPU part":
			part, _ = strconv.ParseUint(value, 0, 32)
		case "model name":
			name = value
		case "Features", "flags":
			if open {
				out[len(out)-1].features = strings.Fields(value)
			}
		}
	}
	flush()
	return out
}

// clusters groups the processors by type and clock.
func (s Source) clusters(all []processor) []Cluster {
	type group struct {
		Cluster
		cpus []int
	}
	var groups []group
	for _, p := range all {
		dir := "sys/devices/system/cpu/cpu" + strconv.Itoa(p.cpu)
		c := Cluster{Core: p.core}
		if n := s.number(dir, "cpu_capacity"); n != nil {
			c.Capacity = int(*n)
		}
		if n := s.number(dir, "cpufreq/cpuinfo_max_freq"); n != nil {
			c.MaxKHz = *n
		} else if n := s.number("sys/devices/system/cpu/cpufreq/policy"+strconv.Itoa(p.cpu), "cpuinfo_max_freq"); n != nil {
			c.MaxKHz = *n
		} else if n := len(groups); n > 0 && groups[n-1].Core == c.Core && groups[n-1].Capacity == c.Capacity {
			c.MaxKHz = groups[n-1].MaxKHz // a policy is named after its first CPU only
		}
		i := slices.IndexFunc(groups, func(g group) bool { return g.Cluster == c })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{Cluster: c})
		}
		groups[i].cpus = append(groups[i].cpus, p.cpu)
	}
	out := make([]Cluster, len(groups))
	for i, g := range groups {
		slices.Sort(g.cpus)
		out[i] = g.Cluster
		out[i].CPUs, out[i].N = FormatCPUList(g.cpus), len(g.cpus)
	}
	return out
}

// arithmetic are the features that decide which kernels can run.
var arithmetic = []string{
	"asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme",
	"avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8",
}

// commonFeatures are those of the arithmetic features that every core has. On
// this machine the kernel's word to programs (HWCAP) is added, which some phones
// leave out of /proc/cpuinfo.
func commonFeatures(all []processor, here bool) []string {
	var out []string
	for _, name := range arithmetic {
		with := func(p processor) bool { return slices.Contains(p.features, name) }
		if len(all) > 0 && !slices.ContainsFunc(all, func(p processor) bool { return !with(p) }) || here && hwcap(name) {
			out = append(out, name)
		}
	}
	return out
}

// hwcap says what the kernel tells this program about an Arm feature.
func hwcap(name string) bool {
	switch name {
	case "asimd":
		return xcpu.ARM64.HasASIMD
	case "asimdhp":
		return xcpu.ARM64.HasASIMDHP
	case "asimddp":
		return xcpu.ARM64.HasASIMDDP
	case "i8mm":
		return xcpu.ARM64.HasI8MM
	case "sve":
		return xcpu.ARM64.HasSVE
	case "sve2":
		return xcpu.ARM64.HasSVE2
	}
	return false
}

// coreSummary is a line such as "4× Cortex-A55 + 3× Cortex-A78", the biggest last.
func coreSummary(clusters []Cluster) string {
	sorted := slices.Clone(clusters)
	slices.SortStableFunc(sorted, func(a, b Cluster) int { return cmp.Compare(a.Capacity, b.Capacity) })
	var out []string
	for _, c := range sorted {
		out = append(out, strconv.Itoa(c.N)+"× "+c.Core)
	}
	return strings.Join(out, " + ")
}
