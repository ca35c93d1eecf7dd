package tokenizer

// Sequence is how a text enters a classifier trained by this project: the
// begin token, the text's tokens, the end token, at most limit tokens in all (a
// longer text loses its end). The class is read from the last token: an end
// token there gives the model a place of its own to gather the sentence, worth
// a point of macro-F1 on CLINC150's validation split.
func (t *Tokenizer) Sequence(text string, limit int) []int32 {
	ids := t.AppendEncode([]int32{t.BOS()}, text)
	if len(ids) > limit-1 {
		ids = ids[:max(1, limit-1)]
	}
	return append(ids, t.EOS())
}
