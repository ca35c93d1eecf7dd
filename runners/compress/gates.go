package compress

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// GateOptions of [TrainGates]. Zero values mean the defaults.
type GateOptions struct {
	Items   int     // sequences used, default 1024
	Seed    uint64  // chooses them
	Threads int     // 0 = all processors
	MaxLoss float64 // accuracy that threshold 0.5 may cost, default 0.01
}

// Defaults of the gates' training.
const (
	DefaultGateItems   = 1024
	DefaultGateMaxLoss = 0.01
	minGateItems       = 64
)

// Penalties of the fits, by validation on held-out items of the built-in task.
const (
	gatePenalty = 30.0
	exitPenalty = 1.0
	exitRounds  = 40
)

// TrainGates fits gates for m, which must have a classifier, and sets m.Gates.
// The items fall into three parts: half fit the exits' classifiers and their
// gates (in two folds, so that no exit is judged on what it was fitted on), a
// quarter fits the attention gates, a quarter sets the operating point: one
// shift for all attention gates and one for all exits, so that threshold 0.5
// saves the most work within the allowed loss of accuracy.
//
// An attention gate learns from the effect of skipping: it needs its block for
// a sequence if the dense answer is right, and the answer with the block
// skipped and all later layers dense is not. A second round asks the same in
// the states that the first round's gates lead to and fits both together. The
// first layer's attention is never skipped. An exit is needed not (need 0) if
// its own answer is as right as the dense one.
//
// Exits answer with m's classifier refitted to their layer by softmax
// regression, stored like m's own classifier.
func TrainGates(ctx context.Context, m *model.Model, cal Calibration, o GateOptions) (*GatesReport, error) {
	if m.Classifier == nil {
		return nil, fmt.Errorf("training gates: %w", errNoClassifier)
	}
	if err := cal.check(m); err != nil {
		return nil, fmt.Errorf("training gates: %w", err)
	}
	if o.Items == 0 {
		o.Items = DefaultGateItems
	}
	if o.MaxLoss == 0 {
		o.MaxLoss = DefaultGateMaxLoss
	}
	if o.Threads == 0 {
		o.Threads = defaultThreads()
	}
	ids := cal.shuffled(o.Seed, 2)
	ids = ids[:min(len(ids), o.Items)]
	if len(ids) < minGateItems {
		return nil, fmt.Errorf("training gates: %d sequences are too few, %d at least", len(ids), minGateItems)
	}
	pool := kernels.NewPool(o.Threads)
	defer pool.Close()
	t := &trainer{ctx: ctx, net: newNetwork(m, pool), m: m, loss: o.MaxLoss}
	half, quarter := len(ids)/2, len(ids)/4
	parts := [3][]int{ids[:half], ids[half : half+quarter], ids[half+quarter:]}
	m.Gates = nil
	exits := exitLayers(len(m.Layers))
	fit := t.prepare(cal, parts[0], nil, exits)
	gate := t.prepare(cal, parts[1], t.eligible(), nil)
	hold := t.prepare(cal, parts[2], nil, exits)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := t.fitExits(fit, exits); err != nil {
		return nil, err
	}
	if err := t.fitAttention(gate); err != nil {
		return nil, err
	}
	report := t.settle(hold)
	m.Gates = t.gates()
	return report, nil
}

// exitLayers are the layers after which a sequence may leave: at most three
// from the middle on, never the last.
func exitLayers(layers int) []int {
	var out []int
	first, last := max(0, (layers-1)/2), layers-2
	for i := range 3 {
		l := first + i*(last-first)/2
		if l >= 0 && l <= last && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// trainer is the state of one TrainGates.
type trainer struct {
	ctx  context.Context
	net  *network
	m    *model.Model
	loss float64

	attention []attentionGate
	exits     []exitGate
}

type attentionGate struct {
	layer int
	logistic
	shift float64 // subtracted from the logit
}

type exitGate struct {
	layer int
	logistic
	shift float64
	head  *model.Matrix
	class *linear
	bias  []float32
	right float64 // accuracy over the fitted items, out of fold
}

// items are the sequences of one part and what a dense pass said about them.
type items struct {
	ids    []int // 0..n-1, for subsets
	seqs   [][]int32
	labels []int
	dense  []int          // answers
	entry  map[int]*batch // stream before layer l
	exits  map[int]seen   // after layer l
}

// seen is what an exit looks at.
type seen struct {
	pooled []float32 // gate's features, n×d
	last   []float32 // classifier's features, n×d
}

// right tells whether the dense model answers item i rightly.
func (s *items) right(i int) bool { return s.dense[i] == s.labels[i] }

// eligible are the layers whose attention may be skipped.
func (t *trainer) eligible() []int {
	var out []int
	for i := range t.m.Layers {
		if i > 0 && t.m.Layers[i].HasAttention() {
			out = append(out, i)
		}
	}
	return out
}

// prepare runs a part densely and keeps the streams before the layers of entry
// and the features behind the layers of exits.
func (t *trainer) prepare(cal Calibration, ids, entry, exits []int) *items {
	s := &items{entry: map[int]*batch{}, exits: map[int]seen{}}
	for i, id := range ids {
		s.ids = append(s.ids, i)
		s.seqs = append(s.seqs, clip(cal.Tokens[id], &t.m.Config))
		if cal.Labels != nil {
			s.labels = append(s.labels, cal.Labels[id])
		}
	}
	b := t.net.start(s.seqs)
	for i, l := range t.net.layers {
		if slices.Contains(entry, i) {
			s.entry[i] = b.clone()
		}
		t.net.attend(l, b, nil)
		t.net.feed(l, b, nil)
		if slices.Contains(exits, i) {
			s.exits[i] = seen{t.net.pooled(b, t.m.Norm), t.net.lastNormed(b)}
		}
	}
	s.dense = t.net.answers(b)
	if s.labels == nil {
		s.labels = s.dense
	}
	return s
}

// fitExits fits a classifier and a gate behind each of the layers.
func (t *trainer) fitExits(s *items, layers []int) error {
	d, n := t.m.Config.HiddenSize, len(s.ids)
	c := t.m.Classifier.Rows
	prior := softmax{w: t.m.Classifier.Dense(), b: t.m.ClassifierBias, classes: c}
	t.exits = make([]exitGate, len(layers))
	type job struct{ exit, from, to int } // fitted on all but [from, to)
	var jobs []job
	for e := range layers {
		jobs = append(jobs, job{e, 0, 0}, job{e, 0, n / 2}, job{e, n / 2, n})
	}
	fits := make([]softmax, len(jobs))
	parallel(t.net.pool.Threads(), len(jobs), func(k int) {
		j := jobs[k]
		last := s.exits[layers[j.exit]].last
		x := slices.Concat(last[:j.from*d], last[j.to*d:])
		y := slices.Concat(s.labels[:j.from], s.labels[j.to:])
		fits[k] = fitSoftmax(x, d, y, prior, exitPenalty, exitRounds)
	})
	for e, layer := range layers {
		g := exitGate{layer: layer, bias: fits[3*e].b}
		head, err := likeClassifier(fits[3*e].w, t.m.Classifier, t.net.pool.Threads())
		if err != nil {
			return fmt.Errorf("storing the classifier of the exit after layer %d: %w", layer, err)
		}
		g.head, g.class = head, pack(head)
		need := make([]bool, n)
		for k := 3*e + 1; k <= 3*e+2; k++ {
			j := jobs[k]
			head := &linear{rows: c, cols: d, float: kernels.PackF32(fits[k].w, c, d)}
			answer := classify(t.net.pool, head, fits[k].b, s.exits[layer].last[j.from*d:j.to*d])
			for i, a := range answer {
				ok := a == s.labels[j.from+i]
				need[j.from+i] = !ok && s.right(j.from+i)
				if ok {
					g.right += 1 / float64(n)
				}
			}
		}
		g.logistic = fitLogistic(s.exits[layer].pooled, d, need, gatePenalty)
		t.exits[e] = g
	}
	return nil
}

// likeClassifier stores w (f32) the way the model's own classifier is stored.
func likeClassifier(w []float32, like *model.Matrix, threads int) (*model.Matrix, error) {
	o := storage{bits: 16, threads: threads}
	if like.Q != nil {
		o.bits, o.group = like.Bits, like.Group
	}
	return o.store(&model.Matrix{Rows: like.Rows, Cols: like.Cols, F32: w}, nil)
}

// fitAttention fits the attention gates in two rounds.
func (t *trainer) fitAttention(s *items) error {
	d := t.m.Config.HiddenSize
	layers := t.eligible()
	features, needs := make([][]float32, len(layers)), make([][]bool, len(layers))
	for k, l := range layers {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		features[k] = t.net.pooled(s.entry[l], t.m.Layers[l].AttnNorm)
		needs[k] = t.needed(l, s.entry[l], s, false)
	}
	fit := func() {
		t.attention = make([]attentionGate, len(layers))
		parallel(t.net.pool.Threads(), len(layers), func(k int) {
			t.attention[k] = attentionGate{layer: layers[k], logistic: fitLogistic(features[k], d, needs[k], gatePenalty)}
		})
	}
	fit()
	if len(layers) == 0 {
		return nil
	}
	// Second round: the stream under a policy that skips for half the items.
	b := s.entry[layers[0]].clone()
	for i := layers[0]; i < len(t.net.layers); i++ {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		l := t.net.layers[i]
		if k := slices.Index(layers, i); k >= 0 {
			f := t.net.pooled(b, t.m.Layers[i].AttnNorm)
			if k > 0 { // before the first decision nothing differs
				features[k] = append(features[k], f...)
				needs[k] = append(needs[k], t.needed(i, b, s, true)...)
			}
			t.attendWhere(l, b, upperHalf(t.attention[k].logistic, f, d))
		} else {
			t.net.attend(l, b, nil)
		}
		t.net.feed(l, b, nil)
	}
	fit()
	return nil
}

// upperHalf marks the half of the rows with the larger logit.
func upperHalf(g logistic, f []float32, d int) []bool {
	n := len(f) / d
	z := make([]float64, n)
	for i := range z {
		z[i] = g.logit(f[i*d : (i+1)*d])
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case z[a] > z[b]:
			return -1
		case z[a] < z[b]:
			return 1
		}
		return 0
	})
	up := make([]bool, n)
	for _, i := range order[:n/2] {
		up[i] = true
	}
	return up
}

// attendWhere runs a layer's attention for the marked sequences only.
func (t *trainer) attendWhere(l *netLayer, b *batch, run []bool) {
	var ids []int
	for i, r := range run {
		if r {
			ids = append(ids, i)
		}
	}
	if len(ids) == b.size() {
		t.net.attend(l, b, nil)
		return
	}
	sub := b.subset(ids)
	t.net.attend(l, sub, nil)
	b.put(ids, sub)
}

// needed tells for which items the attention of layer i is needed, in the
// stream b before it: the dense answer is right, the one after skipping is
// not, and (checked only if the stream is not the dense one) running the block
// would have saved it.
func (t *trainer) needed(i int, b *batch, s *items, check bool) []bool {
	skip := b.clone()
	t.net.feed(t.net.layers[i], skip, nil)
	t.net.finish(i+1, skip)
	need := make([]bool, len(s.ids))
	var wrong []int
	for k, a := range t.net.answers(skip) {
		if a != s.labels[k] && s.right(k) {
			need[k] = true
			wrong = append(wrong, k)
		}
	}
	if !check || len(wrong) == 0 {
		return need
	}
	run := b.subset(wrong)
	t.net.finish(i, run)
	for k, a := range t.net.answers(run) {
		need[wrong[k]] = a == s.labels[wrong[k]]
	}
	return need
}

// gates turns the fitted gates into the model's.
func (t *trainer) gates() []model.Gate {
	var out []model.Gate
	for _, g := range t.attention {
		out = append(out, model.Gate{Layer: g.layer, Kind: model.GateAttention, Weight: g.w, Bias: float32(g.b - g.shift)})
	}
	for _, g := range t.exits {
		out = append(out, model.Gate{
			Layer: g.layer, Kind: model.GateExit, Weight: g.w, Bias: float32(g.b - g.shift),
			Exit: g.head, ExitBias: g.bias,
		})
	}
	return out
}
