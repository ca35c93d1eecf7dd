package train

import (
	"context"
	"fmt"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

// tokenizerName is the vocabulary's file in a model folder.
const tokenizerName = "tokenizer.json"

// blankID stands for a token blanked out in training: the unknown piece, which
// byte fallback leaves free.
const blankID = 0

// Sequence is how a text enters a model trained here: the begin token, then
// at most maxTokens−1 tokens of the text. The class is read from the last.
func Sequence(t *tokenizer.Tokenizer, text string, maxTokens int) []int32 {
	ids := t.Encode(text)
	out := make([]int32, 0, len(ids)+1)
	out = append(out, t.BOS())
	return append(out, ids[:min(len(ids), maxTokens-1)]...)
}

// trainVocabulary fits byte-pair merges to the train split.
func trainVocabulary(ctx context.Context, set *loader.Set, r Recipe) (*tokenizer.Tokenizer, error) {
	texts := func(yield func(string) bool) {
		for _, it := range set.Train {
			if !yield(it.Text) {
				return
			}
		}
	}
	tok, err := tokenizer.TrainBPE(ctx, texts, r.Vocab, tokenizer.TrainOptions{})
	if err != nil {
		return nil, fmt.Errorf("training the vocabulary: %w", err)
	}
	return tok, nil
}
