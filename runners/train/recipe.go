package train

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/goccy/go-yaml"
)

// Recipe is everything that decides what a training run makes of a data set,
// apart from the seed. Rates and shares are fractions, lengths are in tokens.
type Recipe struct {
	Name string `yaml:"name" json:"name"`

	// Architecture.
	Vocab     int     `yaml:"vocab" json:"vocab"`         // at most; a small text may yield fewer
	HanChars  int     `yaml:"han_chars" json:"han_chars"` // ideographs in a token, at most
	Layers    int     `yaml:"layers" json:"layers"`
	Hidden    int     `yaml:"hidden" json:"hidden"`
	FFN       int     `yaml:"ffn" json:"ffn"`
	Heads     int     `yaml:"heads" json:"heads"`
	KVHeads   int     `yaml:"kv_heads" json:"kv_heads"`
	HeadDim   int     `yaml:"head_dim" json:"head_dim"`
	RopeTheta float64 `yaml:"rope_theta" json:"rope_theta"`
	MaxTokens int     `yaml:"max_tokens" json:"max_tokens"` // longer texts are cut

	// Schedule.
	Epochs       int     `yaml:"epochs" json:"epochs"`
	LMEpochs     int     `yaml:"lm_epochs" json:"lm_epochs"` // of these, language-model warm-up
	Batch        int     `yaml:"batch" json:"batch"`         // utterances
	Shards       int     `yaml:"shards" json:"shards"`       // pieces a batch is computed in
	Bucket       int     `yaml:"bucket" json:"bucket"`       // batches sorted by length together, 1 = not sorted
	LearningRate float64 `yaml:"learning_rate" json:"learning_rate"`
	FinalRate    float64 `yaml:"final_rate" json:"final_rate"` // share of learning_rate at the end of the cosine
	Warmup       float64 `yaml:"warmup" json:"warmup"`         // share of the run

	// AdamW (Loshchilov and Hutter, 2019).
	WeightDecay float64 `yaml:"weight_decay" json:"weight_decay"` // not on norms, embedding and bias
	Beta1       float64 `yaml:"beta1" json:"beta1"`
	Beta2       float64 `yaml:"beta2" json:"beta2"`
	Clip        float64 `yaml:"clip" json:"clip"` // largest gradient norm
	EMA         float64 `yaml:"ema" json:"ema"`   // decay of the averaged weights, 0 = no average

	// Regularization and losses.
	Dropout        float64 `yaml:"dropout" json:"dropout"`
	HeadDropout    float64 `yaml:"head_dropout" json:"head_dropout"`
	BlockDropout   float64 `yaml:"block_dropout" json:"block_dropout"` // attention block of a sequence
	TokenDropout   float64 `yaml:"token_dropout" json:"token_dropout"` // input tokens blanked
	TokenNoise     float64 `yaml:"token_noise" json:"token_noise"`     // input tokens replaced by any of the vocabulary
	TokenInsert    float64 `yaml:"token_insert" json:"token_insert"`   // chance of any token of the vocabulary before an input token
	MergeDropout   float64 `yaml:"merge_dropout" json:"merge_dropout"` // byte-pair merges left out, anew every epoch
	CharDropout    float64 `yaml:"char_dropout" json:"char_dropout"`   // unmerged characters spelled in bytes, anew every epoch
	LabelSmoothing float64 `yaml:"label_smoothing" json:"label_smoothing"`
	PrefixWeight   float64 `yaml:"prefix_weight" json:"prefix_weight"` // class loss read from cut-off texts beside the whole
	LMWeight       float64 `yaml:"lm_weight" json:"lm_weight"`         // language-model loss beside the class loss

	Holdout   float64 `yaml:"holdout" json:"holdout"`       // share of train taken for validation where a set has none
	EvalEvery int     `yaml:"eval_every" json:"eval_every"` // epochs
}

//go:embed recipes/*.yaml
var recipeFiles embed.FS

// Recipes names the committed recipes; "nano" is the default.
func Recipes() []string {
	files, err := fs.Glob(recipeFiles, "recipes/*.yaml")
	if err != nil {
		return nil // the pattern is constant
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(f, "recipes/"), ".yaml")
	}
	return files
}

// NamedRecipe returns a committed recipe.
func NamedRecipe(name string) (Recipe, error) {
	data, err := recipeFiles.ReadFile("recipes/" + name + ".yaml")
	if err != nil {
		return Recipe{}, fmt.Errorf("recipe %q: not one of %s", name, strings.Join(Recipes(), ", "))
	}
	return ParseRecipe(data)
}

// ParseRecipe reads a recipe in YAML and validates it. An unknown key is an
// error with its line and column. Keys left out have the nano recipe's value.
func ParseRecipe(data []byte) (Recipe, error) {
	base, err := recipeFiles.ReadFile("recipes/nano.yaml")
	if err != nil {
		return Recipe{}, fmt.Errorf("reading the default recipe: %w", err)
	}
	var r Recipe
	for _, text := range [][]byte{base, data} {
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if err := yaml.UnmarshalWithOptions(text, &r, yaml.Strict()); err != nil {
			return Recipe{}, fmt.Errorf("reading recipe: %w", err)
		}
	}
	return r, r.Validate()
}

// Validate says what cannot work, with the limits.
func (r Recipe) Validate() error {
	type whole struct {
		key         string
		value       int
		least, most int
	}
	for _, c := range []whole{
		{"vocab", r.Vocab, 320, 1 << 17},
		{"han_chars", r.HanChars, 1, 16},
		{"layers", r.Layers, 1, 64},
		{"hidden", r.Hidden, 8, 4096},
		{"ffn", r.FFN, 8, 16384},
		{"heads", r.Heads, 1, 128},
		{"kv_heads", r.KVHeads, 1, 128},
		{"head_dim", r.HeadDim, 2, 256},
		{"max_tokens", r.MaxTokens, 4, 4096},
		{"epochs", r.Epochs, 1, 10000},
		{"lm_epochs", r.LMEpochs, 0, r.Epochs - 1},
		{"batch", r.Batch, 1, 65536},
		{"shards", r.Shards, 1, 256},
		{"bucket", r.Bucket, 1, 1 << 20},
		{"eval_every", r.EvalEvery, 1, 10000},
	} {
		if c.value < c.least || c.value > c.most {
			return fmt.Errorf("recipe %s: %d is outside %d to %d", c.key, c.value, c.least, c.most)
		}
	}
	if r.Heads%r.KVHeads != 0 {
		return fmt.Errorf("recipe kv_heads: %d does not divide heads %d", r.KVHeads, r.Heads)
	}
	if r.HeadDim%2 != 0 {
		return fmt.Errorf("recipe head_dim: %d is odd; rotary pairs need an even number, such as %d", r.HeadDim, r.HeadDim+1)
	}
	type share struct {
		key         string
		value       float64
		least, most float64
	}
	for _, c := range []share{
		{"rope_theta", r.RopeTheta, 1, 1e9},
		{"learning_rate", r.LearningRate, 1e-8, 1},
		{"final_rate", r.FinalRate, 0, 1},
		{"warmup", r.Warmup, 0, .9},
		{"weight_decay", r.WeightDecay, 0, 10},
		{"beta1", r.Beta1, 0, .9999},
		{"beta2", r.Beta2, 0, .999999},
		{"clip", r.Clip, 1e-6, 1e6},
		{"ema", r.EMA, 0, .999999},
		{"dropout", r.Dropout, 0, .9},
		{"head_dropout", r.HeadDropout, 0, .9},
		{"block_dropout", r.BlockDropout, 0, .9},
		{"token_dropout", r.TokenDropout, 0, .9},
		{"token_noise", r.TokenNoise, 0, .9},
		{"token_insert", r.TokenInsert, 0, .9},
		{"merge_dropout", r.MergeDropout, 0, .9},
		{"char_dropout", r.CharDropout, 0, .9},
		{"label_smoothing", r.LabelSmoothing, 0, .9},
		{"prefix_weight", r.PrefixWeight, 0, 100},
		{"lm_weight", r.LMWeight, 0, 100},
		{"holdout", r.Holdout, 0, .5},
	} {
		if !(c.value >= c.least && c.value <= c.most) {
			return fmt.Errorf("recipe %s: %g is outside %g to %g", c.key, c.value, c.least, c.most)
		}
	}
	return nil
}

// shape of the network for a vocabulary and a number of classes.
func (r Recipe) shape(vocab, classes int) shape {
	return shape{
		layers: r.Layers, hidden: r.Hidden, ffn: r.FFN, heads: r.Heads, kvHeads: r.KVHeads, headDim: r.HeadDim,
		vocab: vocab, classes: classes, theta: r.RopeTheta, eps: normEps,
	}
}

const normEps = 1e-5
