package sweep

import (
	"math"

	"github.com/seed-c6f48606/harness/reports/page"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Assessment is the quality of a model on a split with 95 % intervals. An
// interval with N = 0 is unavailable.
type Assessment struct {
	F1Macro, F1Micro, Accuracy stat.Interval
	Perplexity, KL, Top1       stat.Interval
	SkipRate                   float64
}

// Metric is one figure of an assessment by its published name.
type Metric struct {
	Name, Unit string
	Value      stat.Interval
}

// Metrics lists the figures in the order in which they are printed; the skip
// rate, which has no interval, is not among them.
func (a *Assessment) Metrics() []Metric {
	return []Metric{
		{"f1_macro", "", a.F1Macro},
		{"f1_micro", "", a.F1Micro},
		{"accuracy", "", a.Accuracy},
		{"perplexity", "", a.Perplexity},
		{"kl_div", "nat", a.KL},
		{"top1_agree", "", a.Top1},
	}
}

// Assess bootstraps a result's figures over its items, and the agreement with
// reference, the dense f32 model on the same items, where it is not nil. The
// same seed gives the same intervals.
func Assess(res wire.EvalResult, reference *wire.EvalResult, seed uint64) Assessment {
	a := Assessment{SkipRate: res.SkipRate}
	how := stat.Resampling{Seed: seed}
	if known := labelled(res); len(known) > 0 {
		f1 := macroF1(res, known)
		right := func(items []int) float64 { return share(items, func(i int) bool { return hit(res, known[i]) }) }
		a.F1Macro = stat.BootstrapItems(len(known), f1, how)
		a.Accuracy = stat.BootstrapItems(len(known), right, how)
		// One label and one prediction an item: micro-F1 is accuracy.
		a.F1Micro = a.Accuracy
	}
	if n := len(res.TextNLL); n > 0 && len(res.TextTokens) == n {
		a.Perplexity = stat.BootstrapItems(n, func(items []int) float64 {
			var nll, tokens float64
			for _, i := range items {
				nll += res.TextNLL[i]
				tokens += float64(res.TextTokens[i])
			}
			return math.Exp(nll / tokens)
		}, how)
	} else if p := res.Perplexity; p != nil {
		a.Perplexity = normal(*p)
	}
	if len(res.ItemKL) > 0 {
		a.KL = stat.Bootstrap(res.ItemKL, stat.Mean, how)
	} else if res.KL != nil {
		a.KL = normal(*res.KL)
	}
	switch n := len(res.Predictions); {
	case reference != nil && n > 0 && n == len(reference.Predictions):
		a.Top1 = stat.BootstrapItems(n, func(items []int) float64 {
			return share(items, func(i int) bool { return res.Predictions[i] == reference.Predictions[i] })
		}, how)
	case res.Top1 != nil:
		a.Top1 = normal(*res.Top1)
		a.Top1.Lo, a.Top1.Hi = max(0, a.Top1.Lo), min(1, a.Top1.Hi)
	}
	return a
}

// normal is the interval of an estimate with a standard error.
func normal(e wire.Estimate) stat.Interval {
	const z = 1.959964
	return stat.Interval{Value: e.Value, Lo: e.Value - z*e.SE, Hi: e.Value + z*e.SE, N: e.N, Level: 0.95, Method: "normal"}
}

// labelled returns the indices of the items that have a label and a prediction.
func labelled(res wire.EvalResult) []int {
	var out []int
	for i, t := range res.Truth {
		if t >= 0 && i < len(res.Predictions) {
			out = append(out, i)
		}
	}
	return out
}

func hit(res wire.EvalResult, i int) bool { return res.Predictions[i] == res.Truth[i] }

func share(items []int, is func(int) bool) float64 {
	n := 0
	for _, i := range items {
		if is(i) {
			n++
		}
	}
	return float64(n) / float64(len(items))
}

// macroF1 returns the statistic "mean F1 over the classes that occur as label
// or prediction among the known items", of resampled numbers of known items. A
// class that a resample happens to miss is left out of it: counted as zero it
// would shift every interval downwards.
func macroF1(res wire.EvalResult, known []int) func(items []int) float64 {
	classes := len(res.Labels)
	for _, i := range known {
		classes = max(classes, res.Truth[i]+1, res.Predictions[i]+1)
	}
	right, either := make([]int, classes), make([]int, classes)
	return func(items []int) float64 {
		clear(right)
		clear(either)
		for _, k := range items {
			t, p := res.Truth[known[k]], res.Predictions[known[k]]
			either[t]++
			either[p]++
			if t == p {
				right[t]++
			}
		}
		sum, n := 0.0, 0
		for c, e := range either {
			if e > 0 {
				sum += 2 * float64(right[c]) / float64(e)
				n++
			}
		}
		return sum / float64(n)
	}
}

// Compare tests a variant against the dense model on the same items: McNemar's
// exact test on the discordant items and the paired bootstrap of the difference
// in macro-F1. PHolm equals P until [Adjust]. It is false where the two have no
// labelled items in common.
func Compare(name string, dense, this wire.EvalResult, seed uint64) (page.Comparison, bool) {
	known := labelled(this)
	if len(known) == 0 || len(dense.Predictions) != len(this.Predictions) || len(dense.Truth) != len(this.Truth) {
		return page.Comparison{}, false
	}
	c := page.Comparison{Name: name}
	for _, i := range known {
		switch d, t := hit(dense, i), hit(this, i); {
		case d && !t:
			c.OnlyDense++
		case t && !d:
			c.OnlyThis++
		}
	}
	a, b := macroF1(dense, known), macroF1(this, known)
	delta := stat.PairedBootstrap(len(known), a, b, stat.Resampling{Seed: seed})
	all := make([]int, len(known))
	for i := range all {
		all[i] = i
	}
	c.F1Dense, c.F1 = a(all), b(all)
	c.Delta, c.DeltaLo, c.DeltaHi = delta.Value, delta.Lo, delta.Hi
	c.P = stat.McNemarExact(c.OnlyDense, c.OnlyThis)
	c.PHolm = c.P
	return c, true
}

// Adjust corrects the p-values of several comparisons after Holm.
func Adjust(cs []page.Comparison) {
	p := make([]float64, len(cs))
	for i, c := range cs {
		p[i] = c.P
	}
	for i, v := range stat.Holm(p) {
		cs[i].PHolm = v
	}
}
