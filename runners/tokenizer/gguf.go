package tokenizer

import "github.com/seed-c6f48606/harness/runners/model"

// GGUF returns the vocabulary in the form of a GGUF file, ids as they are, and
// names what that form has no place for: a reader of the file encodes text
// without it, so some texts may come out as other ids than here.
func (t *Tokenizer) GGUF() (v model.Vocabulary, lost []string) {
	v = model.Vocabulary{
		BOS: int(t.options.BOS), EOS: int(t.options.EOS), Unknown: int(t.unknown), SpacePrefix: t.options.SpacePrefix,
		Text: make([]string, len(t.pieces)), Score: make([]float32, len(t.pieces)), Kind: make([]int32, len(t.pieces)),
	}
	for i, p := range t.pieces {
		v.Text[i], v.Score[i], v.Kind[i] = p.Text, p.Score, int32(p.Kind)
	}
	if t.chars != nil {
		lost = append(lost, "the normalization of characters")
	}
	if t.options.CollapseSpace {
		lost = append(lost, "that runs of spaces count as one")
	}
	return v, lost
}
