package compress

import (
	"errors"
	"runtime"
	"slices"

	"github.com/seed-c6f48606/harness/runners/model"
)

var errNoClassifier = errors.New("the model has no classifier")

func defaultThreads() int { return runtime.GOMAXPROCS(0) }

// routed is the outcome of running items under the gates.
type routed struct {
	answers []int
	saved   float64 // share of the block parameters' work, tokens weighted
	gates   []GateReport
}

// route runs the items as the engine would at the given threshold's decision
// rule, skip where sigmoid(logit − shift) < 0.5, that is logit < shift.
func (t *trainer) route(s *items) routed {
	d := t.m.Config.HiddenSize
	out := routed{answers: make([]int, len(s.ids))}
	var total, run float64
	alive := slices.Clone(s.ids)
	b := t.net.start(s.seqs)
	all := float64(b.rows())
	for i, l := range t.net.layers {
		total += all * float64(l.attnParams+l.mlpParam)
		if b.size() == 0 {
			continue
		}
		if g := t.attentionAt(i); g != nil {
			f := t.net.pooled(b, t.m.Layers[i].AttnNorm)
			keep := make([]bool, b.size())
			rep := GateReport{Layer: i, Kind: string(model.GateAttention), Asked: b.size()}
			for k := range keep {
				keep[k] = g.logit(f[k*d:(k+1)*d]) >= g.shift
				if keep[k] {
					run += float64(b.off[k+1]-b.off[k]) * float64(l.attnParams)
				} else {
					rep.Skipped++
				}
			}
			out.gates = append(out.gates, rep)
			t.attendWhere(l, b, keep)
		} else {
			run += float64(b.rows()) * float64(l.attnParams)
			t.net.attend(l, b, nil)
		}
		run += float64(b.rows()) * float64(l.mlpParam)
		t.net.feed(l, b, nil)
		if g := t.exitAt(i); g != nil {
			rep := GateReport{Layer: i, Kind: string(model.GateExit), Asked: b.size(), Accuracy: g.right}
			b, alive = t.leave(g, b, alive, out.answers)
			rep.Skipped = rep.Asked - b.size()
			out.gates = append(out.gates, rep)
		}
	}
	for k, a := range t.net.answers(b) {
		out.answers[alive[k]] = a
	}
	out.saved = 1 - run/total
	return out
}

// leave answers for the sequences that exit and returns the rest.
func (t *trainer) leave(g *exitGate, b *batch, alive, answers []int) (*batch, []int) {
	d := b.d
	f := t.net.pooled(b, t.m.Norm)
	var stay, rest []int
	var gone []int
	for k := range alive {
		if g.logit(f[k*d:(k+1)*d]) >= g.shift {
			stay, rest = append(stay, k), append(rest, alive[k])
		} else {
			gone = append(gone, k)
		}
	}
	if len(gone) == 0 {
		return b, alive
	}
	for k, a := range classify(t.net.pool, g.class, g.bias, t.net.lastNormed(b.subset(gone))) {
		answers[alive[gone[k]]] = a
	}
	return b.subset(stay), rest
}

func (t *trainer) attentionAt(layer int) *attentionGate {
	for i := range t.attention {
		if t.attention[i].layer == layer {
			return &t.attention[i]
		}
	}
	return nil
}

func (t *trainer) exitAt(layer int) *exitGate {
	for i := range t.exits {
		if t.exits[i].layer == layer {
			return &t.exits[i]
		}
	}
	return nil
}

// levels are the shares of decisions that the operating point is looked for
// among, bold ones first.
var levels = []float64{1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05}

// settle shifts all exits, then all attention gates, as far as the held-out
// items allow, and reports the behaviour there.
func (t *trainer) settle(s *items) *GatesReport {
	n := len(s.ids)
	may := max(1, int(t.loss*float64(n)))
	dense := correct(s.dense, s.labels)
	t.settleExits(s, dense-(may+1)/2)

	const never = -1e9
	t.shiftAttention(never)
	best := t.route(s)
	if logits := t.attentionLogits(s); len(logits) > 0 {
		for _, level := range levels {
			t.shiftAttention(quantile(logits, level))
			r := t.route(s)
			if correct(r.answers, s.labels) >= dense-may && r.saved > best.saved {
				best = r
				break
			}
			t.shiftAttention(never)
		}
		if t.attention[0].shift == never {
			t.shiftAttention(logits[0] - 1)
			best = t.route(s)
		}
	}
	return &GatesReport{
		Items:         n,
		DenseAccuracy: float64(dense) / float64(n),
		GatedAccuracy: float64(correct(best.answers, s.labels)) / float64(n),
		SavedShare:    best.saved,
		Gates:         best.gates,
	}
}

// settleExits finds the largest common shift at which the items keep at least
// floor right answers, exits taken in the order of the layers.
func (t *trainer) settleExits(s *items, floor int) {
	if len(t.exits) == 0 {
		return
	}
	d, n := t.m.Config.HiddenSize, len(s.ids)
	z := make([][]float64, len(t.exits))
	answer := make([][]int, len(t.exits))
	var all []float64
	for e := range t.exits {
		g := &t.exits[e]
		info := s.exits[g.layer]
		answer[e] = classify(t.net.pool, g.class, g.bias, info.last)
		for i := range n {
			z[e] = append(z[e], g.logit(info.pooled[i*d:(i+1)*d]))
		}
		all = append(all, z[e]...)
	}
	slices.Sort(all)
	shift := all[0] - 1
	for _, level := range levels {
		try := quantile(all, level)
		got := 0
		for i := range n {
			a := s.dense[i]
			for e := range t.exits {
				if z[e][i] < try {
					a = answer[e][i]
					break
				}
			}
			if a == s.labels[i] {
				got++
			}
		}
		if got >= floor {
			shift = try
			break
		}
	}
	for e := range t.exits {
		t.exits[e].shift = shift
	}
}

func (t *trainer) shiftAttention(shift float64) {
	for i := range t.attention {
		t.attention[i].shift = shift
	}
}

// attentionLogits are the gates' logits on the items' stream under the present
// exits with no attention skipped, ascending.
func (t *trainer) attentionLogits(s *items) []float64 {
	d := t.m.Config.HiddenSize
	var all []float64
	b := t.net.start(s.seqs)
	for i, l := range t.net.layers {
		if g := t.attentionAt(i); g != nil {
			f := t.net.pooled(b, t.m.Layers[i].AttnNorm)
			for k := range b.size() {
				all = append(all, g.logit(f[k*d:(k+1)*d]))
			}
		}
		t.net.attend(l, b, nil)
		t.net.feed(l, b, nil)
	}
	slices.Sort(all)
	return all
}

// quantile returns the value above which the share 1−p of ascending v lies; a
// little beyond the largest for 1.
func quantile(v []float64, p float64) float64 {
	i := int(p * float64(len(v)))
	if i >= len(v) {
		return v[len(v)-1] + 1
	}
	return v[i]
}

func correct(answers, labels []int) int {
	n := 0
	for i, a := range answers {
		if a == labels[i] {
			n++
		}
	}
	return n
}
