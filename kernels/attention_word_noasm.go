//go:build noasm || !amd64

package kernels

func mulWords(_ Tier, rows int, t *wordTile) { wordTileGeneric(rows, t) }

// wordRows is the number of rows, of those left, of the next tile.
func wordRows(_ Tier, left int) int { return min(left, 4) }

// magnitude returns the greatest magnitude in x, NaN if there is one.
func magnitude(_ Tier, x []float32) float32 { return magnitudeGeneric(x) }

func weighWords(_ Tier, dst []int16, x, gain []float32, m, factor float32) float32 {
	return weighWordsGeneric(dst, x, gain, m, factor)
}

func roundRows(_ Tier, dst []int16, x, scale []float32, n int, limit float32) {
	roundRowsGeneric(dst, x, scale, n, limit)
}
