package engine

import (
	"fmt"
	"runtime"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// Options says how a model is run. The zero value is ready for use.
type Options struct {
	Threads int  // workers, 0 = one per processor
	Exact   bool // widen all weights to f32 and compute in f32
	Chunk   int  // tokens a piece of a long input has, 0 = 512

	// Tap, if set, is called during every pass with the rows that the matrices
	// of a site read: rows x cols values, contiguous, valid during the call.
	Tap func(layer int, site Site, x []float32, rows, cols int)
}

// Site is a place in a layer where one set of rows meets one or more matrices.
type Site uint8

// The sites of a layer, in the order in which a pass reaches them.
const (
	SiteQKV    Site = iota // input of the query, key and value matrices
	SiteO                  // input of the attention output matrix
	SiteGateUp             // input of the gate and up matrices
	SiteDown               // input of the down matrix
)

// String returns a short name.
func (s Site) String() string { return [...]string{"qkv", "o", "gate_up", "down"}[s] }

const defaultChunk = 512

// Engine runs one model. It is not safe for use by several goroutines at once;
// it uses Options.Threads processors by itself.
type Engine struct {
	config  model.Config
	options Options
	pool    *kernels.Pool

	embed      table
	layers     []layer
	norm       []float32
	head       weight
	headSource *model.Matrix // what head is packed from when first needed
	classifier classifier    // of the last layer; weight nil if there is none
	gates      int           // gates of both kinds

	rope  rope
	pass  pass
	stats Stats

	output vocabulary
	labels labels

	requests []request
	scratch  []*Sequence // sequences of Classify and Observe
}

// layer is a transformer block ready to run; weights of removed blocks are nil.
type layer struct {
	heads, kvHeads, ffn int
	attnNorm, mlpNorm   []float32
	q, k, v, o          weight
	gate, up, down      weight
	need                *gate // may skip the attention block
	exit                *gate // may end the sequence after this layer
}

// classifier maps a final hidden state to class logits.
type classifier struct {
	weight weight
	bias   []float32
}

// New packs m for the kernels. Nothing of m is held afterwards but the storage
// of its embedding and, in a model with a classifier, of its head, which is
// packed only when logits over the vocabulary are first asked for.
func New(m *model.Model, o Options) (*Engine, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("preparing the model: %w", err)
	}
	if o.Threads < 0 || o.Threads > 1024 {
		return nil, fmt.Errorf("threads is %d: use 1 to 1024, or 0 for one per processor", o.Threads)
	}
	if o.Chunk < 0 {
		return nil, fmt.Errorf("chunk is %d: use 1 or more tokens a piece, or 0 for %d", o.Chunk, defaultChunk)
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Chunk == 0 {
		o.Chunk = defaultChunk
	}
	e := &Engine{
		config:     m.Config,
		options:    o,
		embed:      newTable(m.Embed),
		layers:     make([]layer, len(m.Layers)),
		norm:       m.Norm,
		headSource: m.Head,
		rope:       rope{headDim: m.Config.HeadDim, theta: m.Config.RopeTheta},
	}
	if e.headSource == nil {
		e.headSource = m.Embed
	}
	for i := range m.Layers {
		e.layers[i] = newLayer(&m.Layers[i], o.Exact)
	}
	if m.Classifier != nil {
		e.classifier = classifier{pack(m.Classifier, o.Exact), m.ClassifierBias}
	} else {
		e.packHead()
	}
	if err := e.addGates(m); err != nil {
		return nil, err
	}
	e.pool = kernels.NewPool(o.Threads)
	e.pass.scores = make([][]float32, o.Threads)
	e.stats.Exits = make([]int, len(e.layers))
	return e, nil
}

func newLayer(m *model.Layer, exact bool) layer {
	l := layer{heads: m.Heads, kvHeads: m.KVHeads, ffn: m.FFN, attnNorm: m.AttnNorm, mlpNorm: m.MLPNorm}
	if m.HasAttention() {
		l.q, l.k, l.v, l.o = pack(m.Q, exact), refined(pack(m.K, exact)), refined(pack(m.V, exact)), pack(m.O, exact)
	}
	if m.HasMLP() {
		l.gate, l.up, l.down = pack(m.Gate, exact), pack(m.Up, exact), pack(m.Down, exact)
	}
	return l
}

func (e *Engine) packHead() {
	if e.head == nil {
		e.head = pack(e.headSource, e.options.Exact)
		e.headSource = nil
	}
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
	add := func(ws ...weight) {
		for _, w := range ws {
			if w != nil {
				n += w.Bytes()
			}
		}
	}
	add(e.head, e.classifier.weight)
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
