package engine

import (
	"slices"
	"testing"
)

// TestPlanSkipsBlocks guards that blocks left out by force, attention and FFN in
// any combination, give what the oracle gives without them, at less work.
func TestPlanSkipsBlocks(t *testing.T) {
	sh := regular(inF32)
	m := random(sh, 3)
	e := engineOf(t, m, Options{Threads: 2})
	ids := tokens(sh.vocab, 3, 5, 1, 33)
	layers := len(m.Layers)
	none := make([]bool, layers)
	mark := func(at ...int) []bool {
		out := slices.Clone(none)
		for _, l := range at {
			out[l] = true
		}
		return out
	}
	for _, plan := range []Plan{
		{SkipFFN: mark(1)},
		{SkipFFN: mark(0, layers-1)},
		{SkipAttention: mark(2), SkipFFN: mark(1, 2)},
		{SkipAttention: mark(0, 1), SkipFFN: mark(0, 1), Layers: 3},
	} {
		got := make([]float32, len(ids)*sh.classes)
		st, err := e.Observe(t.Context(), ids, plan, got, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := oracle{m: m, skip: none, ffn: plan.SkipFFN, last: layers - 1}
		if plan.SkipAttention != nil {
			o.skip = plan.SkipAttention
		}
		if plan.Layers > 0 {
			o.last = plan.Layers - 1
		}
		want := executed(m, ids, o.skip, o.last)
		for l := 0; l <= o.last; l++ {
			for _, s := range ids {
				if n := len(s); plan.SkipFFN[l] {
					if l == o.last {
						n = 1
					}
					want -= uint64(3 * n * m.Layers[l].Gate.Rows * m.Layers[l].Gate.Cols)
				}
			}
		}
		if st.ExecutedMAC != want {
			t.Errorf("%+v: executed %d MAC, by hand %d", plan, st.ExecutedMAC, want)
		}
		for i := range ids {
			logits := o.classes(ids[i], m.Classifier, m.ClassifierBias)
			if d := deviate(got[i*sh.classes:][:sh.classes], logits, sh.classes, 1e-3); d.greatest > 1e-4 {
				t.Errorf("%+v, sequence %d: largest error %.2g", plan, i, d.greatest)
			}
		}
	}
	if _, err := e.Observe(t.Context(), ids, Plan{SkipFFN: make([]bool, layers+1)}, nil, nil); err == nil {
		t.Error("a plan for more layers than the model has was taken")
	}
}
