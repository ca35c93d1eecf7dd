package tokenizer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"unicode/utf8"
)

// TrainOptions bounds what training may put into the vocabulary. Zero values
// mean the defaults.
type TrainOptions struct {
	MaxChars    int     // characters in a piece, default 16
	MaxHanChars int     // ideographs in a piece, default 4
	MinCount    int     // occurrences below which a pair is not merged, default 2
	Coverage    float64 // share of characters that get a piece of their own, default 0.9999
}

func (o TrainOptions) withDefaults() TrainOptions {
	if o.MaxChars == 0 {
		o.MaxChars = 16
	}
	if o.MaxHanChars == 0 {
		o.MaxHanChars = 4
	}
	if o.MinCount == 0 {
		o.MinCount = 2
	}
	if o.Coverage == 0 {
		o.Coverage = 0.9999
	}
	return o
}

// The ids every trained vocabulary begins with, and the smallest vocabulary.
const (
	trainedUnknown = 0
	trainedBOS     = 1
	trainedEOS     = 2
	trainedBytes   = 3 // to 258
	trainedFirst   = trainedBytes + 256
	minVocab       = 320
)

// TrainBPE learns a vocabulary of at most vocab pieces from texts: <unk>, <s>,
// </s>, the 256 bytes, merged pieces in the order of their merging, single
// characters. It has fewer pieces where the texts run out of pairs that occur
// MinCount times; VocabSize tells. Text is used as Encode sees it. The result
// depends on the texts and options alone, not on their order.
func TrainBPE(ctx context.Context, texts iter.Seq[string], vocab int, o TrainOptions) (*Tokenizer, error) {
	o = o.withDefaults()
	switch {
	case vocab < minVocab || vocab > maxPieces:
		return nil, fmt.Errorf("training tokenizer: a vocabulary of %d is not between %d and %d", vocab, minVocab, maxPieces)
	case o.MaxChars < 1 || o.MaxHanChars < 1 || o.MinCount < 1:
		return nil, fmt.Errorf("training tokenizer: limits must be at least 1, have %+v", o)
	case !(o.Coverage > 0 && o.Coverage <= 1):
		return nil, fmt.Errorf("training tokenizer: coverage %g is not above 0 and at most 1", o.Coverage)
	}
	counts, err := countSegments(ctx, texts)
	if err != nil {
		return nil, fmt.Errorf("training tokenizer: %w", err)
	}
	tr := newBPE(counts, vocab, o)
	if err := tr.run(ctx, vocab); err != nil {
		return nil, fmt.Errorf("training tokenizer: %w", err)
	}
	t, err := New(tr.vocabulary(), Options{SpacePrefix: true, BOS: trainedBOS, EOS: trainedEOS})
	if err != nil {
		return nil, fmt.Errorf("training tokenizer: %w", err)
	}
	return t, nil
}

// countSegments counts the distinct mergeable stretches of the texts.
func countSegments(ctx context.Context, texts iter.Seq[string]) (map[string]int64, error) {
	plain := Tokenizer{options: Options{SpacePrefix: true}}
	counts := map[string]int64{}
	n := 0
	for text := range texts {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if text != "" {
			segments(plain.normalize(text), func(s string) { counts[s]++ })
		}
	}
	if len(counts) == 0 {
		return nil, errors.New("there is no text to train on")
	}
	return counts, ctx.Err()
}

// alphabet picks the characters that get a piece: the most frequent up to the
// coverage, at most half of the vocabulary, and always the space and the
// decimal digits.
func alphabet(counts map[string]int64, vocab int, coverage float64) []rune {
	freq := map[rune]int64{}
	var total int64
	for text, n := range counts {
		for _, r := range text {
			if r != utf8.RuneError && !(r < ' ') {
				freq[r] += n
				total += n
			}
		}
	}
	always := []rune(space + "0123456789")
	for _, r := range always {
		total -= freq[r]
		delete(freq, r)
	}
	chars := slices.SortedFunc(maps.Keys(freq), func(a, b rune) int {
		return cmp.Or(cmp.Compare(freq[b], freq[a]), cmp.Compare(a, b))
	})
	limit := (vocab-trainedFirst)/2 - len(always)
	var covered int64
	for i, r := range chars {
		if i >= limit || float64(covered) >= coverage*float64(total) {
			chars = chars[:i]
			break
		}
		covered += freq[r]
	}
	return append(always, chars...)
}
