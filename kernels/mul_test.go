package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// denseMatrix is what the tests need of F32Matrix and BF16Matrix.
type denseMatrix interface {
	Mul(p *Pool, y []float32, ldy int, x []float32, ldx, n int)
	Rows() int
	Cols() int
	Bytes() int64
}

// denseMatrices packs one random matrix both ways and returns the values that
// the packed forms stand for.
func denseMatrices(r *rand.Rand, rows, cols int) (m [2]denseMatrix, w [2][]float32) {
	w[0], w[1] = random(r, rows*cols), make([]float32, rows*cols)
	half := make([]uint16, rows*cols)
	for i, v := range w[0] {
		half[i] = F32ToBF16(v)
		w[1][i] = BF16ToF32(half[i])
	}
	m[0], m[1] = PackF32(w[0], rows, cols), PackBF16(half, rows, cols)
	return m, w
}

func TestDenseMulAgainstNaive(t *testing.T) {
	shapes := []struct{ rows, cols, n int }{
		{1, 1, 1},
		{16, 32, 1},
		{17, 33, 1},
		{150, 64, 1},
		{64, 7, 2},
		{100, 50, 3},
		{33, 40, 5},
		{40, 31, 11},
		{48, 128, 12},
		{31, 65, 13},
		{129, 100, 27},
	}
	pool := NewPool(3)
	defer pool.Close()
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, s := range shapes {
			ms, ws := denseMatrices(r, s.rows, s.cols)
			ldx, ldy := s.cols+1, s.rows+3
			x := random(r, s.n*ldx)
			for i, m := range ms {
				for _, p := range []*Pool{nil, pool} {
					y, check := guarded(r, (s.n-1)*ldy+s.rows)
					m.Mul(p, y, ldy, x, ldx, s.n)
					check(t)
					for tok := range s.n {
						for o := range s.rows {
							sum, size := naiveDot(ws[i][o*s.cols:][:s.cols], x[tok*ldx:])
							near(t, fmt.Sprintf("%T %v: y[%d,%d]", m, s, tok, o), y[tok*ldy+o], sum, size, 1e-6)
						}
					}
				}
			}
		}
	})
}

func naiveDot(w, x []float32) (sum, size float64) {
	for k, v := range w {
		p := float64(v) * float64(x[k])
		sum += p
		size += math.Abs(p)
	}
	return sum, size
}

func TestDenseRowDoesNotDependOnBatchOrThreads(t *testing.T) {
	const rows, cols, n = 200, 300, 29
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(9, 10))
		ms, _ := denseMatrices(r, rows, cols)
		x := random(r, n*cols)
		for _, m := range ms {
			want := make([]float32, n*rows)
			for tok := range n {
				m.Mul(nil, want[tok*rows:], rows, x[tok*cols:], cols, 1)
			}
			for threads := range 3 {
				p := NewPool(threads + 1)
				for _, count := range []int{1, 2, 3, 4, 6, 7, 8, 12, 13, 29} {
					y := make([]float32, count*rows)
					m.Mul(p, y, rows, x, cols, count)
					for i, v := range y {
						if v != want[i] {
							t.Fatalf("%T: %d rows on %d threads: y[%d] = %v, alone %v: a batch would change the model's answers", m, count, threads+1, i, v, want[i])
						}
					}
				}
				p.Close()
			}
		}
	})
}

func TestMulCountsTrueOperations(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	r := rand.New(rand.NewPCG(11, 12))
	const rows, cols, n = 17, 33, 3
	ms, _ := denseMatrices(r, rows, cols)
	x, y := random(r, n*cols), make([]float32, n*rows)
	ms[0].Mul(p, y, rows, x, cols, n)
	q := PackInt(8, make([]int8, rows*cols), make([]uint16, rows*2), rows, cols, 32)
	var a Acts
	a.Quantize(p, x, cols, n, cols)
	q.Mul(p, y, rows, &a, n)
	if got, want := p.Ops(), (Ops{rows * cols * n, rows * cols * n}); got != want {
		t.Errorf("Ops = %+v, want %+v: reported TOPS would be wrong", got, want)
	}
	p.ResetOps()
	if got := p.Ops(); got != (Ops{}) {
		t.Errorf("after ResetOps: %+v", got)
	}
}

func TestMulDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool forget at random")
	}
	const rows, cols, n = 256, 256, 17
	r := rand.New(rand.NewPCG(13, 14))
	pool := NewPool(2)
	defer pool.Close()
	eachTier(t, func(t *testing.T) {
		ms, _ := denseMatrices(r, rows, cols)
		q := PackInt(4, make([]int8, rows*cols), make([]uint16, rows*cols/32), rows, cols, 32)
		x, y := random(r, n*cols), make([]float32, n*rows)
		var a Acts
		for _, p := range []*Pool{nil, pool} {
			for _, count := range []int{1, n} {
				got := testing.AllocsPerRun(10, func() {
					ms[0].Mul(p, y, rows, x, cols, count)
					ms[1].Mul(p, y, rows, x, cols, count)
					a.Quantize(p, x, cols, count, cols)
					q.Mul(p, y, rows, &a, count)
				})
				if got != 0 {
					t.Errorf("n=%d, %d threads: %v allocations a round; decode would make garbage", count, p.Threads(), got)
				}
			}
		}
	})
}

func TestPackedSizes(t *testing.T) {
	ms, _ := denseMatrices(rand.New(rand.NewPCG(1, 1)), 32, 64)
	if ms[0].Bytes() != 32*64*4 || ms[1].Bytes() != 32*64*2 {
		t.Errorf("Bytes = %d and %d, want %d and %d", ms[0].Bytes(), ms[1].Bytes(), 32*64*4, 32*64*2)
	}
	for bits, want := range map[int]int64{4: 32 * 64 / 2, 8: 32 * 64} {
		q := PackInt(bits, make([]int8, 32*64), make([]uint16, 32), 32, 64, 64)
		if want += 32 * 2; q.Bytes() != want {
			t.Errorf("%d bits: Bytes = %d, want %d", bits, q.Bytes(), want)
		}
	}
}
