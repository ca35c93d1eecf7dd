package measure

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/board"
	"github.com/seed-c6f48606/harness/targets/power"
)

// Machine is where a session runs.
type Machine struct {
	// Root holds proc and sys; "/" on a real machine.
	Root string
	// Meter opens the energy sensor; nil = the best that is found below Root.
	Meter func(root string) (power.Meter, error)
}

// This is the machine that the program runs on.
func This() Machine { return Machine{Root: "/"} }

func (m Machine) text(path string) string {
	b, err := os.ReadFile(filepath.Join(m.Root, path))
	if err != nil {
		return "" // what a machine does not tell is unknown, not an error
	}
	return string(b)
}

// peakRSS is the greatest resident set of this process in bytes (VmHWM,
// proc_pid_status(5)), 0 where unknown.
func (m Machine) peakRSS() int64 {
	for line := range strings.Lines(m.text("proc/self/status")) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}

// Environment describes the machine and this program.
func (m Machine) Environment(ctx context.Context) wire.Environment {
	id := board.Local(ctx, m.Root)
	version, commit := wire.Build()
	env := wire.Environment{
		Host: id.Host, Board: id.Model, OS: id.OS, Arch: id.Arch, Kernel: id.Kernel, CPU: id.CPU, Cores: id.Cores,
		Online: id.Online, MemoryBytes: id.MemoryBytes, MemoryFree: id.MemoryFree, SwapUsed: id.SwapUsed, Governor: id.Governor, Virtual: id.Virtual, BootID: id.BootID,
		Kind: string(id.Kind), SoC: id.SoC, PowerMode: id.PowerMode, L4T: id.L4T, Features: strings.Join(id.Features, " "),
		Tier: kernels.Active().String(), GoVersion: runtime.Version(), ToolVersion: version, Commit: commit,
	}
	for _, p := range id.Policies {
		env.MaxKHz = max(env.MaxKHz, p.MaxKHz)
	}
	if id.Load1 != nil {
		env.Load1 = *id.Load1
	}
	if id.TempC != nil {
		env.TempC = *id.TempC
	}
	return env
}
