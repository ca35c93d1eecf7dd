package measure

import (
	"math"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// divergence is how far a distribution is from the reference's.
type divergence struct {
	kl   float64 // KL(reference ‖ model) in nats
	top1 float64 // 1 where the first choices are equal, else 0
}

// diverge compares finite logits. Equal logits diverge by exactly 0.
func diverge(reference, logits []float32) divergence {
	var d divergence
	if best(reference) == best(logits) {
		d.top1 = 1
	}
	a, b := logSum(reference), logSum(logits)
	for i, v := range reference {
		p, q := float64(v)-a, float64(logits[i])-b
		d.kl += math.Exp(p) * (p - q)
	}
	d.kl = max(0, d.kl) // rounding may leave less
	return d
}

// logSum is ln Σ exp(x), without overflow.
func logSum(x []float32) float64 {
	top := float64(x[best(x)])
	var sum float64
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

// best is the index of the largest value, the first of several.
func best(x []float32) int {
	at := 0
	for i, v := range x {
		if v > x[at] {
			at = i
		}
	}
	return at
}

func finite(x []float32) bool {
	var sum float32
	for _, v := range x {
		sum += v - v // 0, or NaN for what is not finite
	}
	return sum == 0
}

// mean is the mean of independent values with its standard error, which is 0
// for a single one.
func mean(xs []float64) *wire.Estimate {
	n := float64(len(xs))
	var sum, squares float64
	for _, x := range xs {
		sum += x
	}
	for _, x := range xs {
		squares += (x - sum/n) * (x - sum/n)
	}
	e := &wire.Estimate{Value: sum / n, N: len(xs)}
	if n > 1 {
		e.SE = math.Sqrt(squares / (n - 1) / n)
	}
	return e
}

// perplexity is exp of the mean negative log-likelihood a token. Tokens of one
// text are not independent, so its standard error is that of a ratio of sums over
// texts, carried through exp (the delta method).
func perplexity(nll []float64, tokens []int) *wire.Estimate {
	var total, count float64
	for i := range nll {
		total += nll[i]
		count += float64(tokens[i])
	}
	n, rate := float64(len(nll)), total/count
	var squares float64
	for i := range nll {
		rest := nll[i] - rate*float64(tokens[i])
		squares += rest * rest
	}
	e := &wire.Estimate{Value: math.Exp(rate), N: len(nll)}
	if n > 1 {
		e.SE = e.Value * math.Sqrt(squares*n/(n-1)) / count
	}
	return e
}
