package compress

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed-c6f48606/harness/kernels"
)

// A gate that does not fit what it saw skips the wrong sequences.
func TestFitLogisticFindsTheBoundary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, shape := range []struct{ n, d int }{{400, 12}, {120, 200}} {
		truth := gaussian(rng, shape.d)
		draw := func(n int) ([]float32, []bool) {
			x, y := gaussian(rng, n*shape.d), make([]bool, n)
			for i := range y {
				var z float64
				for j, v := range x[i*shape.d : (i+1)*shape.d] {
					z += float64(v * truth[j])
				}
				y[i] = z > 1
			}
			for i := range x { // neither centred nor of unit spread
				x[i] = 3*x[i] + 5
			}
			return x, y
		}
		x, y := draw(shape.n)
		held, want := draw(1000)
		l := fitLogistic(x, shape.d, y, 5)
		var right, base int
		for i, w := range want {
			if (l.logit(held[i*shape.d:(i+1)*shape.d]) > 0) == w {
				right++
			}
			if !w {
				base++
			}
		}
		t.Logf("%v: %d of 1000 right, majority %d", shape, right, base)
		if right < base+40 {
			t.Errorf("%v: %d of 1000 right, the majority class alone gives %d", shape, right, base)
		}
		gradientVanishes(t, x, shape.d, y, l, 5)
	}
}

// gradientVanishes checks the optimality condition of the penalised loss.
func gradientVanishes(t *testing.T, x []float32, d int, y []bool, l logistic, penalty float64) {
	t.Helper()
	_, spread := moments(x, d)
	grad := make([]float64, d)
	var bias, scale float64
	mean, _ := moments(x, d)
	atMean := sigmoid(l.logit(mean))
	bias = atMean - 0.5
	for i, pos := range y {
		p := sigmoid(l.logit(x[i*d : (i+1)*d]))
		if pos {
			p--
		}
		bias += p
		scale += math.Abs(p)
		for j := range grad {
			grad[j] += p * float64((x[i*d+j]-mean[j])/spread)
		}
	}
	if math.Abs(bias) > 0.01*scale {
		t.Errorf("d=%d: the bias' gradient is %.3g", d, bias)
	}
	for j := range grad {
		if g := grad[j] + penalty*float64(l.w[j]*spread); math.Abs(g) > 0.01*scale {
			t.Errorf("d=%d: the gradient of weight %d is %.3g", d, j, g)
		}
	}
}

// Where no sequence ever needed a block, the gate must say so and stay finite.
func TestFitLogisticOfOneClass(t *testing.T) {
	x := gaussian(rand.New(rand.NewPCG(2, 2)), 100*8)
	for _, class := range []bool{false, true} {
		y := make([]bool, 100)
		for i := range y {
			y[i] = class
		}
		l := fitLogistic(x, 8, y, 5)
		p := sigmoid(l.logit(x[:8]))
		if class {
			p = 1 - p
		}
		if !(p > 0 && p < 0.05) {
			t.Errorf("all %v: probability of the other class %g", class, p)
		}
	}
	same := make([]float32, 100*8)
	if l := fitLogistic(same, 8, make([]bool, 100), 5); math.IsNaN(l.b) {
		t.Error("constant features gave NaN")
	}
}

func TestFitSoftmaxLearnsAndRemembersItsPrior(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	const d, c, n = 20, 6, 300
	centre := gaussian(rng, c*d)
	draw := func(n int) ([]float32, []int) {
		x, y := gaussian(rng, n*d), make([]int, n)
		for i := range y {
			y[i] = rng.IntN(c)
			for j := range d {
				x[i*d+j] += centre[y[i]*d+j]
			}
		}
		return x, y
	}
	x, y := draw(n)
	held, want := draw(1000)
	prior := softmax{w: make([]float32, c*d), classes: c}
	s := fitSoftmax(x, d, y, prior, 1, 60)
	head := &linear{rows: c, cols: d, float: kernels.PackF32(s.w, c, d)}
	got := correct(classify(nil, head, s.b, held), want)
	t.Logf("%d of 1000 right", got)
	if got < 900 {
		t.Errorf("%d of 1000 right", got)
	}
	if far := fitSoftmax(x, d, y, s, 1e7, 60); relative(far.w, s.w) > 1e-4 {
		t.Error("a strong prior did not hold")
	}
}
