//go:build !noasm

package kernels

// detect returns NEON: Advanced SIMD is part of every ARMv8-A that Linux runs.
func detect() []Tier { return []Tier{NEON} }
