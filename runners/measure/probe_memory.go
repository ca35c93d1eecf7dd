package measure

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// lastCache is the size of the largest cache of any processor in bytes, 0 where
// unknown.
func (m Machine) lastCache() int64 {
	paths, err := filepath.Glob(filepath.Join(m.Root, "sys/devices/system/cpu/cpu*/cache/index*/size"))
	if err != nil {
		return 0 // the pattern is constant
	}
	var largest int64
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		number, unit := strings.TrimSpace(string(b)), int64(1)
		for suffix, size := range map[string]int64{"K": 1 << 10, "M": 1 << 20} {
			if n, ok := strings.CutSuffix(number, suffix); ok {
				number, unit = n, size
			}
		}
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			largest = max(largest, n*unit)
		}
	}
	return largest
}

// availableMemory is what can be taken without swapping and within the limit of
// the control group, in bytes, 0 where unknown.
func (m Machine) availableMemory() int64 {
	var free int64
	for line := range strings.Lines(m.text("proc/meminfo")) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err == nil {
				free = kib << 10
			}
		}
	}
	number := func(path string) (int64, bool) {
		n, err := strconv.ParseInt(strings.TrimSpace(m.text(path)), 10, 64)
		return n, err == nil
	}
	limit, ok1 := number("sys/fs/cgroup/memory.max")
	used, ok2 := number("sys/fs/cgroup/memory.current")
	if ok1 && ok2 && (free == 0 || limit-used < free) {
		free = max(1, limit-used)
	}
	return free
}

// resetPeakRSS makes peakRSS count from now on and reports whether the kernel
// did so (proc_pid_clear_refs(5)).
func (m Machine) resetPeakRSS() bool {
	return os.WriteFile(filepath.Join(m.Root, "proc/self/clear_refs"), []byte("5"), 0) == nil
}
