package kernels

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
)

// Tier is a set of implementations that needs certain CPU features.
type Tier uint8

const (
	Generic Tier = iota // plain Go
	AVX2                // amd64: AVX2, FMA, F16C
	AVXVNNI             // amd64: AVX2 and the dot product of AVX-VNNI
	AVX512              // amd64: AVX-512 F, BW, DQ, VL and VNNI
	AMX                 // amd64: AVX512 and the tile unit of AMX for bytes
	NEON                // arm64: ARMv8.0 Advanced SIMD
	DotProd             // arm64: NEON and the dot product of ARMv8.2
	I8MM                // arm64: DotProd and the matrix product of ARMv8.6
)

// tierEnv names a tier to start with, for tests and for comparisons.
const tierEnv = "KERNELS_TIER"

// String returns the name that KERNELS_TIER accepts and reports print.
func (t Tier) String() string {
	switch t {
	case Generic:
		return "generic"
	case AVX2:
		return "avx2"
	case AVXVNNI:
		return "avx-vnni"
	case AVX512:
		return "avx512-vnni"
	case AMX:
		return "amx-int8"
	case NEON:
		return "neon"
	case DotProd:
		return "neon-dotprod"
	case I8MM:
		return "neon-i8mm"
	}
	return fmt.Sprintf("tier(%d)", uint8(t))
}

var (
	available = append([]Tier{Generic}, detect()...) // slowest first
	active    atomic.Uint32
)

func init() {
	active.Store(uint32(available[len(available)-1]))
	name := os.Getenv(tierEnv)
	if name == "" {
		return
	}
	t, err := parseTier(name)
	if err != nil {
		panic(fmt.Sprintf("kernels: reading %s: %v", tierEnv, err))
	}
	active.Store(uint32(t))
}

func parseTier(name string) (Tier, error) {
	names := make([]string, len(available))
	for i, t := range available {
		if t.String() == name {
			return t, nil
		}
		names[i] = t.String()
	}
	return Generic, fmt.Errorf("tier %q is not available here (available: %s)", name, strings.Join(names, ", "))
}

// Active returns the tier in use.
func Active() Tier { return Tier(active.Load()) }

// Available returns the tiers that this machine and this build can run, the
// slowest first.
func Available() []Tier { return slices.Clone(available) }

// Force makes t the active tier until restore is called. It is meant for
// tests and for measuring every tier, with nothing else at work; matrices and
// activations packed under one tier work under any other.
func Force(t Tier) (restore func(), err error) {
	if !slices.Contains(available, t) {
		return nil, fmt.Errorf("forcing kernel tier %v: not available here (available: %v)", t, available)
	}
	before := active.Swap(uint32(t))
	return func() { active.Store(before) }, nil
}

// floatTier is the tier whose f32 functions the active one uses: dot products
// of integers add nothing to them.
func floatTier() Tier {
	switch t := Active(); t {
	case AVXVNNI:
		return AVX2
	case AMX:
		return AVX512
	case DotProd, I8MM:
		return NEON
	default:
		return t
	}
}
