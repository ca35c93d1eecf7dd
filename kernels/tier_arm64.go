//go:build !noasm

package kernels

import "golang.org/x/sys/cpu"

// detect lists the assembly tiers of this CPU, the slowest first. Advanced SIMD
// is part of every ARMv8-A that Linux runs.
func detect() []Tier {
	tiers := []Tier{NEON}
	if cpu.ARM64.HasASIMDDP {
		tiers = append(tiers, DotProd)
		if cpu.ARM64.HasI8MM {
			tiers = append(tiers, I8MM)
		}
	}
	return tiers
}
