package sweep

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// tinyPlan is a plan over a model of one layer and a data set of two classes,
// both written for this test.
func tinyPlan(t *testing.T) Plan {
	t.Helper()
	dir := t.TempDir()
	texts := map[string][]string{"train": nil, "test": nil}
	for i := range 100 {
		split := "train"
		if i%10 == 9 {
			split = "test"
		}
		label, text := "ask", fmt.Sprintf("where is parcel %d", i)
		if i%3 == 0 {
			label, text = "buy", fmt.Sprintf("two tickets for show %d please", i)
		}
		texts[split] = append(texts[split], text+","+label)
	}
	for split, rows := range texts {
		if err := write(dir, map[string]string{split + ".csv": "text,label\n" + strings.Join(rows, "\n") + "\n"}); err != nil {
			t.Fatal(err)
		}
	}
	p := Reference()
	p.Model, p.Threads = filepath.Join(dir, "m"), []int{1}
	p.Data = Data{Spec: "csv:" + filepath.Join(dir, "train.csv"), TestFile: filepath.Join(dir, "test.csv")}
	saveTiny(t, p.Model, texts["train"], "ask", "buy")
	return p
}

// saveTiny writes a model with random weights.
func saveTiny(t *testing.T, dir string, texts []string, labels ...string) {
	t.Helper()
	tok, err := tokenizer.TrainBPE(t.Context(), slices.Values(texts), 320, tokenizer.TrainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	matrix := func(rows, cols int) *model.Matrix {
		m := &model.Matrix{Rows: rows, Cols: cols, F32: make([]float32, rows*cols)}
		for i := range m.F32 {
			m.F32[i] = float32(rng.NormFloat64() / 4)
		}
		return m
	}
	const hidden, head, ffn = 32, 16, 32
	gain := slices.Repeat([]float32{1}, hidden)
	m := &model.Model{
		Config: model.Config{
			ModelType: model.ModelType, HiddenSize: hidden, IntermediateSize: ffn, NumLayers: 1, NumHeads: 2, NumKVHeads: 1, HeadDim: head,
			VocabSize: tok.VocabSize(), MaxPositions: 64, RopeTheta: 1e4, RMSNormEps: 1e-5, TieWordEmbeddings: true, BOS: 1, EOS: 2, PAD: 0, Labels: labels,
		},
		Embed: matrix(tok.VocabSize(), hidden), Norm: gain,
		Layers: []model.Layer{{
			Heads: 2, KVHeads: 1, FFN: ffn, AttnNorm: gain, MLPNorm: gain,
			Q: matrix(2*head, hidden), K: matrix(head, hidden), V: matrix(head, hidden), O: matrix(hidden, 2*head),
			Gate: matrix(ffn, hidden), Up: matrix(ffn, hidden), Down: matrix(hidden, ffn),
		}},
		Classifier: matrix(len(labels), hidden), ClassifierBias: make([]float32, len(labels)),
	}
	words, err := json.Marshal(tok)
	if err == nil {
		err = m.SaveWith(dir, map[string][]byte{"tokenizer.json": words})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestPrepareFillsHashesAndRefusesOthers(t *testing.T) {
	p := tinyPlan(t)
	cache := Cache{Root: t.TempDir()}
	s, err := Prepare(t.Context(), cache, &p)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.ModelHash) != 64 || len(p.DataHash) != 64 {
		t.Errorf("hashes of model and data are %q and %q", p.ModelHash, p.DataHash)
	}
	read := func(path string) []wire.Item {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		items, err := wire.ReadItems(f)
		if err != nil {
			t.Fatal(err)
		}
		return items
	}
	items := read(s.Items)
	if len(items) != 10 || items[0] != (wire.Item{Text: "two tickets for show 9 please", Label: "buy"}) {
		t.Errorf("%d items, the first %+v; runners must read the test split", len(items), items[0])
	}
	if diff := cmp.Diff(items, read(s.Subset)); diff != "" {
		t.Errorf("the part of a small split is all of it:\n%s", diff)
	}
	if _, err := Prepare(t.Context(), cache, &p); err != nil {
		t.Errorf("again: %v", err)
	}
	// A run resumed on another model or other data would mix two experiments.
	for name, harm := range map[string]func(*Plan){
		"model": func(p *Plan) { p.ModelHash = strings.Repeat("0", 64) },
		"data":  func(p *Plan) { p.DataHash = strings.Repeat("0", 64) },
	} {
		other := p
		harm(&other)
		if _, err := Prepare(t.Context(), cache, &other); err == nil || !strings.Contains(err.Error(), "has changed since the run began") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s of another hash: %v", name, err)
		}
	}
}

// What cannot work is refused before anything is built, with the mend.
func TestPrepareRefuses(t *testing.T) {
	good := tinyPlan(t)
	narrow := filepath.Join(t.TempDir(), "narrow")
	saveTiny(t, narrow, []string{"some text", "some more"}, "ask")
	for name, c := range map[string]struct {
		change func(*Plan)
		want   string
	}{
		"a plan that is not valid": {func(p *Plan) { p.Bits = []int{1} }, "nearest that can: 2"},
		"no such data":             {func(p *Plan) { p.Data.Spec = "nonesuch" }, "not a known name"},
		"no test split":            {func(p *Plan) { p.Data.TestFile = "" }, "--test-file"},
		"no such model":            {func(p *Plan) { p.Model = "nonesuch" }, "not a built-in name"},
		"a class it does not know": {func(p *Plan) { p.Model = narrow }, `1 of its 2 classes are unknown to the model's 1, such as "buy"`},
		"more than the model has":  {func(p *Plan) { p.PruneRatio = []float64{0.9} }, "prune-ratio 0.9"},
	} {
		t.Run(name, func(t *testing.T) {
			p := good
			c.change(&p)
			cache := Cache{Root: filepath.Join(t.TempDir(), "cache")}
			_, err := Prepare(t.Context(), cache, &p)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if list, err := os.ReadDir(cache.Root); err == nil && len(list) > 0 {
				t.Errorf("a refused plan left %d files in the cache", len(list))
			}
		})
	}
}

// A model may know more classes than the data has, in another order.
func TestFits(t *testing.T) {
	set := &loader.Set{Name: "s", Labels: []string{"a", "b"}}
	head := &model.Matrix{}
	for name, c := range map[string]struct {
		labels []string
		head   *model.Matrix
		ok     bool
	}{
		"the same":      {[]string{"a", "b"}, head, true},
		"more":          {[]string{"c", "b", "a"}, head, true},
		"fewer":         {[]string{"a"}, head, false},
		"others":        {[]string{"x", "y"}, head, false},
		"no classifier": {nil, nil, true},
	} {
		m := &model.Model{Config: model.Config{Labels: c.labels}, Classifier: c.head}
		if err := Fits(m, set); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Gates fitted to the classes of another order would skip the wrong blocks.
func TestCalibrationSpeaksTheModelsClasses(t *testing.T) {
	tok, err := tokenizer.TrainBPE(t.Context(), slices.Values([]string{"one two", "two one"}), 320, tokenizer.TrainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set := &loader.Set{
		Labels: []string{"a", "b"}, Train: []loader.Item{{Text: "one", Label: 0}, {Text: "two", Label: 1}},
		Test: []loader.Item{{Text: "two one", Label: 1}},
	}
	m := &model.Model{Config: model.Config{Labels: []string{"b", "x", "a"}, MaxPositions: 8}, Classifier: &model.Matrix{}}
	c := Calibration(m, tok, set)
	if diff := cmp.Diff([]int{2, 0}, c.Labels); diff != "" {
		t.Errorf("classes (-want +got):\n%s", diff)
	}
	want := [][]int32{tok.Sequence("one", 8), tok.Sequence("two", 8)}
	if diff := cmp.Diff(want, c.Tokens); diff != "" {
		t.Errorf("sequences of the train split (-want +got):\n%s", diff)
	}
	m.Classifier = nil
	if c := Calibration(m, tok, set); c.Labels != nil {
		t.Errorf("a model without classes is calibrated to %v", c.Labels)
	}
}
