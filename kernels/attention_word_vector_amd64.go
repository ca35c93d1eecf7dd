//go:build !noasm

package kernels

// wordLanes is what the assembly takes a multiple of.
const wordLanes = 16

func mulWords(tier Tier, rows int, t *wordTile) {
	if tier == Generic || !runWordTile(tier, rows, t) {
		wordTileGeneric(rows, t)
	}
}

// magnitude returns the greatest magnitude in x, NaN if there is one.
func magnitude(tier Tier, x []float32) float32 {
	n := len(x) &^ (wordLanes - 1)
	if tier == Generic || n == 0 {
		return magnitudeGeneric(x)
	}
	top := magnitudeVector(tier, &x[0], n)
	if n == len(x) {
		return top
	}
	return magnitudeGeneric([]float32{top, magnitudeGeneric(x[n:])})
}

// weighWords is weighWordsGeneric of a multiple of 16 values.
func weighWords(tier Tier, dst []int16, x, gain []float32, m, factor float32) float32 {
	if tier == Generic {
		return weighWordsGeneric(dst, x, gain, m, factor)
	}
	_, _ = dst[len(x)-1], gain[len(x)-1]
	return weighWordsVector(tier, &dst[0], &x[0], &gain[0], m, factor, len(x))
}

// roundRows is roundRowsGeneric.
func roundRows(tier Tier, dst []int16, x, scale []float32, n int, limit float32) {
	if tier == Generic || n%wordLanes != 0 {
		roundRowsGeneric(dst, x, scale, n, limit)
		return
	}
	rows := len(scale)
	_, _ = dst[rows*n-1], x[rows*n-1]
	roundRowsVector(tier, &dst[0], &x[0], &scale[0], rows, n, limit)
}
