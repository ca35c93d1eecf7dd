package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestWordTileLikeDefinition guards answers against the tier: products of 16-bit
// integers are exact up to the greatest that may occur, so that every tier gives
// the same bits, and nothing is written beside the results.
func TestWordTileLikeDefinition(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		tier := floatTier()
		for rows := 1; rows <= 12; rows++ {
			if wordRows(tier, rows) != rows {
				continue
			}
			for _, s := range []struct{ pairs, groups, most int }{{64, 1, wordMax}, {3, 1, 5000}, {KVGroup / 2, 5, weightMax}} {
				const jump, ldc = 128, 18
				lda := 2*s.pairs*s.groups + 4
				a, c := make([]int16, rows*lda), make([]float32, rows*ldc)
				b := make([]byte, s.groups*(s.pairs*64+jump))
				words := elementsOf[int16](b)
				for i := range a {
					a[i] = int16(s.most - rng.IntN(3)*rng.IntN(s.most))
				}
				for i := range words {
					words[i] = int16(wordMax - rng.IntN(3)*rng.IntN(wordMax))
				}
				for i := range c {
					c[i] = float32(i)
				}
				scale, cols := make([]float32, rows), make([]float32, panelRows)
				for i := range scale {
					scale[i] = rng.Float32()
				}
				for i := range cols {
					cols[i] = rng.Float32()
				}
				for _, by := range []*float32{nil, &cols[0]} {
					got, want := slices.Clone(c), slices.Clone(c)
					tile := wordTile{
						pairs: s.pairs, groups: s.groups, a: &a[0], lda: lda, b: &b[0], jump: jump, next: &b[0],
						c: &got[0], ldc: ldc, scale: &scale[0], cols: by,
					}
					mulWords(tier, rows, &tile)
					tile.c = &want[0]
					wordTileGeneric(rows, &tile)
					if !slices.Equal(got, want) {
						t.Fatalf("%d rows, %+v, scaled by column %t: got %v, want %v", rows, s, by != nil, got, want)
					}
				}
			}
		}
	})
}

// TestWordsLikeGeneric guards that keys and queries are the same integers on
// every tier, at every length, and that NaN does not get lost.
func TestWordsLikeGeneric(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		for n := 1; n <= 130; n++ {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			x[rng.IntN(n)] *= -9
			got, want := make([]int16, n), make([]int16, n)
			scale, most := make([]float32, 1), make([]float32, 1)
			roundRows(floatTier(), got, x, scale, n, wordMax)
			roundRowsGeneric(want, x, most, n, wordMax)
			if scale[0] != most[0] || !slices.Equal(got, want) {
				t.Fatalf("%d values: %v by %g, want %v by %g", n, got, scale, want, most)
			}
			if i := slices.IndexFunc(x, func(v float32) bool { return math.Abs(float64(v)) == float64(magnitudeGeneric(x)) }); got[i] != wordMax && got[i] != -wordMax {
				t.Errorf("the greatest of %d values is %d", n, got[i])
			}
			x[n/2] = float32(math.NaN())
			if roundRows(floatTier(), got, x, scale, n, wordMax); scale[0] == scale[0] {
				t.Errorf("NaN among %d values gives the scale %g", n, scale[0])
			}
			clear(x)
			if roundRows(floatTier(), got, x, scale, n, wordMax); scale[0] != 0 || got[n-1] != 0 {
				t.Errorf("%d zeros: %v by %g", n, got, scale[0])
			}
			x[n/2] = math.Nextafter32(minAbs, 0)
			if roundRows(floatTier(), got, x, scale, n, wordMax); scale[0] != 0 {
				t.Errorf("next to nothing has the scale %g", scale[0])
			}
			x[n/2] = minAbs
			if roundRows(floatTier(), got, x, scale, n, wordMax); scale[0] == 0 || got[n/2] != wordMax {
				t.Errorf("the least magnitude that counts is %d by %g", got[n/2], scale[0])
			}
			const rows = 5
			x, got, want = odd(rng, rows*n), make([]int16, rows*n), make([]int16, n)
			scale = make([]float32, rows)
			roundRows(floatTier(), got, x, scale, n, wordMax)
			for r, s := range scale {
				roundRows(floatTier(), want, x[r*n:][:n], most, n, wordMax)
				if math.Float32bits(s) != math.Float32bits(most[0]) || !slices.Equal(got[r*n:][:n], want) {
					t.Fatalf("row %d of %d values is not what it is by itself", r, n)
				}
			}
		}
	})
}

// TestWeighWords guards the weights that meet values: exponentials to within a
// step, and a sum as exact as that of floats.
func TestWeighWords(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for n := KVGroup; n <= keyBlock; n += KVGroup {
			x, gain, dst := make([]float32, n), make([]float32, n), make([]int16, n)
			var sum float64
			for i := range x {
				x[i], gain[i] = 3-11*float32(i)/float32(n), 1+float32(i%3)
				sum += math.Exp(float64(x[i]) - 3)
			}
			const factor = weightMax / 3.
			got := weighWords(floatTier(), dst, x, gain, 3, factor)
			if math.Abs(float64(got)-sum) > 1e-6*sum {
				t.Errorf("%d values: the sum is %g, want %g", n, got, sum)
			}
			for i, v := range dst {
				if want := math.Exp(float64(x[i])-3) * float64(gain[i]) * factor; math.Abs(float64(v)-want) > 0.51 {
					t.Errorf("%d values, place %d: %d, want %g", n, i, v, want)
				}
			}
			x[n/2] = float32(math.NaN())
			if got := weighWords(floatTier(), dst, x, gain, 3, factor); got == got {
				t.Errorf("%d values with NaN: the sum is %g", n, got)
			}
		}
	})
}
