package compress

import (
	"sync"
	"sync/atomic"

	"github.com/seed-c6f48606/harness/kernels"
)

// parallel calls f for every i in [0, n) on at most threads goroutines.
func parallel(threads, n int, f func(i int)) {
	if threads = min(threads, n); threads <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range threads {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wait.Wait()
}

// tile is the edge of the blocks that products of activations are cut into.
const tile = 128

// gram returns XᵀX (n×n) of x (rows×n).
func gram(threads int, x []float32, rows, n int) []float32 {
	h := make([]float32, n*n)
	t := (n + tile - 1) / tile
	type block struct{ i, j int }
	var blocks []block
	for i := range t {
		for j := i; j < t; j++ {
			blocks = append(blocks, block{i * tile, j * tile})
		}
	}
	parallel(threads, len(blocks), func(b int) {
		i, j := blocks[b].i, blocks[b].j
		kernels.Gemm(true, false, min(tile, n-i), min(tile, n-j), rows, 1, x[i:], n, x[j:], n, 0, h[i*n+j:], n)
	})
	for i := range n {
		for j := range i {
			h[i*n+j] = h[j*n+i]
		}
	}
	return h
}

// crossGram returns EᵀX (m×n) of e (rows×m) and x (rows×n).
func crossGram(threads int, e []float32, m int, x []float32, n, rows int) []float32 {
	c := make([]float32, m*n)
	t := (m + tile - 1) / tile
	parallel(threads, t, func(b int) {
		i := b * tile
		kernels.Gemm(true, false, min(tile, m-i), n, rows, 1, e[i:], m, x, n, 0, c[i*n:], n)
	})
	return c
}

// product returns A·B for a (m×k) and b (k×n), or b (n×k) transposed.
func product(threads int, a, b []float32, m, k, n int, transB bool) []float32 {
	c := make([]float32, m*n)
	ldb := n
	if transB {
		ldb = k
	}
	t := (m + tile - 1) / tile
	parallel(threads, t, func(blk int) {
		i := blk * tile
		kernels.Gemm(false, transB, min(tile, m-i), n, k, 1, a[i*k:], k, b, ldb, 0, c[i*n:], n)
	})
	return c
}

// transpose returns the cols×rows transpose of a rows×cols matrix.
func transpose(a []float32, rows, cols int) []float32 {
	t := make([]float32, len(a))
	for i := range rows {
		for j, v := range a[i*cols : (i+1)*cols] {
			t[j*rows+i] = v
		}
	}
	return t
}

// energy is the sum of squares.
func energy(v []float32) float64 {
	var s float64
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	return s
}

// relative is ‖a−b‖²/‖b‖², 0 where both vanish.
func relative(a, b []float32) float64 {
	var d, n float64
	for i, x := range b {
		e := float64(a[i]) - float64(x)
		d += e * e
		n += float64(x) * float64(x)
	}
	if d == 0 {
		return 0
	}
	return d / n
}

// columns gathers the columns ids of a (rows×cols).
func columns(a []float32, rows, cols int, ids []int) []float32 {
	out := make([]float32, 0, rows*len(ids))
	for i := range rows {
		row := a[i*cols : (i+1)*cols]
		for _, j := range ids {
			out = append(out, row[j])
		}
	}
	return out
}
