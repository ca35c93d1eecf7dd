package compress

import (
	"context"
	"fmt"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// pruneOrders finds the removal order of every block of m from the calibration
// activations of the unpruned model.
func pruneOrders(ctx context.Context, m *model.Model, s sample, pool *kernels.Pool) ([]blockOrder, error) {
	threads := pool.Threads()
	net := newNetwork(m, pool)
	b := net.start(s.seqs)
	blocks := make([]blockOrder, 0, 2*len(m.Layers))
	for i, l := range net.layers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		src := &m.Layers[i]
		var grams [sites][]float32
		see := func(at site, x []float32) {
			if at == siteO || at == siteDown {
				grams[at] = gram(threads, x, s.fitRows, len(x)/s.rows)
			}
		}
		net.attend(l, b, see)
		middle := energy(b.h)
		net.feed(l, b, see)
		todo := make([]blockOrder, 0, 2)
		if src.HasAttention() {
			todo = append(todo, blockOrder{layer: i, unit: paramsPerInput(src, false), scale: middle})
		}
		if src.HasMLP() {
			todo = append(todo, blockOrder{layer: i, ffn: true, unit: paramsPerInput(src, true), scale: energy(b.h)})
		}
		errs := make([]error, len(todo))
		parallel(threads, len(todo), func(k int) {
			if todo[k].ffn {
				todo[k].order, errs[k] = neuronOrder(src.Down.Dense(), src.Down.Rows, src.FFN, grams[siteDown])
			} else {
				todo[k].order, errs[k] = headOrder(src.O.Dense(), src.O.Rows, src.Heads, src.KVHeads, m.Config.HeadDim, grams[siteO])
			}
		})
		for _, err := range errs {
			if err != nil {
				return nil, fmt.Errorf("ordering the units of layer %d: %w", i, err)
			}
		}
		blocks = append(blocks, todo...)
	}
	return blocks, nil
}

// pruned is the parent with units removed and blocks repaired.
type pruned struct {
	model    *model.Model
	ratio    float64   // of block parameters removed
	layerErr []float64 // of the hidden state behind each layer, held out
}

// prune removes the share ratio of m's block parameters and repairs every
// output projection so that the residual stream of the pruned model follows
// the parent's: layer by layer, on the pruned model's own activations, which
// hold all upstream errors.
func prune(ctx context.Context, m *model.Model, s sample, pool *kernels.Pool, blocks []blockOrder, ratio float64, mend bool) (*pruned, error) {
	total := m.BlockParams()
	steps, removed := allocate(blocks, int64(ratio*float64(total)+0.5))
	out := &pruned{model: m.Clone(), ratio: float64(removed) / float64(total)}
	narrow(out.model, blocks, steps)

	dense, thin := newNetwork(m, pool), newNetwork(out.model, pool)
	hd, hp := dense.start(s.seqs), thin.start(s.seqs)
	d := m.Config.HiddenSize
	for i := range m.Layers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		dl, pl, layer := dense.layers[i], thin.layers[i], &out.model.Layers[i]
		dense.attend(dl, hd, nil)
		if layer.HasAttention() {
			x := thin.mixed(pl, thin.norm(hp.h, pl.attnNorm), hp.off)
			w, err := follow(pool, layer.O, x, hd.h, hp.h, s, mend)
			if err != nil {
				return nil, fmt.Errorf("repairing the attention of layer %d: %w", i, err)
			}
			layer.O = w
			add(hp.h, product(pool.Threads(), x, w.F32, s.rows, w.Cols, d, true))
		}
		dense.feed(dl, hd, nil)
		if layer.HasMLP() {
			x := thin.hidden(pl, thin.norm(hp.h, pl.mlpNorm), s.rows)
			w, err := follow(pool, layer.Down, x, hd.h, hp.h, s, mend)
			if err != nil {
				return nil, fmt.Errorf("repairing the FFN of layer %d: %w", i, err)
			}
			layer.Down = w
			add(hp.h, product(pool.Threads(), x, w.F32, s.rows, w.Cols, d, true))
		}
		out.layerErr = append(out.layerErr, relative(hp.h[s.fitRows*d:], hd.h[s.fitRows*d:]))
	}
	return out, nil
}

// follow refits w on its inputs x so that the stream hp + W·x meets hd on the
// rows that statistics may use.
func follow(pool *kernels.Pool, w *model.Matrix, x, hd, hp []float32, s sample, mend bool) (*model.Matrix, error) {
	dense := w.Dense()
	if !mend {
		return &model.Matrix{Rows: w.Rows, Cols: w.Cols, F32: dense}, nil
	}
	target := make([]float32, s.fitRows*w.Rows)
	for i := range target {
		target[i] = hd[i] - hp[i]
	}
	fit, err := repair(pool.Threads(), dense, w.Rows, w.Cols, x, target, s.fitRows)
	if err != nil {
		return nil, err
	}
	return &model.Matrix{Rows: w.Rows, Cols: w.Cols, F32: fit}, nil
}

// narrow cuts the blocks of m to what the chosen steps leave.
func narrow(m *model.Model, blocks []blockOrder, steps []int) {
	for i := range blocks {
		b := &blocks[i]
		if steps[i] == 0 {
			continue
		}
		l := &m.Layers[b.layer]
		if b.ffn {
			ids := kept(b.order, steps[i], l.FFN)
			l.Gate, l.Up, l.Down = takeRows(l.Gate, ids), takeRows(l.Up, ids), takeCols(l.Down, ids)
			l.FFN = len(ids)
			continue
		}
		ids := kept(b.order, steps[i], l.Heads*m.Config.HeadDim)
		l.Q, l.O = takeRows(l.Q, ids), takeCols(l.O, ids)
		l.Heads = len(ids) / m.Config.HeadDim
	}
	shapes := make([]model.LayerShape, len(m.Layers))
	for i := range m.Layers {
		l := &m.Layers[i]
		shapes[i] = model.LayerShape{Heads: l.Heads, KVHeads: l.KVHeads, FFN: l.FFN, Attention: l.HasAttention(), MLP: l.HasMLP()}
	}
	if m.Config.Harness == nil {
		m.Config.Harness = &model.Extension{}
	}
	m.Config.Harness.Layers = shapes
}
