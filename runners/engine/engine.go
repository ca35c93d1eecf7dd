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

	// KV is how keys and values are kept: "f32", "f16" or "q8" (int8 with a
	// scale per token and head). Unset, it is f16 where weights are integers
	// and f32 where all are floats or with Exact.
	KV string

	// LabelRows, if set, are the rows of the vocabulary that Forward computes
	// logits of, see Restrict.
	LabelRows []int32

	// SharePrefix lets Classify keep what it has read of the beginning that the
	// prompts of a call, or of this call and the last, have in common. Logits are
	// the same, bit for bit; time is not, so leave it off to measure prompts.
	SharePrefix bool

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
// afterwards but, in a model with a classifier and a head of its own, the
// storage of that head, which is packed when logits over the vocabulary are
// first asked for.
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

// complete checks the options and fills in what is not set.
func (o *Options) complete() error {
	if o.Threads < 0 || o.Threads > 1024 {
		return fmt.Errorf("threads is %d: use 1 to 1024, or 0 for one per processor", o.Threads)
	}
	if o.Chunk < 0 {
		return fmt.Errorf("chunk is %d: use 1 or more tokens a piece, or 0 for %d", o.Chunk, defaultChunk)
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Chunk == 0 {
		o.Chunk = defaultChunk
	}
	return nil
}

// kvFormat is how keys and values of m are kept.
func (o *Options) kvFormat(m *model.Model) (kernels.KVFormat, error) {
	switch {
	case o.KV != "":
		return kernels.ParseKV(o.KV)
	case o.Exact || !hasIntegers(m):
		return kernels.KVF32, nil
	}
	return kernels.KVF16, nil
}

// hasIntegers reports whether a block of m meets int8 activations.
func hasIntegers(m *model.Model) bool {
	for i := range m.Layers {
		l := &m.Layers[i]
		for _, w := range []*model.Matrix{l.Q, l.K, l.V, l.O, l.Gate, l.Up, l.Down} {
			if w == nil {
				continue
			}
			for _, part := range []*model.Matrix{w, w.A, w.B} {
				if part != nil {
					if bits, _, _ := integers(part); bits > 0 {
						return true
					}
				}
			}
		}
	}
	return false
}

// layer packs the matrices of one layer.
func (l *loader) layer(m *model.Layer) layer {
	out := layer{heads: m.Heads, ffn: m.FFN, attnNorm: m.AttnNorm, mlpNorm: m.MLPNorm, kv: kernels.KVLayout{Heads: m.KVHeads}}
	if m.HasAttention() {
		out.q, out.k, out.v, out.o = l.pack(m.Q), l.pack(m.K), l.pack(m.V), l.pack(m.O)
		for _, w := range []weight{out.k, out.v} {
			if w, ok := w.(*integer); ok {
				w.fine = true
			}
		}
	}
	if m.HasMLP() {
		out.gate, out.up, out.down = l.pack(m.Gate), l.pack(m.Up), l.pack(m.Down)
	}
	return out
}

// packHead packs the head of a classifier's language model.
func (e *Engine) packHead() error {
	if e.headSource == nil {
		return nil
	}
	load := &loader{exact: e.options.Exact}
	head := load.pack(e.headSource)
	if err := load.run(e.pool); err != nil {
		return fmt.Errorf("packing the head: %w", err)
	}
	e.head, e.headSource = head, nil
	return nil
}

// Restrict makes Forward compute logits of the given vocabulary rows only, in
// that order: enough where a prompt is classified through label tokens, at a
// cost of next to nothing. A later call counts rows of the whole vocabulary
// again; none at all restores it.
func (e *Engine) Restrict(rows []int32) error {
	if e.whole == nil {
		if err := e.packHead(); err != nil {
			return err
		}
		e.whole = e.head
	}
	if len(rows) == 0 {
		e.head = e.whole
		return nil
	}
	for i, r := range rows {
		if r < 0 || int(r) >= e.config.VocabSize {
			return fmt.Errorf("restricting logits: %w: row %d is %d, the vocabulary has %d", ErrToken, i, r, e.config.VocabSize)
		}
	}
	e.head = e.whole.keep(rows)
	return nil
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
