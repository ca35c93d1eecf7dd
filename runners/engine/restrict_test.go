package engine

import (
	"slices"
	"testing"
)

// TestRestrictedLogits guards classification through label tokens: the logits
// of the labels are those of the whole head, bit for bit, at less work.
func TestRestrictedLogits(t *testing.T) {
	for _, s := range invariantStores {
		for _, tied := range []bool{false, true} {
			sh := regular(s.of)
			sh.classes, sh.tied = 0, tied
			m := random(sh, 1)
			ids := tokens(sh.vocab, 2, 9)[0]
			read := func(e *Engine) (out []float32) {
				if err := e.Forward(t.Context(), []Step{{Seq: e.NewSequence(), Tokens: ids}}, 0, func(_, _ int, l []float32) { out = slices.Clone(l) }); err != nil {
					t.Fatal(err)
				}
				return out
			}
			e := engineOf(t, m, Options{Threads: 2})
			whole := read(e)
			rows := []int32{49, 3, 3, 17, 0}
			var want []float32
			for _, r := range rows {
				want = append(want, whole[r])
			}
			before := e.Stats().ExecutedMAC
			if err := e.Restrict(rows); err != nil {
				t.Fatal(err)
			}
			if got := read(e); !slices.Equal(got, want) {
				t.Errorf("%s: logits of labels are %v, of the whole head %v", s.name, got, want)
			}
			if executed := e.Stats().ExecutedMAC - before; executed >= before {
				t.Errorf("%s: five rows of the head cost %d MAC, all cost %d", s.name, executed, before)
			}
			if got := read(engineOf(t, m, Options{Threads: 1, LabelRows: rows})); !slices.Equal(got, want) {
				t.Errorf("%s: Options.LabelRows differ from Restrict", s.name)
			}
			if err := e.Restrict(nil); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(read(e), whole) {
				t.Errorf("%s: the whole head does not come back", s.name)
			}
			wantError(t, e.Restrict([]int32{1, 50}), "row 1 is 50, the vocabulary has 50")
		}
	}
}
