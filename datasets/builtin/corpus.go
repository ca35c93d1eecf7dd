// Package builtin generates the data set that the harness carries with it, a
// customer-service intent task in Chinese and English, and holds the models that
// were trained on it and on CLINC150.
//
// Nothing is downloaded: the grammar in grammar/ is ours and, like the models in
// models/, embedded; the generator is seeded, and the same version of this package
// always yields the same bytes. README.md, beside the source, is the data card.
package builtin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// OutOfScope is the label of utterances that no customer service handles.
const OutOfScope = "oos"

// Kind is the construction of an utterance.
type Kind string

// Kinds of utterances.
const (
	Plain    Kind = "plain"    // one intent in a sentence
	Short    Kind = "short"    // a follow-up of few words
	Contrast Kind = "contrast" // two intents, of which order, negation or correction decides one
)

// Language is what an utterance is written in.
type Language string

// Languages of utterances.
const (
	English Language = "en"
	Chinese Language = "zh"
	Mixed   Language = "mixed"
)

// Item is one utterance with the index of its class and how it was made.
type Item struct {
	Text     string
	Label    int
	Kind     Kind
	Language Language

	// words are the utterance's words before spelling noise, lower-cased, without
	// punctuation and numbers; Chinese ones as the grammar separates them.
	words []string
}

// Corpus is the generated data set. Labels are sorted; Item.Label indexes them.
type Corpus struct {
	Labels           []string
	Train, Val, Test []Item
}

// Generate returns the corpus. It takes well under a second and every call
// returns the same items in memory of their own.
func Generate() *Corpus { return generate(defaults) }

func generate(d difficulty) *Corpus {
	g := newGrammar()
	c := &Corpus{Labels: slices.Clone(g.labels)}
	seen := map[string]bool{}
	c.Train = (&writer{grammar: g, difficulty: d, rng: rand.New(rand.NewPCG(d.seed, 1))}).split(d.trainPerClass, seen)
	c.Val = (&writer{grammar: g, difficulty: d, rng: rand.New(rand.NewPCG(d.seed, 2))}).split(d.valPerClass, seen)
	c.Test = (&writer{grammar: g, difficulty: d, test: true, rng: rand.New(rand.NewPCG(d.seed, 3))}).split(d.testPerClass, seen)
	return c
}

// SHA256 is the Hash of what Generate returns. A model's card names it, so another
// one makes the shipped models' figures those of other data.
const SHA256 = "b3fc470f041307d7a9298d44ce118ff78fb29118e8562560f9e4beb645b17857"

// Hash is the SHA-256 of the corpus as lines "split, tab, label, tab, text".
func (c *Corpus) Hash() string {
	sum := sha256.New()
	for _, s := range []struct {
		name  string
		items []Item
	}{{"train", c.Train}, {"val", c.Val}, {"test", c.Test}} {
		for _, it := range s.items {
			fmt.Fprintf(sum, "%s\t%s\t%s\n", s.name, c.Labels[it.Label], it.Text)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// UnseenShare is the share of the test's distinct words that do not occur in the
// train split. A word is a lower-cased English word or a Chinese word as the
// grammar separates them, before spelling noise and without numbers, so that no
// typo and no order number counts as an unseen word.
func (c *Corpus) UnseenShare() float64 {
	train := vocabulary(c.Train)
	test := vocabulary(c.Test)
	unseen := 0
	for w := range test {
		if !train[w] {
			unseen++
		}
	}
	return float64(unseen) / float64(len(test))
}

func vocabulary(items []Item) map[string]bool {
	v := map[string]bool{}
	for _, it := range items {
		for _, w := range it.words {
			v[w] = true
		}
	}
	return v
}

// key is what makes two texts the same: letters and characters, not case,
// spacing or punctuation.
func key(text string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', ',', '.', '?', '!', '，', '。', '？', '！', '\'', ':':
			return -1
		}
		return r
	}, strings.ToLower(text))
}
