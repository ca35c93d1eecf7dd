package compress

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-c6f48606/harness/kernels"
)

// gaussian fills rows×cols with N(0,1).
func gaussian(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// activations are rows×n with correlated channels of decaying scale, as the
// inputs of a transformer's matrices have.
func activations(rng *rand.Rand, mix []float32, rows, n int) []float32 {
	z := gaussian(rng, rows*n)
	for i := range z {
		z[i] *= float32(math.Pow(float64(i%n+1), -0.7))
	}
	return product(2, z, mix, rows, n, n, false)
}

// outputError is ‖X(Ŵ−W)ᵀ‖²/‖XWᵀ‖².
func outputError(x []float32, rows int, approx, w []float32, m, n int) float64 {
	return relative(product(2, x, approx, rows, n, m, true), product(2, x, w, rows, n, m, true))
}

func dequantized(q []int8, scale []uint16, rows, cols, group int) []float32 {
	groups := (cols + group - 1) / group
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(q[i]) * kernels.F16ToF32(scale[i/cols*groups+i%cols/group])
	}
	return w
}

// Each further bit must buy accuracy, else a sweep's bits axis shows nothing;
// a plain grid without scale search is the baseline to beat at few bits.
func TestQuantizeErrorFallsWithBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, shape := range []struct{ rows, cols, group int }{{64, 256, 32}, {7, 100, 32}, {5, 33, 64}, {3, 20, 128}} {
		w := gaussian(rng, shape.rows*shape.cols)
		last := math.Inf(1)
		for _, bits := range []int{2, 3, 4, 5, 6, 8} {
			q, s, err := quantize(2, w, shape.rows, shape.cols, bits, shape.group, nil)
			if err != nil {
				t.Fatal(err)
			}
			e := relative(dequantized(q, s, shape.rows, shape.cols, shape.group), w)
			if e >= last {
				t.Errorf("%v: %d bits err %.3g, no better than fewer bits %.3g", shape, bits, e, last)
			}
			last = e
			limit := int8(1)<<(bits-1) - 1
			for _, v := range q {
				if v > limit || v < -limit-1 || bits == 8 && v == -128 {
					t.Fatalf("%d bits: %d lies outside the grid", bits, v)
				}
			}
			plain := plainError(w, shape.cols, bits, shape.group)
			t.Logf("%v %d bits: relative error %.3g, plain grid %.3g", shape, bits, e, plain)
			if bits <= 4 && e > 0.93*plain {
				t.Errorf("%v %d bits: scale search gains too little: %.3g, plain %.3g", shape, bits, e, plain)
			}
		}
	}
}

// plainError rounds with s = max|w|/(2^(b−1)−1) in float64.
func plainError(w []float32, cols, bits, group int) float64 {
	hi := float64(int(1)<<(bits-1) - 1)
	approx := make([]float32, len(w))
	for row := 0; row < len(w); row += cols {
		for lo := row; lo < row+cols; lo += group {
			var top float64
			for _, v := range w[lo:min(lo+group, row+cols)] {
				top = max(top, math.Abs(float64(v)))
			}
			for i := lo; i < min(lo+group, row+cols); i++ {
				approx[i] = float32(math.RoundToEven(float64(w[i])/top*hi) * top / hi)
			}
		}
	}
	return relative(approx, w)
}

func TestQuantizeEdges(t *testing.T) {
	q, s, err := quantize(1, []float32{0, 0, 0, 1e-12}, 2, 2, 4, 32, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range dequantized(q, s, 2, 2, 32) {
		if v != 0 {
			t.Errorf("weight %d: vanishing weights became %g", i, v)
		}
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1)), 3e38} {
		if _, _, err := quantize(1, []float32{1, bad}, 1, 2, 8, 32, nil); err == nil {
			t.Errorf("weight %g went through", bad)
		}
	}
	again, _, _ := quantize(2, gaussian(rand.New(rand.NewPCG(3, 3)), 640), 20, 32, 3, 32, nil)
	once, _, _ := quantize(1, gaussian(rand.New(rand.NewPCG(3, 3)), 640), 20, 32, 3, 32, nil)
	for i := range once {
		if once[i] != again[i] {
			t.Fatal("the number of threads changed an artefact")
		}
	}
}

// Important inputs must come out better when their importance is known.
func TestQuantizeWeighsByImportance(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	const m, n = 96, 128
	mix := gaussian(rng, n*n)
	x := activations(rng, mix, 1000, n)
	held := activations(rng, mix, 300, n)
	for j := range n { // a few loud channels
		if j%9 == 0 {
			for i := range 1000 {
				x[i*n+j] *= 12
			}
			for i := range 300 {
				held[i*n+j] *= 12
			}
		}
	}
	h := gram(2, x, 1000, n)
	diag := make([]float32, n)
	for i := range diag {
		diag[i] = h[i*n+i]
	}
	w := gaussian(rng, m*n)
	errs := map[bool]float64{}
	for _, weigh := range []bool{false, true} {
		imp := diag
		if !weigh {
			imp = nil
		}
		q, s, err := quantize(2, w, m, n, 3, 32, imp)
		if err != nil {
			t.Fatal(err)
		}
		errs[weigh] = outputError(held, 300, dequantized(q, s, m, n, 32), w, m, n)
	}
	t.Logf("3 bits, held-out output error: unweighted %.4f, weighted %.4f", errs[false], errs[true])
	if errs[true] >= errs[false] {
		t.Error("weighting by activation energy did not help")
	}
}

// Whitening is what the rank axis stands on: without it a factored model loses
// far more F1 at the same size.
func TestWhitenedBasisBeatsPlainSVD(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for _, shape := range []struct{ m, n int }{{96, 96}, {192, 64}, {48, 160}, {600, 560}} {
		m, n := shape.m, shape.n
		rows := 6 * n
		mix := gaussian(rng, n*n)
		x, held := activations(rng, mix, rows, n), activations(rng, mix, 400, n)
		w := gaussian(rng, m*n)
		h := gram(2, x, rows, n)
		white, err := outputBasis(w, m, n, h)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := outputBasis(w, m, n, nil)
		if err != nil {
			t.Fatal(err)
		}
		last := math.Inf(1)
		for _, ratio := range []float64{0.1, 0.25, 0.5, 0.9} {
			r := rankOf(ratio, m, n)
			reach := func(s basis) float64 {
				b, a := s.factor(w, n, r)
				return outputError(held, 400, product(2, b, a, m, r, n, false), w, m, n)
			}
			ew, ep := reach(white), reach(plain)
			t.Logf("%d×%d rank %d: held-out output error whitened %.4f, plain SVD %.4f", m, n, r, ew, ep)
			if ew >= ep {
				t.Errorf("%d×%d rank %d: whitened %.4f is not below plain %.4f", m, n, r, ew, ep)
			}
			if ew >= last {
				t.Errorf("%d×%d: error does not fall with the rank", m, n)
			}
			last = ew
		}
		// The factorization's own account: energy lost = energy behind rank r.
		r := rankOf(0.5, m, n)
		b, a := white.factor(w, n, r)
		var kept float64
		for _, p := range white.power[:r] {
			kept += float64(p)
		}
		y := product(2, x, w, rows, n, m, true)
		got := outputError(x, rows, product(2, b, a, m, r, n, false), w, m, n)
		if want := 1 - kept/energy(y); math.Abs(got-want) > 0.02*want+1e-4 {
			t.Errorf("%d×%d: in-sample error %.5f, spectrum says %.5f", m, n, got, want)
		}
	}
}

func TestRankOf(t *testing.T) {
	for _, tt := range []struct {
		ratio float64
		m, n  int
		want  int
	}{{1, 1024, 1024, 512}, {0.5, 1024, 1024, 256}, {0.5, 3072, 1024, 384}, {0.01, 8, 8, 1}, {0.7, 100, 100, 35}} {
		if got := rankOf(tt.ratio, tt.m, tt.n); got != tt.want {
			t.Errorf("rankOf(%g, %d, %d) = %d, want %d", tt.ratio, tt.m, tt.n, got, tt.want)
		}
	}
}

// A pruned block without repair loses what the neurons that stay could make
// up for; a bad choice of neurons loses even more.
func TestRepairAndOrderBeatBaselines(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	const d, n, rows = 64, 160, 1500
	mix := gaussian(rng, n*n)
	x, held := activations(rng, mix, rows, n), activations(rng, mix, 500, n)
	w := gaussian(rng, d*n)
	order, err := neuronOrder(w, d, n, gram(2, x, rows, n))
	if err != nil {
		t.Fatal(err)
	}
	if len(order) != 4 {
		t.Fatalf("%d steps from 160 to 32 neurons", len(order))
	}
	loss := func(ids []int, mend bool) float64 {
		wk, xk, hk := columns(w, d, n, ids), columns(x, rows, n, ids), columns(held, 500, n, ids)
		if mend {
			wk, err = repair(2, wk, d, len(ids), xk, product(2, x, w, rows, n, d, true), rows)
			if err != nil {
				t.Fatal(err)
			}
		}
		return relative(product(2, hk, wk, 500, len(ids), d, true), product(2, held, w, 500, n, d, true))
	}
	ids := kept(order, 2, n)
	first := make([]int, len(ids)) // a choice without importance
	for i := range first {
		first[i] = i * n / len(ids)
	}
	mended, raw, blind := loss(ids, true), loss(ids, false), loss(first, true)
	t.Logf("96 of 160 neurons, held-out output error: repaired %.4f, unrepaired %.4f, repaired blind choice %.4f", mended, raw, blind)
	if mended >= raw {
		t.Error("least-squares repair did not beat no repair")
	}
	if mended >= blind {
		t.Error("the surgeon's choice did not beat a blind one")
	}
}

// Heads must leave evenly, or the key/value sharing of the rest breaks.
func TestHeadOrderTakesOnePerGroup(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 11))
	const d, heads, groups, dim = 48, 6, 2, 16
	n := heads * dim
	x := activations(rng, gaussian(rng, n*n), 700, n)
	order, err := headOrder(gaussian(rng, d*n), d, heads, groups, dim, gram(2, x, 700, n))
	if err != nil {
		t.Fatal(err)
	}
	if len(order) != 2 {
		t.Fatalf("%d steps from 3 heads a group to 1", len(order))
	}
	for step, r := range order {
		count := map[int]int{}
		for _, in := range r.inputs {
			count[in/dim]++
		}
		perGroup := map[int]int{}
		for head, inputs := range count {
			if inputs != dim {
				t.Errorf("step %d: head %d loses %d of %d inputs", step, head, inputs, dim)
			}
			perGroup[head/(heads/groups)]++
		}
		for g := range groups {
			if perGroup[g] != 1 {
				t.Errorf("step %d takes %d heads from group %d", step, perGroup[g], g)
			}
		}
	}
	if one, err := headOrder(gaussian(rng, d*n), d, heads, heads, dim, gram(2, x, 700, n)); err != nil || one != nil {
		t.Errorf("heads without company in their group: order %v, err %v", one, err)
	}
}
