package kernels

import (
	"math"
	"sync/atomic"
)

// Mix is an arithmetic whose greatest rate on a machine can be measured.
type Mix uint8

const (
	// MixInt8 multiplies 8-bit weights and 8-bit activations and adds in 32 bits.
	MixInt8 Mix = iota
	// MixInt4 is what a tier does instead for weights of 4 bits, whose products
	// it can add in 16 bits. Only tiers without a dot product have it.
	MixInt4
	// MixF32 is fused multiply-add in f32.
	MixF32
)

// String returns the short name that reports print.
func (m Mix) String() string { return [...]string{"int8", "int4", "f32"}[m] }

// Probe is a loop on registers alone in the instructions that a tier's products
// are made of. Its rate is a limit that no product on that tier can pass.
type Probe struct {
	Tier Tier
	Mix  Mix
	// OpsPerRound counts operations, two a multiply-accumulate.
	OpsPerRound int
	run         func(rounds int)
}

// Run does that many rounds. A call cannot be interrupted, so keep it short:
// some thousands of rounds are tens of µs.
func (p Probe) Run(rounds int) { p.run(max(1, rounds)) }

// Probes returns the probes of all available tiers, the slowest tier first.
func Probes() []Probe {
	var out []Probe
	for _, t := range available {
		for _, p := range probes[t] {
			p.Tier = t
			out = append(out, p)
		}
	}
	return out
}

// probeLine is what a read takes of a place at a time, in bytes.
const probeLine = 128

// ProbeRead reads p once from its first to its last whole 256 bytes and asks for
// the lines ahead bytes further on the way. What is there need not be mapped. A
// call cannot be interrupted, so keep it to some tens of KiB.
func ProbeRead(p []byte, ahead int) {
	if n := len(p) / (2 * probeLine); n > 0 {
		probeRead(p, p[probeLine:], n, 2*probeLine, ahead)
	}
}

// ProbeReadPair is ProbeRead of two places by turns, as far as the shorter one
// goes. Some processors fetch more of two streams than of one.
func ProbeReadPair(p, q []byte, ahead int) {
	if n := min(len(p), len(q)) / probeLine; n > 0 {
		probeRead(p, q, n, probeLine, ahead)
	}
}

// probeSink keeps the compiler from dropping what the Go probes compute.
var probeSink atomic.Uint64

// genericProbes are those of plain Go, as its products are written.
var genericProbes = []Probe{
	{Mix: MixInt8, OpsPerRound: 2 * 32, run: probeInt8Generic},
	{Mix: MixF32, OpsPerRound: 2 * 8, run: probeF32Generic},
}

func probeInt8Generic(rounds int) {
	w, x := [8]int8{1, 1, 1, 1, 1, 1, 1, 1}, [8]int8{1, 1, 1, 1, 1, 1, 1, 1}
	var a, b, c, d int32
	for range rounds {
		for range 4 {
			a += int32(w[0])*int32(x[0]) + int32(w[4])*int32(x[4])
			b += int32(w[1])*int32(x[1]) + int32(w[5])*int32(x[5])
			c += int32(w[2])*int32(x[2]) + int32(w[6])*int32(x[6])
			d += int32(w[3])*int32(x[3]) + int32(w[7])*int32(x[7])
		}
		w[0] ^= 1
	}
	probeSink.Store(uint64(a + b + c + d))
}

func probeF32Generic(rounds int) {
	var s [8]float32
	x, w := float32(0.5), float32(0.25)
	for range rounds {
		for i := range s {
			s[i] += x * w
		}
		x = -x
	}
	for _, v := range s {
		probeSink.Store(uint64(math.Float32bits(v)))
	}
}
