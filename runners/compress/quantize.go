package compress

import (
	"errors"
	"math"

	"github.com/seed-c6f48606/harness/kernels"
)

var errNotFinite = errors.New("holds a weight that is not finite")

// grid is the set of integers of a bit width. Eight bits leave −128 out, whose
// magnitude an int8 kernel cannot negate.
type grid struct {
	lo, hi float32
	search bool // look for the scale with the least error
}

func gridOf(bits int) grid {
	half := float32(int(1) << (bits - 1))
	if bits > 4 {
		return grid{-half + 1, half - 1, false}
	}
	return grid{-half, half - 1, true}
}

// quantize rounds w (rows×cols) to nearest on a symmetric grid, one f16 scale
// for each group along a row: w ≈ q·scale. Values are rounded with the scale
// as f16 stores it. At 4 bits and below the scale, which may be negative, is
// searched for the least squared error weighted by importance (the mean square
// of each input, cols long, or nil), then refitted by least squares. The
// results are q (rows×cols) and scales (rows×ceil(cols/group)).
func quantize(threads int, w []float32, rows, cols, bits, group int, importance []float32) ([]int8, []uint16, error) {
	groups := (cols + group - 1) / group
	q := make([]int8, rows*cols)
	scale := make([]uint16, rows*groups)
	g := gridOf(bits)
	bad := make([]bool, rows)
	parallel(threads, rows, func(i int) {
		for j := range groups {
			lo, hi := j*group, min((j+1)*group, cols)
			var h []float32
			if importance != nil {
				h = importance[lo:hi]
			}
			s, ok := g.fit(w[i*cols+lo:i*cols+hi], h)
			if !ok {
				bad[i] = true
				return
			}
			scale[i*groups+j] = s
			g.round(q[i*cols+lo:i*cols+hi], w[i*cols+lo:i*cols+hi], kernels.F16ToF32(s))
		}
	})
	for _, b := range bad {
		if b {
			return nil, nil, errNotFinite
		}
	}
	return q, scale, nil
}

// magic added to and taken from a float32 below 2²² rounds it to the nearest
// integer, ties to even.
const magic = 3 << 22

// nearest is the grid point for a weight at inverse scale inv.
func (g grid) nearest(w, inv float32) float32 {
	v := min(max(float32(w*inv), g.lo), g.hi)
	return float32(v+magic) - magic
}

func (g grid) round(q []int8, w []float32, s float32) {
	if s == 0 {
		clear(q)
		return
	}
	inv := 1 / s
	for i, v := range w {
		q[i] = int8(g.nearest(v, inv))
	}
}

// fit returns the f16 scale for one group, false if a weight is not finite or
// the scale exceeds f16.
func (g grid) fit(w, h []float32) (uint16, bool) {
	var top float32
	for _, v := range w {
		if !(v-v == 0) {
			return 0, false
		}
		top = max(top, max(v, -v))
	}
	best := kernels.F32ToF16(top / g.hi)
	if top/g.hi > 65504 {
		return 0, false
	}
	if !g.search || kernels.F16ToF32(best) == 0 {
		return best, true
	}
	const steps = 16
	least := g.loss(w, h, kernels.F16ToF32(best))
	from, to := float64(-1/g.hi), 0.35/float64(g.lo)
	ratio := math.Pow(to/from, 1.0/(steps-1))
	try := func(s float32) bool {
		bits := kernels.F32ToF16(s)
		if s = kernels.F16ToF32(bits); s == 0 {
			return false
		}
		e := g.loss(w, h, s)
		if e < least {
			least, best = e, bits
			return true
		}
		return false
	}
	p := from
	for range steps {
		try(float32(p) * top)
		try(-float32(p) * top)
		p *= ratio
	}
	for range 3 {
		if !try(g.refit(w, h, kernels.F16ToF32(best))) {
			break
		}
	}
	return best, true
}

// loss is the weighted squared error of a group at scale s.
func (g grid) loss(w, h []float32, s float32) float32 {
	inv := 1 / s
	var sum float32
	if h == nil {
		for _, v := range w {
			d := v - float32(g.nearest(v, inv)*s)
			sum += float32(d * d)
		}
		return sum
	}
	h = h[:len(w)]
	for i, v := range w {
		d := v - float32(g.nearest(v, inv)*s)
		sum += float32(h[i] * float32(d*d))
	}
	return sum
}

// refit is the least-squares scale for the integers that scale s gives.
func (g grid) refit(w, h []float32, s float32) float32 {
	inv := 1 / s
	var wq, qq float64
	for i, v := range w {
		q, weight := float64(g.nearest(v, inv)), 1.0
		if h != nil {
			weight = float64(h[i])
		}
		wq += weight * float64(v) * q
		qq += weight * q * q
	}
	if qq == 0 {
		return s
	}
	return float32(wq / qq)
}
