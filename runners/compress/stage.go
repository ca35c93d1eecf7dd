package compress

import (
	"context"
	"fmt"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// stats are calibration facts about one site's activations.
type stats struct {
	mean2 []float32 // E[x_j²] of each input
	probe []float32 // held-out rows
}

// stage is a model before rank and bits, with what the later stages need to
// know about its activations.
type stage struct {
	pruned
	sites  [][sites]stats
	bases  [][]basis // a layer's matrices in blockMatrices' order; nil until asked for
	tokens int
}

// slot names one matrix of a layer.
type slot struct {
	name string
	at   **model.Matrix
	site site
}

// blockMatrices lists the matrices of layer i, nil ones included.
func blockMatrices(l *model.Layer, i int) []slot {
	p := fmt.Sprintf("layers.%d.", i)
	return []slot{
		{p + "q", &l.Q, siteQKV},
		{p + "k", &l.K, siteQKV},
		{p + "v", &l.V, siteQKV},
		{p + "o", &l.O, siteO},
		{p + "gate", &l.Gate, siteGateUp},
		{p + "up", &l.Up, siteGateUp},
		{p + "down", &l.Down, siteDown},
	}
}

// observe runs the calibration sample through st.model and fills sites, and
// bases too if asked: the covariance of a layer lives only while its bases are
// computed.
func (st *stage) observe(ctx context.Context, s sample, pool *kernels.Pool, withBases bool) error {
	threads := pool.Threads()
	net := newNetwork(st.model, pool)
	b := net.start(s.seqs)
	st.tokens = s.fitRows
	st.sites = make([][sites]stats, len(net.layers))
	if withBases {
		st.bases = make([][]basis, len(net.layers))
	}
	for i, l := range net.layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		var grams [sites][]float32
		see := func(at site, x []float32) {
			n := len(x) / s.rows
			info := &st.sites[i][at]
			info.mean2 = meanSquares(x[:s.fitRows*n], n)
			info.probe = append([]float32(nil), x[s.fitRows*n:]...)
			if withBases {
				grams[at] = gram(threads, x, s.fitRows, n)
			}
		}
		net.attend(l, b, see)
		net.feed(l, b, see)
		if !withBases {
			continue
		}
		slots := blockMatrices(&st.model.Layers[i], i)
		st.bases[i] = make([]basis, len(slots))
		errs := make([]error, len(slots))
		parallel(threads, len(slots), func(k int) {
			if w := *slots[k].at; w != nil {
				st.bases[i][k], errs[k] = outputBasis(w.Dense(), w.Rows, w.Cols, grams[slots[k].site])
			}
		})
		for k, err := range errs {
			if err != nil {
				return fmt.Errorf("finding the output axes of %s: %w", slots[k].name, err)
			}
		}
	}
	return nil
}

func meanSquares(x []float32, n int) []float32 {
	sum := make([]float64, n)
	for i := 0; i < len(x); i += n {
		for j, v := range x[i : i+n] {
			sum[j] += float64(v) * float64(v)
		}
	}
	out := make([]float32, n)
	for j, v := range sum {
		out[j] = float32(v * float64(n) / float64(len(x)))
	}
	return out
}

// storage is how a stage's matrices are to be stored.
type storage struct {
	bits, group int
	ratio       float64 // rank ratio, 1 = dense
	threads     int
}

// store brings one dense w (rows×cols) into bits; at 16 the result is
// bfloat16. An already stored matrix in the same format is kept.
func (o storage) store(w *model.Matrix, importance []float32) (*model.Matrix, error) {
	if o.bits == 16 {
		if w.BF16 != nil {
			return w, nil
		}
		dense := w.Dense()
		for _, v := range dense {
			if v-v != 0 {
				return nil, errNotFinite
			}
		}
		return bfloat(dense, w.Rows, w.Cols), nil
	}
	q, scale, err := quantize(o.threads, w.Dense(), w.Rows, w.Cols, o.bits, o.group, importance)
	if err != nil {
		return nil, err
	}
	return &model.Matrix{Rows: w.Rows, Cols: w.Cols, Q: q, Scale: scale, Bits: o.bits, Group: o.group}, nil
}

// plain is store for a matrix that may be factored already: each factor is
// stored then.
func (o storage) plain(w *model.Matrix, importance []float32) (*model.Matrix, error) {
	if w.B == nil {
		return o.store(w, importance)
	}
	b, err := o.store(w.B, nil)
	if err != nil {
		return nil, err
	}
	a, err := o.store(w.A, importance)
	if err != nil {
		return nil, err
	}
	return &model.Matrix{Rows: w.Rows, Cols: w.Cols, B: b, A: a}, nil
}

// factorAndStore cuts w to the ratio's rank along its basis and stores both
// factors. The inputs of B are the outputs along the axes, whose energies are
// the basis' powers.
func (o storage) factorAndStore(w *model.Matrix, s basis, importance []float32) (*model.Matrix, error) {
	r := rankOf(o.ratio, w.Rows, w.Cols)
	bv, av := s.factor(w.Dense(), w.Cols, r)
	b, err := o.store(&model.Matrix{Rows: w.Rows, Cols: r, F32: bv}, s.power[:r])
	if err != nil {
		return nil, err
	}
	a, err := o.store(&model.Matrix{Rows: r, Cols: w.Cols, F32: av}, importance)
	if err != nil {
		return nil, err
	}
	return &model.Matrix{Rows: w.Rows, Cols: w.Cols, B: b, A: a}, nil
}

// matrixError is the relative squared output error of approx against w on the
// probe rows, or of the weights where there are none.
func matrixError(threads int, approx, w *model.Matrix, probe []float32) float64 {
	if approx == w {
		return 0
	}
	if len(probe) == 0 {
		return relative(approx.Dense(), w.Dense())
	}
	return relative(outputs(threads, approx, probe), outputs(threads, w, probe))
}

// outputs returns X·Wᵀ for the rows x.
func outputs(threads int, w *model.Matrix, x []float32) []float32 {
	if w.B != nil {
		return outputs(threads, w.B, outputs(threads, w.A, x))
	}
	return product(threads, x, w.Dense(), len(x)/w.Cols, w.Cols, w.Rows, true)
}
