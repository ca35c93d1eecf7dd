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

// firstPiece is the first id behind the unknown, begin and end pieces.
const firstPiece = 3

// trainVocabulary fits byte-pair merges to the train split.
func trainVocabulary(ctx context.Context, set *loader.Set, r Recipe) (*tokenizer.Tokenizer, error) {
	texts := func(yield func(string) bool) {
		for _, it := range set.Train {
			if !yield(it.Text) {
				return
			}
		}
	}
	tok, err := tokenizer.TrainBPE(ctx, texts, r.Vocab, tokenizer.TrainOptions{MaxHanChars: r.HanChars})
	if err != nil {
		return nil, fmt.Errorf("training the vocabulary: %w", err)
	}
	return tok, nil
}
