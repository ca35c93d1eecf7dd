package stat

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// exactRanks is the most values for which rank distributions are counted out and
// not approximated.
const exactRanks = 60

// MannWhitney returns the two-sided p-value of the Mann–Whitney U test that two
// groups come from one distribution, and U = #{a > b} + ½·#{a = b}. Up to 60
// values together it is exact, ties included (the permutation distribution of
// the midranks that were seen); beyond, normal with corrections for ties and
// continuity. An empty group gives NaN.
func MannWhitney(a, b []float64) (u, p float64) {
	n, m := len(a), len(b)
	if n == 0 || m == 0 {
		return math.NaN(), math.NaN()
	}
	ranks := midranks2(slices.Concat(a, b))
	sum, total := 0, 0
	for i, r := range ranks {
		total += r
		if i < n {
			sum += r
		}
	}
	u = float64(sum)/2 - float64(n*(n+1))/2
	// Distance of the doubled rank sum from its mean, times n+m to stay whole.
	far := absInt(sum*(n+m) - total*n)
	if n+m <= exactRanks {
		return u, farSubsets(ranks, n, total, far)
	}
	N := float64(n + m)
	var square float64
	for _, r := range ranks {
		d := float64(r)/2 - (N+1)/2
		square += d * d
	}
	sd := math.Sqrt(float64(n) * float64(m) / (N * (N - 1)) * square)
	if sd == 0 {
		return u, 1
	}
	z := max(0, float64(far)/2/N-0.5) / sd
	return u, min(1, 2*distuv.UnitNormal.CDF(-z))
}

// midranks2 returns twice the rank of each value, tied ones sharing their mean.
func midranks2(xs []float64) []int {
	order := make([]int, len(xs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return compare(xs[i], xs[j]) })
	out := make([]int, len(xs))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && xs[order[j]] == xs[order[i]] {
			j++
		}
		for k := i; k < j; k++ {
			out[order[k]] = i + j + 1 // twice the mean of i+1 … j
		}
		i = max(j, i+1) // a NaN equals nothing, not even itself
	}
	return out
}

func compare(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// farSubsets returns the share of all n-subsets of ranks whose sum is at least
// as far from its mean: |sum·len(ranks) − total·n| ≥ far.
func farSubsets(ranks []int, n, total, far int) float64 {
	ways := make([][]float64, n+1) // [size][sum]
	for k := range ways {
		ways[k] = make([]float64, total+1)
	}
	ways[0][0] = 1
	for i, r := range ranks {
		for k := min(n, i+1); k > 0; k-- {
			for s := total; s >= r; s-- {
				ways[k][s] += ways[k-1][s-r]
			}
		}
	}
	var all, extreme float64
	for s, w := range ways[n] {
		all += w
		if absInt(s*len(ranks)-total*n) >= far {
			extreme += w
		}
	}
	return extreme / all
}

func absInt(i int) int { return max(i, -i) }

// HodgesLehmann returns by how much b lies above a: the median of all
// differences b[j]−a[i], with the interval that inverts the Mann–Whitney test.
// It is exact for distributions that differ by a shift; ties make it
// conservative. Level is what was reached.
//
// Source: Hodges and Lehmann, Annals of Mathematical Statistics 34 (1963) 598–611.
func HodgesLehmann(a, b []float64, level float64) Interval {
	n, m := len(a), len(b)
	diffs := make([]float64, 0, n*m)
	for _, x := range a {
		for _, y := range b {
			diffs = append(diffs, y-x)
		}
	}
	slices.Sort(diffs)
	return rankInterval(diffs, min(n, m), level, HodgesLehmannShift, func() []float64 { return uniformRankSums(n, m) },
		math.Sqrt(float64(n)*float64(m)*float64(n+m+1)/12), n+m)
}

// SignedRank returns the centre of symmetry of xs: the median of the means of
// all pairs (Walsh averages), with the interval that inverts Wilcoxon's
// signed-rank test. It is exact where xs is symmetric about its centre, as the
// differences of exchangeable pairs are. Level is what was reached: six values
// reach 96.9 %, five 93.75 %.
func SignedRank(xs []float64, level float64) Interval {
	n := len(xs)
	walsh := make([]float64, 0, n*(n+1)/2)
	for i, x := range xs {
		for _, y := range xs[i:] {
			walsh = append(walsh, x/2+y/2)
		}
	}
	slices.Sort(walsh)
	N := float64(n)
	return rankInterval(walsh, n, level, SignedRankCentre, func() []float64 { return signedRankSums(n) },
		math.Sqrt(N*(N+1)*(2*N+1)/24), n)
}

// rankInterval reads value and interval off the sorted contrasts of a rank
// statistic that counts those above zero. dist gives its null distribution, sd
// its spread where size is too large to count.
func rankInterval(contrasts []float64, n int, level float64, method string, dist func() []float64, sd float64, size int) Interval {
	k := len(contrasts)
	if k == 0 {
		return Interval{Value: math.NaN(), Lo: math.NaN(), Hi: math.NaN(), N: n, Method: method}
	}
	out := Interval{Value: sortedQuantile(contrasts, 0.5), N: n, Method: method}
	tail := (1 - level) / 2
	cut, outside := 0, 0.0 // contrasts left out at each end, and the tail beyond
	if size <= exactRanks {
		sums := dist()
		for outside = sums[0]; outside+sums[cut+1] <= tail+1e-12 && cut+1 < k/2; cut++ {
			outside += sums[cut+1]
		}
	} else {
		z := distuv.UnitNormal.Quantile(1 - tail)
		cut = max(0, int(float64(k)/2-z*sd-0.5))
		outside = tail
	}
	out.Lo, out.Hi = contrasts[cut], contrasts[k-1-cut]
	out.Level = max(0, 1-2*outside)
	return out
}

// uniformRankSums is the null distribution of Mann–Whitney's U for n and m
// values without ties.
func uniformRankSums(n, m int) []float64 {
	// One sample at a time: the number of ways to place the i-th largest of the
	// first group among the second is a product of q-factors.
	ways := make([]float64, n*m+1)
	ways[0] = 1
	for i := 1; i <= n; i++ {
		for s := n * m; s >= m+i; s-- { // times 1 − q^(m+i)
			ways[s] -= ways[s-m-i]
		}
		for s := i; s <= n*m; s++ { // over 1 − q^i
			ways[s] += ways[s-i]
		}
	}
	return normalize(ways)
}

// signedRankSums is the null distribution of the signed-rank sum of n values.
func signedRankSums(n int) []float64 {
	ways := make([]float64, n*(n+1)/2+1)
	ways[0] = 1
	for r := 1; r <= n; r++ {
		for s := len(ways) - 1; s >= r; s-- {
			ways[s] += ways[s-r]
		}
	}
	return normalize(ways)
}

func normalize(ways []float64) []float64 {
	var all float64
	for _, w := range ways {
		all += w
	}
	for i := range ways {
		ways[i] /= all
	}
	return ways
}
