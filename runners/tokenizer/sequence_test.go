package tokenizer_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

// A model that is trained on spellings which do not spell the text learns
// another text.
func TestSampleSequence(t *testing.T) {
	texts := []string{"the lower the better", "lower and lower", "better late than never", "取消 订单", "我要取消订单"}
	tok, err := tokenizer.TrainBPE(t.Context(), slices.Values(slices.Repeat(texts, 5)), 400, tokenizer.TrainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const limit = 64
	n := 0
	every := func(k int) func() bool {
		return func() bool { n++; return n%k == 0 }
	}
	for _, text := range append(texts, "unseen wörds 火", "") {
		whole := tok.Sequence(text, limit)
		if diff := cmp.Diff(whole, tok.SampleSequence(text, limit, nil, func() bool { return false })); diff != "" {
			t.Errorf("%q with no merge dropped (-Sequence +SampleSequence):\n%s", text, diff)
		}
		for _, k := range []int{1, 2, 3} {
			got := tok.SampleSequence(text, limit, every(k), every(2*k))
			if len(got) < len(whole) {
				t.Errorf("%q with merges dropped has %d tokens, whole %d", text, len(got), len(whole))
			}
			if back := tok.Decode(got[1 : len(got)-1]); back != tok.Decode(whole[1:len(whole)-1]) {
				t.Errorf("%q with merges dropped spells %q", text, back)
			}
		}
	}
	all := tok.SampleSequence("lower", limit, func() bool { return true }, nil)
	if got := len(all) - 2; got != len("▁lower")-2 {
		t.Errorf("with every merge dropped \"lower\" has %d tokens, want one a character with the space before it", got)
	}
	if got := tok.Sequence("the lower the better", 3); len(got) != 3 || got[0] != tok.BOS() || got[2] != tok.EOS() {
		t.Errorf("a sequence cut to 3 tokens is %v, want its begin and end token kept", got)
	}
}
