package kernels

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestF16RoundTripsEveryValue(t *testing.T) {
	for h := range 1 << 16 {
		f := F16ToF32(uint16(h))
		if f != f {
			if g := F16ToF32(F32ToF16(f)); g == g {
				t.Errorf("%#04x: NaN became %v", h, g)
			}
			continue
		}
		if got := F32ToF16(f); got != uint16(h) {
			t.Errorf("%#04x -> %v -> %#04x", h, f, got)
		}
	}
}

func TestHalfRoundsToNearestEven(t *testing.T) {
	for h := range 0x7bff {
		lo, hi := F16ToF32(uint16(h)), F16ToF32(uint16(h+1))
		mid := lo + (hi-lo)/2
		want := uint16(h + h&1)
		if got := F32ToF16(mid); got != want {
			t.Fatalf("F32ToF16(%v), halfway = %#04x, want %#04x", mid, got, want)
		}
		if got := F32ToF16(math.Nextafter32(mid, hi)); got != uint16(h+1) {
			t.Fatalf("F32ToF16 above the middle of %#04x = %#04x", h, got)
		}
		if got := F32ToF16(math.Nextafter32(mid, lo)); got != uint16(h) {
			t.Fatalf("F32ToF16 below the middle of %#04x = %#04x", h, got)
		}
	}
	for _, c := range []struct {
		in   float32
		want uint16
	}{{65519, 0x7bff}, {65520, 0x7c00}, {-1e9, 0xfc00}, {0, 0}, {1e-9, 0}} {
		if got := F32ToF16(c.in); got != c.want {
			t.Errorf("F32ToF16(%v) = %#04x, want %#04x", c.in, got, c.want)
		}
	}
	for _, c := range []struct {
		in   uint32
		want uint16
	}{{0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81}, {0x7f7fffff, 0x7f80}, {0xff800000, 0xff80}} {
		if got := F32ToBF16(math.Float32frombits(c.in)); got != c.want {
			t.Errorf("F32ToBF16(%#x) = %#04x, want %#04x", c.in, got, c.want)
		}
	}
	if v := BF16ToF32(F32ToBF16(math.Float32frombits(0x7f800001))); v == v {
		t.Errorf("bfloat16 turned NaN into %v", v)
	}
}

func TestFma32RoundsOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	check := func(a, b, c float32) {
		x := new(big.Float).SetPrec(400).SetFloat64(float64(a))
		x.Mul(x, big.NewFloat(float64(b)).SetPrec(400))
		x.Add(x, big.NewFloat(float64(c)).SetPrec(400))
		want, _ := x.Float32()
		if got := fma32(a, b, c); got != want {
			t.Fatalf("fma32(%v, %v, %v) = %v, want %v: tiers would differ", a, b, c, got, want)
		}
	}
	for range 20000 {
		a, b := float32(r.NormFloat64()), float32(r.NormFloat64())
		check(a, b, float32(r.NormFloat64()*math.Pow(2, float64(r.IntN(60)-30))))
	}
	// Just beside the middle of two float32, where rounding twice goes wrong.
	check(1+0x1p-12, 1+0x1p-12, 0x1p-70)
	check(0x1p-12, 0x1p-12, 1)
	check(0x1p-24+0x1p-47, 1, 1)
	check(1, 0x1p-24, 1)
	check(-0x1p-60, 1, 1+0x1p-23)
}
