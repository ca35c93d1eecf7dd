package train

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// optimizerChunk is the piece of the flat vector a worker claims. Norms are
// summed by chunk in order, so the sum does not depend on the workers.
const optimizerChunk = 1 << 15

// adamW holds the moments and the averaged weights.
type adamW struct {
	moment, square []float32
	average        []float32 // nil without EMA
	segments       []segment
	norms          []float64 // scratch, one a chunk
}

func newAdamW(s shape, w *weights[float32], ema bool) *adamW {
	n := len(w.flat)
	a := &adamW{
		moment: make([]float32, n), square: make([]float32, n), segments: s.segments(),
		norms: make([]float64, (n+optimizerChunk-1)/optimizerChunk),
	}
	if ema {
		a.average = append([]float32(nil), w.flat...)
	}
	return a
}

// update sums the shards' gradients in order into the first, clips their norm
// and takes one step (step counts from 1) at the given rate. It returns the
// norm before clipping.
func (a *adamW) update(w []float32, grads [][]float32, r Recipe, rate float64, step, workers int) float64 {
	total := grads[0]
	parallel(workers, len(a.norms), func(c int) {
		lo, hi := c*optimizerChunk, min((c+1)*optimizerChunk, len(w))
		sum := total[lo:hi]
		for _, g := range grads[1:] {
			other := g[lo:hi][:len(sum)]
			for i := range sum {
				sum[i] += other[i]
			}
		}
		norm := 0.0
		for _, v := range sum {
			norm += float64(v) * float64(v)
		}
		a.norms[c] = norm
	})
	norm := 0.0
	for _, v := range a.norms {
		norm += v
	}
	norm = math.Sqrt(norm)
	scale := 1.0
	if norm > r.Clip {
		scale = r.Clip / norm
	}
	k := adamStep{
		scale: float32(scale), beta1: float32(r.Beta1), beta2: float32(r.Beta2),
		rate:   float32(rate / (1 - math.Pow(r.Beta1, float64(step)))),
		root:   float32(1 / math.Sqrt(1-math.Pow(r.Beta2, float64(step)))),
		shrink: float32(1 - rate*r.WeightDecay),
		// Early averages would remember the start: the decay grows to its value.
		keep: float32(min(r.EMA, float64(1+step)/float64(10+step))),
	}
	parallel(workers, len(a.norms), func(c int) {
		lo, hi := c*optimizerChunk, min((c+1)*optimizerChunk, len(w))
		for _, g := range a.segments {
			if x, y := max(lo, g.lo), min(hi, g.hi); x < y {
				a.move(w, total, x, y, k, g.decay)
			}
		}
	})
	return norm
}

// adamStep are the constants of one step, bias corrections folded in.
type adamStep struct{ scale, beta1, beta2, rate, root, shrink, keep float32 }

func (a *adamW) move(w, grad []float32, lo, hi int, k adamStep, decay bool) {
	w, grad = w[lo:hi], grad[lo:hi]
	m, v := a.moment[lo:hi][:len(w)], a.square[lo:hi][:len(w)]
	grad = grad[:len(w)]
	shrink := float32(1)
	if decay {
		shrink = k.shrink
	}
	for i, g := range grad {
		g *= k.scale
		m[i] = k.beta1*m[i] + (1-k.beta1)*g
		v[i] = k.beta2*v[i] + (1-k.beta2)*g*g
		w[i] = w[i]*shrink - k.rate*m[i]/(float32(math.Sqrt(float64(v[i])))*k.root+1e-8)
	}
	if a.average == nil {
		return
	}
	avg := a.average[lo:hi][:len(w)]
	for i, x := range w {
		avg[i] += (1 - k.keep) * (x - avg[i])
	}
}

// parallel calls f(0) … f(n−1) from up to workers goroutines (0 = GOMAXPROCS).
func parallel(workers, n int, f func(i int)) {
	workers = min(workerCount(workers), n)
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

func workerCount(workers int) int {
	if workers > 0 {
		return workers
	}
	return runtime.GOMAXPROCS(0)
}
