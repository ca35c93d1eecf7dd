package train

import (
	"fmt"
	"math"
	"time"

	"github.com/seed-c6f48606/harness/datasets/score"
)

// trainer is a run in memory: what a checkpoint holds, and the buffers.
type trainer struct {
	shape
	recipe   Recipe
	seed     uint64
	schedule schedule
	blank    int32 // token that stands for a blanked one
	workers  int   // 0 = GOMAXPROCS

	weights *weights[float32]
	adam    *adamW
	nets    []*network[float32] // one a shard
	shards  []*sequences
	streams []stream
	grads   [][]float32

	progressState
}

// progressState is the part of a run that is neither weights nor recipe.
type progressState struct {
	Step    int           `json:"step"`
	Elapsed time.Duration `json:"elapsed_ns"` // over all sittings
	Tokens  int64         `json:"tokens"`     // forward and backward
	ValF1   float64       `json:"val_f1"`     // of the last evaluation, −1 = none yet
	Class   float64       `json:"class_loss"` // running means
	LM      float64       `json:"lm_loss"`
}

func newTrainer(s shape, r Recipe, seed uint64, blank int32, sched schedule) *trainer {
	t := &trainer{shape: s, recipe: r, seed: seed, blank: blank, schedule: sched, weights: newWeights[float32](s)}
	t.weights.initialise(s, seed)
	t.adam = newAdamW(s, t.weights, r.EMA > 0)
	for range r.Shards {
		n := newNetwork(s, t.weights, true)
		t.nets = append(t.nets, n)
		t.grads = append(t.grads, n.grad.flat)
		t.shards = append(t.shards, &sequences{})
	}
	t.streams = make([]stream, r.Shards)
	t.ValF1 = -1
	return t
}

// step trains on one batch at progress p.
func (t *trainer) step(examples []example, batch []int, p float64) error {
	for i := range t.streams {
		t.streams[i] = newStream(t.seed, uint64(t.Step), uint64(i))
	}
	r := t.recipe
	spoil := noise{t.blank, r.TokenDropout, r.TokenNoise, r.TokenInsert, firstPiece, int32(t.vocab)}
	targets := shardBatch(t.shards, examples, batch, spoil, t.streams)
	lw := lossWeights{class: 1, lm: r.LMWeight, smoothing: r.LabelSmoothing, count: len(batch), tokens: targets, prefix: r.PrefixWeight}
	if t.schedule.languageOnly(p) {
		lw.class, lw.lm = 0, 1
	}
	rates := dropRates{residual: r.Dropout, head: r.HeadDropout, block: r.BlockDropout}
	sums := make([]losses, len(t.nets))
	parallel(t.workers, len(t.nets), func(i int) {
		sums[i] = t.nets[i].step(t.shards[i], lw, rates, &t.streams[i])
	})
	var sum losses
	for i, l := range sums {
		sum.class, sum.lm = sum.class+l.class, sum.lm+l.lm
		t.Tokens += int64(len(t.shards[i].tokens))
	}
	t.Step++
	norm := t.adam.update(t.weights.flat, t.grads, r, t.schedule.rate(p), t.Step, t.workers)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return fmt.Errorf("training step %d: the gradient is not finite; a lower learning_rate than %g may hold", t.Step, r.LearningRate)
	}
	if lw.class > 0 {
		t.Class = follow(t.Class, sum.class/float64(len(batch)))
	}
	if lw.lm > 0 && targets > 0 {
		t.LM = follow(t.LM, sum.lm/float64(targets))
	}
	return nil
}

// follow is an exponential mean over about 50 steps.
func follow(mean, x float64) float64 {
	if mean == 0 {
		return x
	}
	return mean + .02*(x-mean)
}

// averaged returns the weights to evaluate and to save.
func (t *trainer) averaged() []float32 {
	if t.adam.average != nil {
		return t.adam.average
	}
	return t.weights.flat
}

// evalBatch is the number of utterances computed at once in evaluation.
const evalBatch = 64

// evaluate classifies the examples with the given weights, dropout off; with
// perplexity it also scores the next token at every position.
func (t *trainer) evaluate(flat []float32, examples []example, perplexity bool) (*score.Confusion, float64, error) {
	w := viewWeights(t.shape, flat)
	count := (len(examples) + evalBatch - 1) / evalBatch
	predicted := make([]int, len(examples))
	nll, tokens := make([]float64, count), make([]int, count)
	free := make(chan *network[float32], len(t.nets))
	for _, n := range t.nets {
		n.w = w
		free <- n
	}
	parallel(min(len(t.nets), workerCount(t.workers)), count, func(c int) {
		n := <-free
		defer func() { free <- n }()
		lo := c * evalBatch
		hi := min(lo+evalBatch, len(examples))
		b := &sequences{}
		b.reset()
		for _, e := range examples[lo:hi] {
			b.add(e, noise{}, nil)
		}
		b.readLast()
		n.forward(b, dropRates{}, nil)
		if perplexity {
			nll[c], tokens[c] = n.perplexityLoss(b)
		}
		logits := n.classify(hi - lo)
		for i := range hi - lo {
			predicted[lo+i] = argmax(logits[i*n.classes : (i+1)*n.classes])
		}
	})
	for _, n := range t.nets {
		n.w = t.weights
	}
	actual := make([]int, len(examples))
	for i, e := range examples {
		actual[i] = e.label
	}
	confusion, err := score.Count(actual, predicted, t.classes)
	if err != nil {
		return nil, 0, fmt.Errorf("evaluating: %w", err)
	}
	sum, n := 0.0, 0
	for i := range nll {
		sum, n = sum+nll[i], n+tokens[i]
	}
	return confusion, math.Exp(sum / float64(max(1, n))), nil
}

func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
