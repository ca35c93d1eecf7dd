//go:build !noasm

package kernels

import "golang.org/x/sys/cpu"

// detect lists the assembly tiers of this CPU, the slowest first.
func detect() []Tier {
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasFMA || !x.HasF16C {
		return nil
	}
	tiers := []Tier{AVX2}
	if x.HasAVXVNNI {
		tiers = append(tiers, AVXVNNI)
	}
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VNNI {
		tiers = append(tiers, AVX512)
		if amxGranted() {
			tiers = append(tiers, AMX)
		}
	}
	return tiers
}
