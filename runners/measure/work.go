package measure

import (
	"context"
	"time"

	"github.com/seed-c6f48606/harness/runners/engine"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// workload runs the inferences of one trial: the classes of a batch, or the next
// token of each sequence where the model has no classifier.
type workload struct {
	engine    *engine.Engine
	queue     *queue
	batch     [][]int32
	threshold float64
	logits    []float32
	steps     []engine.Step
	before    engine.Stats // of an inference, and after it
	after     engine.Stats
	discard   func(step, pos int, logits []float32)
}

func newWorkload(e *engine.Engine, q *queue, batch int, threshold float64) *workload {
	w := &workload{
		engine: e, queue: q, batch: make([][]int32, batch), threshold: threshold,
		logits: make([]float32, batch*e.Classes()), discard: func(int, int, []float32) {},
	}
	if e.Classes() == 0 {
		longest := 0
		for _, ids := range q.all {
			longest = max(longest, len(ids))
		}
		w.steps = make([]engine.Step, batch)
		for i := range w.steps {
			w.steps[i].Seq = e.NewSequence()
			w.steps[i].Seq.Reserve(longest)
		}
	}
	return w
}

// infer runs w.batch.
func (w *workload) infer(ctx context.Context) (engine.Stats, error) {
	if w.steps == nil {
		return w.engine.Classify(ctx, w.batch, w.threshold, w.logits)
	}
	w.engine.ReadStats(&w.before)
	for i := range w.steps {
		w.steps[i].Seq.Reset()
		w.steps[i].Tokens = w.batch[i]
	}
	if err := w.engine.Forward(ctx, w.steps, w.threshold, w.discard); err != nil {
		return engine.Stats{}, err
	}
	w.engine.ReadStats(&w.after)
	return since(w.before, w.after), nil
}

// pace bounds a work window.
type pace struct {
	window   time.Duration // least length
	least    int           // least number of inferences, given up after maxWindows windows
	most     int           // 0 = no such end
	together bool          // all queries arrive at the window's start (Offline)
	expected int           // inferences to make room for before the window begins
}

const (
	maxWindows = 4
	maxRoom    = 1 << 18
)

// expect is the room that a window needs at the pace of the warm-up.
func (p pace) expect(runs int, seconds float64) int {
	n := max(float64(p.least), 2*p.window.Seconds()*float64(runs)/seconds)
	if p.most > 0 {
		n = min(n, float64(p.most))
	}
	return int(min(n, maxRoom)) // also where seconds is 0
}

// done says whether a window that began so long ago with so many inferences is over.
func (p pace) done(elapsed time.Duration, n int) bool {
	switch {
	case n == 0:
		return false
	case p.most > 0 && n >= p.most:
		return true
	case elapsed < p.window:
		return false
	}
	return n >= p.least || elapsed >= maxWindows*p.window
}

// window is a work window that was run.
type window struct {
	counts
	from, to time.Time
	samples  []wire.Sample
}

func (w *window) seconds() float64 { return w.to.Sub(w.from).Seconds() }

// run times inferences until p says that it is done.
func (w *workload) run(ctx context.Context, p pace) (window, error) {
	out := window{samples: make([]wire.Sample, 0, p.expected)}
	out.from = time.Now()
	for {
		w.queue.take(w.batch)
		began := time.Now()
		st, err := w.infer(ctx)
		if err != nil {
			return out, err
		}
		out.to = time.Now()
		asked := began
		if p.together {
			asked = out.from
		}
		out.add(st, len(w.batch))
		out.samples = append(out.samples, wire.Sample{
			TimeS: began.Sub(out.from).Seconds(), LatencyMS: 1e3 * out.to.Sub(asked).Seconds(), Items: len(w.batch), Tokens: st.Tokens,
		})
		if p.done(out.to.Sub(out.from), len(out.samples)) {
			return out, nil
		}
	}
}
