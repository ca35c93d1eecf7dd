package tokenizer

// Sequence is how a text enters a model here: the begin token, the text's
// tokens, the end token, at most limit tokens in all (a longer text loses its
// end). A vocabulary from elsewhere that lacks one of the two goes without it.
//
// The class is read from the last token: an end token there gives the model a
// place of its own to gather the sentence, worth a point of macro-F1 on
// CLINC150's validation split.
func (t *Tokenizer) Sequence(text string, limit int) []int32 {
	return t.sequence(text, limit, sampling{})
}

// SampleSequence is Sequence with BPE-dropout (Provilkov et al. 2020,
// arXiv:1910.13267): a merge is left out whenever merge says so, and a character
// beyond ASCII that no merge took is spelled in bytes whenever char says so. Training on
// ever new spellings of a text teaches a model what pieces are made of, so that
// words and characters it never saw are no strangers to it.
func (t *Tokenizer) SampleSequence(text string, limit int, merge, char func() bool) []int32 {
	return t.sequence(text, limit, sampling{merge, char})
}

func (t *Tokenizer) sequence(text string, limit int, how sampling) []int32 {
	var ids []int32
	if t.BOS() >= 0 {
		ids = append(ids, t.BOS())
	}
	ids = t.appendEncode(ids, text, how)
	if t.EOS() < 0 {
		return ids[:min(len(ids), limit)]
	}
	if len(ids) > limit-1 {
		ids = ids[:max(1, limit-1)]
	}
	return append(ids, t.EOS())
}
