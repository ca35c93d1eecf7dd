package engine

import (
	"context"

	"github.com/seed-c6f48606/harness/kernels"
)

// prefix is the beginning that classified prompts have in common, read once:
// Options.SharePrefix.
type prefix struct {
	seq    *Sequence
	tokens []int32 // that seq has read
	last   []int32 // the first prompt of the last call
}

// A pass over a prefix reads all weights once more, which costs as much as some
// tokens do: sharing has to save more than these.
const leastSaved = 32

// common is the number of first tokens that a and b share.
func common(a, b []int32) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// sharePrefix finds the beginning that all prompts of the batch share with each
// other and, where it is one prompt, with that of the call before. It makes sure
// that the engine has read it and returns its length, a multiple of
// kernels.KVGroup, or 0.
//
// Nothing is shared where gates look at the prompt's first piece: the decision
// would be another one.
func (e *Engine) sharePrefix(ctx context.Context, batch [][]int32) (int, error) {
	p := &e.prefix
	if !e.options.SharePrefix || len(batch) == 0 || e.pass.plan != nil || e.pass.threshold > 0 && e.gates > 0 {
		return 0, nil
	}
	n := len(batch[0])
	for _, tokens := range batch {
		n = min(n, common(batch[0], tokens), len(tokens)-1)
	}
	known := common(p.tokens, batch[0])
	if len(batch) == 1 {
		n = min(n, max(known, common(p.last, batch[0])))
	}
	p.last = append(p.last[:0], batch[0]...)
	n = n / kernels.KVGroup * kernels.KVGroup
	if known >= n {
		return n, nil
	}
	known = known / kernels.KVGroup * kernels.KVGroup
	saved := len(batch)*n - (n - known)
	if len(batch) == 1 {
		saved = n - known // in calls to come
	}
	if saved < leastSaved {
		return known, nil
	}
	if p.seq == nil {
		p.seq = e.NewSequence()
	}
	if known == 0 {
		p.seq.Reset()
	}
	p.seq.cut(known)
	p.seq.route.reset(len(e.layers))
	p.seq.route.decided = true
	p.tokens = append(p.tokens[:0], batch[0][:n]...)
	e.requests = append(e.requests[:0], request{seq: p.seq, tokens: p.tokens[known:], keep: true, silent: true})
	err := e.run(ctx, nothing{})
	e.clearRequests()
	if err != nil {
		p.tokens = p.tokens[:p.seq.pos]
	}
	return n, err
}

// nothing takes hidden states that nobody asked for.
type nothing struct{}

func (nothing) emit(*Engine) {}
