package stat

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// The counts that MLPerf's LoadGen prints: a p99 of fewer is not comparable with
// a submission.
func TestMinCount(t *testing.T) {
	for _, c := range []struct {
		p    float64
		want int
	}{{0.5, 11}, {0.9, 64}, {0.95, 130}, {0.97, 219}, {0.99, 662}, {0.999, 6636}} {
		if got := MinCount(c.p); got != c.want {
			t.Errorf("p%g needs %d, want %d", 100*c.p, got, c.want)
		}
	}
}

// LoadGen's logs: of 100 queries it would discard 2 for p90, of 201 it would
// discard 9, of 64 none.
func TestEarlyStop(t *testing.T) {
	for _, c := range []struct{ n, discarded int }{{64, 0}, {100, 2}, {201, 9}} {
		xs := make([]float64, c.n)
		for i := range xs {
			xs[i] = float64(c.n - i)
		}
		bound, discarded, err := EarlyStop(xs, 0.9)
		if err != nil || discarded != c.discarded || bound != float64(c.n-c.discarded) {
			t.Errorf("%d samples: bound %g after %d discarded (%v), want %d", c.n, bound, discarded, err, c.discarded)
		}
	}
	var few *TooFewError
	if _, _, err := EarlyStop(make([]float64, 661), 0.99); !errors.As(err, &few) || err.Error() != "p99 not measured: 661 samples, 662 are needed" {
		t.Error(err)
	}
	if i, err := Tail(make([]float64, 63), 0.9, 0.95); !errors.As(err, &few) || few.Need != 64 || i.N != 63 {
		t.Error(i, err)
	}
}

// The early-stopping bound lies below the true quantile in at most 1 % of runs.
func TestEarlyStopIsABound(t *testing.T) {
	const runs = 3000
	below := 0
	for seed := range uint64(runs) {
		xs := draws(seed, 150, (*rand.Rand).Float64)
		bound, _, err := EarlyStop(xs, 0.9)
		if err != nil {
			t.Fatal(err)
		}
		if bound < 0.9 {
			below++
		}
		if i, err := Tail(xs, 0.9, 0.95); err != nil || !slices.ContainsFunc(xs, func(x float64) bool { return x >= i.Hi }) {
			t.Fatalf("p90 of 150 is %v (%v): no sample is as slow as its upper end", i, err)
		}
	}
	if below > runs/100+25 {
		t.Errorf("%d of %d bounds lie below the true quantile", below, runs)
	}
}
