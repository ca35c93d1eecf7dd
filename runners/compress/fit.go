package compress

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/seed-c6f48606/harness/kernels"
)

// logistic is p(y=1|x) = sigmoid(w·x + b).
type logistic struct {
	w []float32
	b float64
}

func (l logistic) logit(x []float32) float64 { return float64(kernels.Dot(l.w, x)) + l.b }

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// fitLogistic fits y on x (rows×d) with an L2 penalty on the weights of the
// standardised features, as Newton's method in the span of the rows: with
// fewer rows than features that system is the smaller one, and the optimum
// lies in it. Two virtual rows at the mean, one of each class and together
// worth one, keep the bias finite where one class is absent.
func fitLogistic(x []float32, d int, y []bool, penalty float64) logistic {
	n := len(y)
	mean, spread := moments(x, d)
	z := make([]float32, n*d)
	for i := range z {
		z[i] = (x[i] - mean[i%d]) / spread
	}
	// Kernel form: w = Zᵀα/penalty. Solve (K/penalty + W⁻¹)·… by Newton steps on
	// the fitted values f = Kα/penalty + b (Rasmussen & Williams, 2006, alg. 3.1).
	k := product(1, z, z, n, d, n, true)
	f, alpha := make([]float64, n), make([]float64, n)
	b := 0.0
	for range 30 {
		moved := newton(k, f, alpha, &b, y, penalty)
		if moved < 1e-6 {
			break
		}
	}
	l := logistic{w: make([]float32, d), b: b}
	for i := range n {
		kernels.Axpy(float32(alpha[i]/penalty)/spread, z[i*d:(i+1)*d], l.w)
	}
	l.b -= float64(kernels.Dot(l.w, mean))
	return l
}

// newton takes one step of iteratively reweighted least squares on the dual
// weights alpha and the bias, and returns the largest change of a fitted value.
func newton(k []float32, f, alpha []float64, b *float64, y []bool, penalty float64) float64 {
	n := len(y)
	// With weights w_i = p(1-p) and working response t = f + (y-p)/w, solve
	//   (K/penalty + W⁻¹) α + 1·b = t,  Σα = g(b)
	// where g is the gradient of the virtual rows with respect to the bias.
	w, t := make([]float64, n), make([]float64, n)
	for i := range n {
		p := sigmoid(f[i])
		w[i] = max(p*(1-p), 1e-4)
		r := -p
		if y[i] {
			r = 1 - p
		}
		t[i] = f[i] + r/w[i]
	}
	s := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			s.SetSym(i, j, float64(k[i*n+j])/penalty)
		}
		s.SetSym(i, i, s.At(i, i)+1/w[i])
	}
	var c mat.Cholesky
	if !c.Factorize(s) {
		return 0
	}
	one := mat.NewDense(n, 2, nil)
	for i := range n {
		one.Set(i, 0, t[i])
		one.Set(i, 1, 1)
	}
	var sol mat.Dense
	if err := c.SolveTo(&sol, one); err != nil {
		return 0
	}
	var sumT, sumOne float64
	for i := range n {
		sumT += sol.At(i, 0)
		sumOne += sol.At(i, 1)
	}
	// Virtual rows: their loss has gradient p(b)-1/2 and curvature v; α sums to
	// that gradient, linearised at the present b.
	p := sigmoid(*b)
	v := p * (1 - p)
	next := (sumT - (p - 0.5) + v**b) / (sumOne + v)
	*b = next
	for i := range n {
		alpha[i] = sol.At(i, 0) - next*sol.At(i, 1)
	}
	var moved float64
	for i := range n {
		var g float64
		for j, kv := range k[i*n : (i+1)*n] {
			g += float64(kv) * alpha[j]
		}
		g = g/penalty + next
		moved = max(moved, math.Abs(g-f[i]))
		f[i] = g
	}
	return moved
}

// moments returns the mean of each feature and the root mean square deviation
// over all of them, 1 where nothing varies.
func moments(x []float32, d int) ([]float32, float32) {
	n := len(x) / d
	sum := make([]float64, d)
	for i := 0; i < len(x); i += d {
		for j, v := range x[i : i+d] {
			sum[j] += float64(v)
		}
	}
	mean := make([]float32, d)
	for j := range mean {
		mean[j] = float32(sum[j] / float64(n))
	}
	var dev float64
	for i, v := range x {
		e := float64(v - mean[i%d])
		dev += e * e
	}
	if dev == 0 {
		return mean, 1
	}
	return mean, float32(math.Sqrt(dev / float64(len(x))))
}

// softmax is a linear classifier on d features.
type softmax struct {
	w       []float32 // classes×d
	b       []float32
	classes int
}

// fitSoftmax fits classes on x (rows×d), starting from and drawn towards a
// prior by an L2 penalty.
func fitSoftmax(x []float32, d int, class []int, prior softmax, penalty float64, rounds int) softmax {
	n, c := len(class), prior.classes
	size := c * d
	start := make([]float64, size+c)
	for i, v := range prior.w {
		start[i] = float64(v)
	}
	for i, v := range prior.b {
		start[size+i] = float64(v)
	}
	w, grad, p := make([]float32, size), make([]float32, size), make([]float32, n*c)
	loss := func(at, g []float64) float64 {
		for i := range w {
			w[i] = float32(at[i])
		}
		kernels.Gemm(false, true, n, c, d, 1, x, d, w, d, 0, p, c)
		var sum float64
		clear(g)
		for i := range n {
			row := p[i*c : (i+1)*c]
			for j := range row {
				row[j] += float32(at[size+j])
			}
			kernels.Softmax(row)
			sum -= math.Log(max(1e-30, float64(row[class[i]])))
			row[class[i]]--
			for j, v := range row {
				g[size+j] += float64(v)
			}
		}
		kernels.Gemm(true, false, c, d, n, 1, p, c, x, d, 0, grad, d)
		for i, v := range grad {
			g[i] = float64(v)
		}
		for i, v := range at {
			e := v - start[i]
			sum += penalty / 2 * e * e
			g[i] += penalty * e
		}
		return sum
	}
	best := minimise(loss, start, rounds)
	out := softmax{w: make([]float32, size), b: make([]float32, c), classes: c}
	for i := range out.w {
		out.w[i] = float32(best[i])
	}
	for i := range out.b {
		out.b[i] = float32(best[size+i])
	}
	return out
}
