package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// lengths has every remainder of the widest vector loops and their unrolling.
func lengths() []int {
	var ns []int
	for n := 1; n <= 140; n++ {
		ns = append(ns, n)
	}
	return append(ns, 256, 1000)
}

func TestDotAndAxpy(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(23, 24))
		for _, n := range lengths() {
			a := random(r, n)
			b, check := guarded(r, n)
			sum, size := naiveDot(a, b)
			near(t, fmt.Sprintf("Dot of %d", n), Dot(a, b), sum, size, 1e-6)
			before := append([]float32(nil), b...)
			Axpy(-0.75, a, b)
			check(t)
			for i := range b {
				want := float64(before[i]) - 0.75*float64(a[i])
				near(t, fmt.Sprintf("Axpy of %d at %d", n, i), b[i], want, 1+math.Abs(want), 1e-6)
			}
		}
	})
}

func TestRMSNorm(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(25, 26))
		for _, n := range lengths() {
			x, gain := random(r, n), random(r, n)
			dst, check := guarded(r, n)
			RMSNorm(dst, x, gain, 1e-5)
			check(t)
			var sum float64
			for _, v := range x {
				sum += float64(v) * float64(v)
			}
			for i := range x {
				want := float64(x[i]) / math.Sqrt(sum/float64(n)+1e-5) * float64(gain[i])
				near(t, fmt.Sprintf("RMSNorm of %d at %d", n, i), dst[i], want, math.Abs(want), 2e-6)
			}
		}
	})
}

func TestSwiGLU(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(27, 28))
		for _, n := range lengths() {
			gate, up := random(r, n), random(r, n)
			for i := range gate {
				gate[i] *= 8
			}
			if n > 4 {
				gate[0], gate[1], gate[2], gate[3] = 0, 200, -200, -87
			}
			dst, check := guarded(r, n)
			SwiGLU(dst, gate, up)
			check(t)
			for i, g := range gate {
				want := float64(g) / (1 + math.Exp(-float64(g))) * float64(up[i])
				near(t, fmt.Sprintf("SwiGLU(%v, %v)", g, up[i]), dst[i], want, math.Abs(want)+1e-25, 2e-6)
			}
			SwiGLU(gate, gate, up)
			for i := range gate {
				if gate[i] != dst[i] {
					t.Fatalf("SwiGLU in place of %d differs at %d", n, i)
				}
			}
			gate[0], up[0] = -1e35, 1
			if SwiGLU(dst, gate, up); !(math.Abs(float64(dst[0])) < 1e-3) {
				t.Errorf("SwiGLU(-1e35, 1) is %g", dst[0])
			}
			const rows = 3
			ld := n + r.IntN(5)
			gate, up = random(r, rows*ld), random(r, rows*ld)
			got, want := slices.Clone(gate), slices.Clone(gate)
			for i := range rows {
				row := want[i*ld:][:n]
				SwiGLU(row, row, up[i*ld:][:n])
			}
			SwiGLURows(got, got, up, ld, rows, n)
			if !slices.Equal(got, want) {
				t.Fatalf("SwiGLU of %d rows of %d values, %d apart, differs from that of each", rows, n, ld)
			}
		}
	})
}

func TestSoftmax(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(29, 30))
		for _, n := range lengths() {
			x, check := guarded(r, n)
			for i := range x {
				x[i] = x[i]*20 - 40
			}
			if n > 2 {
				x[n/2] = float32(math.Inf(-1))
			}
			top, sum := math.Inf(-1), 0.0
			for _, v := range x {
				top = max(top, float64(v))
			}
			want := make([]float64, n)
			for i, v := range x {
				want[i] = math.Exp(float64(v) - top)
				sum += want[i]
			}
			Softmax(x)
			check(t)
			for i := range x {
				near(t, fmt.Sprintf("Softmax of %d at %d", n, i), x[i], want[i]/sum, want[i]/sum+1e-30, 1e-5)
			}
			if n > 2 && x[n/2] != 0 {
				t.Fatalf("a masked position got weight %v", x[n/2])
			}
		}
	})
}

func TestSoftmaxShowsNaN(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, at := range []int{0, 5, 16, 30} {
			x := make([]float32, 33)
			x[at] = float32(math.NaN())
			Softmax(x)
			if x[at] == x[at] {
				t.Errorf("NaN at %d became %v: a broken model would look healthy", at, x[at])
			}
		}
	})
}

func TestExpAccuracy(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for base := float32(-87); base < 0; base += 0.37 {
			x := make([]float32, 64)
			for i := range x {
				x[i] = base + float32(i)*0.005
			}
			in := append([]float32(nil), x...)
			expSub(x, 0)
			for i, v := range in {
				want := math.Exp(float64(v))
				near(t, fmt.Sprintf("exp(%v)", v), x[i], want, want, 4e-7)
			}
		}
	})
}

func TestRoPE(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(31, 32))
		for _, headDim := range []int{2, 4, 6, 8, 10, 16, 30, 32, 34, 64, 128} {
			const pos, theta, heads = 11, 500000.0, 3
			cos, sin := make([]float32, headDim/2), make([]float32, headDim/2)
			RopeTable(pos, headDim, theta, cos, sin)
			x, check := guarded(r, heads*headDim)
			before := append([]float32(nil), x...)
			RoPE(x, headDim, cos, sin)
			check(t)
			for i := 0; i < len(x); i += 2 {
				angle := pos * math.Pow(theta, -float64(i%headDim)/float64(headDim))
				a, b := float64(before[i]), float64(before[i+1])
				size := math.Abs(a) + math.Abs(b)
				near(t, fmt.Sprintf("head size %d, x[%d]", headDim, i), x[i], a*math.Cos(angle)-b*math.Sin(angle), size, 1e-6)
				near(t, fmt.Sprintf("head size %d, x[%d]", headDim, i+1), x[i+1], a*math.Sin(angle)+b*math.Cos(angle), size, 1e-6)
			}
		}
	})
}
