package engine

import (
	"fmt"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// Engine runs one model. It is not safe for use by several goroutines at once;
// it uses Options.Threads processors by itself.
type Engine struct {
	config  model.Config
	options Options
	pool    *kernels.Pool

	embed      weight
	layers     []layer
	norm       []float32
	head       weight
	headSource *model.Matrix // what head is packed from when first needed
	whole      weight        // the head that Restrict took rows of
	classifier classifier    // of the last layer; weight nil if there is none
	gates      int           // gates of both kinds

	rope   rope
	pass   pass
	stats  Stats
	before Stats // at the beginning of a call that returns its own

	output vocabulary
	labels labels

	requests []request
	scratch  []*Sequence // sequences of Classify and Observe
	prefix   prefix
}

// classifier maps a final hidden state to class logits.
type classifier struct {
	weight weight
	bias   []float32
}

// New packs m for the kernels, spread over the workers. Nothing of m is held
// afterwards but, in a model with a classifier and a head of its own, that head,
// which is packed when logits over the vocabulary are first asked for: until
// then its file must stay open.
func New(m *model.Model, o Options) (*Engine, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("preparing the model: %w", err)
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	e := &Engine{config: m.Config, options: o, norm: m.Norm, rope: newRope(m.Config.HeadDim, m.Config.RopeTheta)}
	load := &loader{exact: o.Exact}
	format, err := o.kvFormat(m)
	if err != nil {
		return nil, err
	}
	e.layers = make([]layer, len(m.Layers))
	for i := range m.Layers {
		e.layers[i] = load.layer(&m.Layers[i])
		e.layers[i].kv.Format, e.layers[i].kv.HeadDim = format, m.Config.HeadDim
	}
	e.embed = load.pack(m.Embed)
	switch {
	case m.Head == nil:
		e.head = e.embed
	case m.Classifier == nil:
		e.head = load.pack(m.Head)
	default:
		e.headSource = m.Head
	}
	if m.Classifier != nil {
		e.classifier = classifier{load.pack(m.Classifier), m.ClassifierBias}
	}
	if err := e.addGates(m, load); err != nil {
		return nil, err
	}
	e.pool = kernels.NewPool(o.Threads)
	if err := load.run(e.pool); err != nil {
		e.Close()
		return nil, fmt.Errorf("packing the model: %w", err)
	}
	e.pass.attention.queries.workers = make([]kernels.Attention, o.Threads)
	e.stats.Exits = make([]int, len(e.layers))
	if o.LabelRows != nil {
		if err := e.Restrict(o.LabelRows); err != nil {
			e.Close()
			return nil, err
		}
	}
	return e, nil
}

// Close ends the workers. The engine must not be used afterwards.
func (e *Engine) Close() { e.pool.Close() }

// Pool returns the workers and the operation counters.
func (e *Engine) Pool() *kernels.Pool { return e.pool }

// Config returns the shape of the model.
func (e *Engine) Config() model.Config { return e.config }

// Classes returns the number of classes of the classifier, 0 without one.
func (e *Engine) Classes() int {
	if e.classifier.weight == nil {
		return 0
	}
	return e.classifier.weight.Rows()
}

// Gates returns the number of gates of both kinds.
func (e *Engine) Gates() int { return e.gates }

// Bytes returns the memory that weights hold: packed matrices, embedding and
// gates, without working memory and caches.
func (e *Engine) Bytes() int64 {
	n := e.embed.Bytes() + 4*int64(len(e.norm))
	if e.whole != nil && e.whole != e.embed && e.whole != e.head {
		n += e.whole.Bytes()
	}
	add := func(ws ...weight) {
		for _, w := range ws {
			if w != nil {
				n += w.Bytes()
			}
		}
	}
	if e.head != e.embed {
		add(e.head)
	}
	add(e.classifier.weight)
	n += 4 * int64(len(e.classifier.bias))
	for i := range e.layers {
		l := &e.layers[i]
		add(l.q, l.k, l.v, l.o, l.gate, l.up, l.down)
		n += 4 * int64(len(l.attnNorm)+len(l.mlpNorm))
		for _, g := range []*gate{l.need, l.exit} {
			if g != nil {
				add(g.classifier.weight)
				n += 4 * int64(len(g.weight)+len(g.classifier.bias)+1)
			}
		}
	}
	return n
}
