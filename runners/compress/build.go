package compress

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// Options of a [Builder].
type Options struct {
	Threads int // 0 = all processors
	NoGates bool
}

// Builder makes variants of one parent. It keeps what variants share: the
// removal order of each calibration sample, and the pruned, repaired models
// with the output axes of their matrices. Variants of one prune ratio should
// be built one after the other; what was used longest ago is dropped first.
// A variant does not depend on what was built before it. A Builder is not
// safe for concurrent use.
type Builder struct {
	parent *model.Model
	cal    Calibration
	opts   Options
	orders map[calibKey][]blockOrder
	stages []cachedStage // latest last
}

type calibKey struct {
	samples int
	seed    uint64
}

type stageKey struct {
	calibKey
	ratio float64
}

type cachedStage struct {
	key   stageKey
	stage *stage
}

// keepParams bounds the stages kept, in parameters of the parent's blocks, to
// about half a gigabyte; one stage is always kept.
const keepParams = 64 << 20

// NewBuilder checks the calibration data against the parent. An empty
// calibration allows only bits.
func NewBuilder(parent *model.Model, cal Calibration, o Options) (*Builder, error) {
	if err := cal.check(parent); err != nil {
		return nil, err
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	return &Builder{parent: parent, cal: cal, opts: o, orders: map[calibKey][]blockOrder{}}, nil
}

// Check refuses recipes that cannot work for this parent and calibration with
// a [*UsageError].
func (b *Builder) Check(r Recipe) error {
	if err := CheckModel(b.parent, r); err != nil {
		return err
	}
	if len(b.cal.shuffled(0, 0)) > 0 {
		return nil
	}
	if r.PruneRatio > 0 {
		return &UsageError{"prune-ratio", number(r.PruneRatio), "0 without calibration data", "0"}
	}
	if r.RankRatio < 1 {
		return &UsageError{"rank-ratio", number(r.RankRatio), "1 without calibration data", "1"}
	}
	return nil
}

// CheckModel refuses recipes that no calibration can make work for this
// parent with a [*UsageError].
func CheckModel(parent *model.Model, r Recipe) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if err := checkPrune(parent, r.PruneRatio); err != nil {
		return err
	}
	if r.RankRatio == 1 && r.PruneRatio == 0 {
		return nil
	}
	for name, w := range parent.Matrices {
		if w.B != nil {
			axis, value, near := "rank-ratio", r.RankRatio, "1"
			if r.RankRatio == 1 {
				axis, value, near = "prune-ratio", r.PruneRatio, "0"
			}
			return &UsageError{axis, number(value), near + " for a parent that is factored already (" + name + ")", near}
		}
	}
	return nil
}

// Apply makes one variant; a sweep shares work by a [Builder].
func Apply(ctx context.Context, parent *model.Model, cal Calibration, r Recipe, progress func(stage string, done float64)) (*model.Model, *Report, error) {
	b, err := NewBuilder(parent, cal, Options{})
	if err != nil {
		return nil, nil, err
	}
	return b.Build(ctx, r, progress)
}

// Build makes the variant. progress, which may be nil, hears the stages' names
// and the share done, from 0 to 1.
func (b *Builder) Build(ctx context.Context, r Recipe, progress func(stage string, done float64)) (*model.Model, *Report, error) {
	began := time.Now()
	if err := b.Check(r); err != nil {
		return nil, nil, err
	}
	r = r.normal()
	if progress == nil {
		progress = func(string, float64) {}
	}
	pool := kernels.NewPool(b.opts.Threads)
	defer pool.Close()
	rep := &Report{Recipe: r, RankRatio: 1, ParamsBefore: b.parent.Params(), BytesBefore: b.parent.StoredBytes()}

	progress("calibrate", 0)
	st, err := b.stage(ctx, r, pool)
	if err != nil {
		return nil, nil, err
	}
	rep.PruneRatio, rep.CalibTokens = st.ratio, st.tokens
	for i := range st.model.Layers {
		l := &st.model.Layers[i]
		lr := LayerReport{Heads: l.Heads, KVHeads: l.KVHeads, FFN: l.FFN}
		if st.layerErr != nil {
			lr.Error = st.layerErr[i]
		}
		rep.Layers = append(rep.Layers, lr)
	}

	progress("store", 0.4)
	m, err := b.store(ctx, st, r, rep)
	if err != nil {
		return nil, nil, err
	}
	progress("gates", 0.6)
	if err := b.gates(ctx, m, r, rep); err != nil {
		return nil, nil, err
	}
	if err := describe(m, b.parent, r); err != nil {
		return nil, nil, err
	}
	rep.finish(m)
	rep.Seconds = time.Since(began).Seconds()
	progress("done", 1)
	return m, rep, nil
}

// stage finds or makes the pruned model and the statistics that r needs.
func (b *Builder) stage(ctx context.Context, r Recipe, pool *kernels.Pool) (*stage, error) {
	key := stageKey{calibKey{r.CalibSamples, r.Seed}, r.PruneRatio}
	s := b.cal.pick(&b.parent.Config, r.CalibSamples, r.Seed, tokenLimit(b.parent))
	st := b.cached(key)
	if st == nil {
		st = &stage{pruned: pruned{model: b.parent}}
		if r.PruneRatio > 0 {
			blocks, err := b.order(ctx, key.calibKey, s, pool)
			if err != nil {
				return nil, err
			}
			p, err := prune(ctx, b.parent, s, pool, blocks, r.PruneRatio, true)
			if err != nil {
				return nil, err
			}
			st.pruned = *p
		}
		b.keep(key, st)
	}
	needBases := r.RankRatio < 1
	if s.fitRows > 0 && (st.sites == nil || needBases && st.bases == nil) {
		if err := st.observe(ctx, s, pool, needBases); err != nil {
			return nil, err
		}
	}
	return st, nil
}

func (b *Builder) order(ctx context.Context, key calibKey, s sample, pool *kernels.Pool) ([]blockOrder, error) {
	if o, ok := b.orders[key]; ok {
		return o, nil
	}
	o, err := pruneOrders(ctx, b.parent, s, pool)
	if err == nil {
		b.orders[key] = o
	}
	return o, err
}

func (b *Builder) cached(key stageKey) *stage {
	for i, c := range b.stages {
		if c.key == key {
			b.stages = append(append(b.stages[:i:i], b.stages[i+1:]...), c)
			return c.stage
		}
	}
	return nil
}

func (b *Builder) keep(key stageKey, st *stage) {
	most := max(1, int(keepParams/max(1, b.parent.BlockParams())))
	if len(b.stages) >= most {
		b.stages = append([]cachedStage(nil), b.stages[len(b.stages)-most+1:]...)
	}
	b.stages = append(b.stages, cachedStage{key, st})
}

// store brings every matrix of the stage's model into rank and bits.
func (b *Builder) store(ctx context.Context, st *stage, r Recipe, rep *Report) (*model.Model, error) {
	o := storage{bits: r.Bits, group: r.GroupSize, ratio: r.RankRatio, threads: b.opts.Threads}
	m := st.model.Clone()
	m.Gates = nil
	before := m.BlockParams()
	for i := range m.Layers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for k, s := range blockMatrices(&m.Layers[i], i) {
			w := *s.at
			if w == nil {
				continue
			}
			var info stats
			if st.sites != nil {
				info = st.sites[i][s.site]
			}
			var err error
			var out *model.Matrix
			if r.RankRatio < 1 {
				out, err = o.factorAndStore(w, st.bases[i][k], info.mean2)
			} else {
				out, err = o.plain(w, info.mean2)
			}
			if err != nil {
				return nil, fmt.Errorf("storing %s: %w", s.name, err)
			}
			*s.at = out
			rep.matrix(s.name, out, matrixError(b.opts.Threads, out, w, info.probe), r.Bits)
		}
	}
	for _, s := range []slot{{"embed", &m.Embed, 0}, {"head", &m.Head, 0}, {"classifier", &m.Classifier, 0}} {
		w := *s.at
		if w == nil {
			continue
		}
		out, err := o.plain(w, nil)
		if err != nil {
			return nil, fmt.Errorf("storing %s: %w", s.name, err)
		}
		*s.at = out
		rep.matrix(s.name, out, matrixError(b.opts.Threads, out, w, nil), r.Bits)
	}
	rep.RankRatio = float64(m.BlockParams()) / float64(before)
	rep.warnStorage(b.parent, r)
	return m, nil
}

// gates fits gates for the finished weights, or says why there are none.
func (b *Builder) gates(ctx context.Context, m *model.Model, r Recipe, rep *Report) error {
	switch n := len(b.cal.shuffled(0, 0)); {
	case b.opts.NoGates:
		return nil
	case m.Classifier == nil:
		rep.warn("no gates: the model has no classifier to judge skipping by, so the threshold has no effect")
		return nil
	case n < minGateItems:
		rep.warn("no gates: %d calibration sequences, %d at least, so the threshold has no effect", n, minGateItems)
		return nil
	}
	var err error
	rep.Gates, err = TrainGates(ctx, m, b.cal, GateOptions{Seed: r.Seed, Threads: b.opts.Threads})
	return err
}

// describe writes the recipe and the parent into the model's own metadata.
func describe(m, parent *model.Model, r Recipe) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("describing the recipe: %w", err)
	}
	if m.Config.Harness == nil {
		m.Config.Harness = &model.Extension{}
	}
	m.Config.Harness.Recipe = text
	if m.Meta == nil {
		m.Meta = map[string]string{}
	}
	m.Meta["recipe"], m.Meta["parent_sha256"] = string(text), parent.Hash
	m.Path, m.Hash = "", ""
	return nil
}
