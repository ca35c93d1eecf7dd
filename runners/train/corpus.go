package train

import (
	"fmt"
	"math/rand/v2"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

// corpus is a data set as token sequences. texts are those of train.
type corpus struct {
	train, val, test []example
	texts            []string
}

// resample spells the train split anew for an epoch, with a share of the
// vocabulary's merges left out and a share of characters spelled in bytes.
func (c *corpus) resample(tok *tokenizer.Tokenizer, r Recipe, seed uint64, epoch int) {
	if r.MergeDropout == 0 && r.CharDropout == 0 {
		return
	}
	for i, text := range c.texts {
		s := newStream(seed, uint64(epoch)<<32|uint64(i), mergeStream)
		c.train[i].tokens = tok.SampleSequence(text, r.MaxTokens,
			func() bool { return s.float() < r.MergeDropout }, func() bool { return s.float() < r.CharDropout })
	}
}

// mergeStream keeps the spellings' random numbers apart from those of shards.
const mergeStream = 1 << 40

// checkSet refuses a set that nothing can be learnt from.
func checkSet(set *loader.Set) error {
	if len(set.Labels) < 2 {
		return fmt.Errorf("data set %s has %d classes; a classifier needs at least 2", set.Name, len(set.Labels))
	}
	if len(set.Train) == 0 {
		return fmt.Errorf("data set %s has no train items", set.Name)
	}
	seen := make([]bool, len(set.Labels))
	for _, split := range []struct {
		name  loader.Split
		items []loader.Item
	}{{loader.Train, set.Train}, {loader.Val, set.Val}, {loader.Test, set.Test}} {
		for i, item := range split.items {
			if item.Label < 0 || item.Label >= len(set.Labels) {
				return fmt.Errorf("data set %s, %s item %d: label %d is outside the %d classes", set.Name, split.name, i+1, item.Label, len(set.Labels))
			}
			if split.name == loader.Train {
				seen[item.Label] = true
			}
		}
	}
	for c, ok := range seen {
		if !ok {
			return fmt.Errorf("data set %s: class %q has no train item", set.Name, set.Labels[c])
		}
	}
	return nil
}

// encodeSet tokenizes every split; without a validation split, each class
// gives the share holdout of its train items to one.
func encodeSet(set *loader.Set, encode func(string) []int32, holdout float64, seed uint64) corpus {
	list := func(items []loader.Item) []example {
		out := make([]example, len(items))
		for i, item := range items {
			out[i] = example{encode(item.Text), item.Label}
		}
		return out
	}
	c := corpus{train: list(set.Train), val: list(set.Val), test: list(set.Test)}
	for _, item := range set.Train {
		c.texts = append(c.texts, item.Text)
	}
	if len(c.val) > 0 || holdout == 0 {
		return c
	}
	all, texts := c.train, c.texts
	c.train, c.texts = nil, nil
	rng := rand.New(rand.NewPCG(seed, 0x7a11d))
	seen, taken := make([]float64, len(set.Labels)), make([]float64, len(set.Labels))
	for _, i := range rng.Perm(len(all)) {
		e := all[i]
		seen[e.label]++
		if taken[e.label]+1 <= holdout*seen[e.label] {
			taken[e.label]++
			c.val = append(c.val, e)
		} else {
			c.train, c.texts = append(c.train, e), append(c.texts, texts[i])
		}
	}
	return c
}
