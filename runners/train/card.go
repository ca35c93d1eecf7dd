package train

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/datasets/score"
)

// floor is the macro-F1 of the bag-of-words baseline on the test split, −1
// where there is none.
func floor(set *loader.Set) float64 {
	if len(set.Test) == 0 {
		return -1
	}
	texts, labels := split(set.Train)
	b, err := score.TrainBaseline(texts, labels, len(set.Labels), score.BaselineOptions{})
	if err != nil {
		return -1
	}
	texts, labels = split(set.Test)
	c, err := score.Count(labels, b.Predict(texts), len(set.Labels))
	if err != nil {
		return -1
	}
	return c.MacroF1()
}

func split(items []loader.Item) (texts []string, labels []int) {
	for _, it := range items {
		texts, labels = append(texts, it.Text), append(labels, it.Label)
	}
	return texts, labels
}

// card writes the model card.
func card(set *loader.Set, r Recipe, seed uint64, res Result, floor float64) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Intent classifier trained on %s\n", set.Name)
	line("ERNIE-4.5 dense architecture, %d layers, hidden %d, FFN %d, %d query and %d key/value heads of %d, vocabulary %d:",
		r.Layers, r.Hidden, r.FFN, r.Heads, r.KVHeads, r.HeadDim, res.Vocab)
	line("%.2f M parameters in bf16. The class is read from the last token; the language-model head is tied to the embedding.\n", float64(res.Parameters)/1e6)
	line("## Data\n")
	line("- %s, %d classes; %d train, %d validation and %d test utterances.", set.Name, len(set.Labels), len(set.Train), len(set.Val), len(set.Test))
	if set.Source != "" {
		line("- Source: %s", set.Source)
	}
	if set.Cite != "" {
		line("- Credit for the data: %s", set.Cite)
	}
	if set.License != "" {
		line("- Licence of the data: %s", set.License)
	}
	if set.Hash != "" {
		line("- SHA-256 of the data: `%s`", set.Hash)
	}
	line("- Trained from scratch on the train split alone; the test split was scored once.\n")
	line("## Quality of these weights\n")
	line("| split | n | macro-F1 | accuracy |\n|---|---|---|---|")
	for _, s := range []struct {
		name string
		c    *score.Confusion
	}{{"validation", res.Val}, {"test", res.Test}} {
		if s.c != nil {
			line("| %s | %d | %.4f | %.4f |", s.name, s.c.N(), s.c.MacroF1(), s.c.Accuracy())
		}
	}
	if floor >= 0 {
		line("\nFloor on the same test split, TF-IDF and logistic regression: macro-F1 %.4f.", floor)
	}
	if res.Perplexity > 0 {
		line("Perplexity a token of this vocabulary, end tokens included, %s split: %.2f.", perplexitySplit(res), res.Perplexity)
	}
	line("\n## Recipe\n")
	line("%.1f of %d epochs, %d steps, %d tokens in %s; seed %d.", res.Epochs, r.Epochs, res.Steps, res.Tokens, res.Duration.Round(1e9), seed)
	if res.Shortened {
		line("A time limit shortened the schedule.")
	}
	if text, err := yaml.Marshal(r); err == nil {
		line("\n```yaml\n%s```\n", text)
	}
	line("## Limits\n")
	line("It knows the classes above and nothing else: a text outside them gets one of them all the same, unless the data has a class for it.")
	return b.String()
}

func perplexitySplit(res Result) string {
	if res.Test != nil {
		return "test"
	}
	return "validation"
}
