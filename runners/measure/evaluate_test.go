package measure

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/runners/engine"
	"github.com/seed-c6f48606/harness/runners/wire"
)

func evaluate(t *testing.T, s *Session, req wire.Evaluate) wire.EvalResult {
	t.Helper()
	res, err := s.Evaluate(t.Context(), req, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// Batch is an axis of speed: if it moved a prediction, every comparison of
// batches would be one of models.
func TestBatchChangesNoResult(t *testing.T) {
	for _, classes := range [][]string{labels, nil} {
		s := load(t, writeModel(t, 1, classes), tree(t))
		req := wire.Evaluate{Items: writeItems(t, testItems), Batch: 1, Perplexity: true}
		want := evaluate(t, s, req)
		for _, batch := range []int{2, 3, 64} {
			req.Batch = batch
			got := evaluate(t, s, req)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(wire.EvalResult{}, "ElapsedS")); diff != "" {
				t.Errorf("%d classes, batch %d (-1 +%[2]d):\n%s", len(classes), batch, diff)
			}
		}
	}
}

// F1 is computed elsewhere from these: each prediction must be the engine's and
// stand beside its own item's label.
func TestPredictionsAndTruth(t *testing.T) {
	s := load(t, writeModel(t, 1, labels), tree(t))
	got := evaluate(t, s, wire.Evaluate{Items: writeItems(t, testItems), Batch: 2})
	if diff := cmp.Diff([]int{0, 1, 2, -1, 0}, got.Truth); diff != "" {
		t.Errorf("truth (-want +got):\n%s", diff)
	}
	var want []int
	logits := make([]float32, len(labels))
	for _, it := range testItems {
		if _, err := s.engine.Classify(t.Context(), [][]int32{s.sequence(it.Text)}, 0, logits); err != nil {
			t.Fatal(err)
		}
		want = append(want, best(logits))
	}
	if diff := cmp.Diff(want, got.Predictions); diff != "" {
		t.Errorf("predictions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(labels, got.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if got.Items != len(testItems) || got.Perplexity != nil || got.KL != nil || got.ReferenceKind != "" {
		t.Errorf("%d items, and figures that nobody asked for: %+v", got.Items, got)
	}
}

// A reader compares this perplexity with other programs': exp of the mean
// surprise of each token of the text after its begin token.
func TestPerplexityIsThatOfTheText(t *testing.T) {
	s := load(t, writeModel(t, 1, labels), tree(t))
	got := evaluate(t, s, wire.Evaluate{Items: writeItems(t, testItems), Batch: 2, Perplexity: true, PerplexityItems: 3})
	var total float64
	var tokens []int
	for i := range 3 {
		it := testItems[i*len(testItems)/3] // spread over the file
		ids := append([]int32{1}, s.tok.Encode(it.Text)...)
		steps := []engine.Step{{Seq: s.engine.NewSequence(), Tokens: ids, All: true}}
		err := s.engine.Forward(t.Context(), steps, 0, func(_, pos int, logits []float32) {
			if pos+1 < len(ids) {
				var sum float64
				for _, v := range logits {
					sum += math.Exp(float64(v))
				}
				total -= math.Log(math.Exp(float64(logits[ids[pos+1]])) / sum)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, len(ids)-1)
	}
	if diff := cmp.Diff(tokens, got.TextTokens); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
	n := tokens[0] + tokens[1] + tokens[2]
	if want := math.Exp(total / float64(n)); math.Abs(got.Perplexity.Value-want) > 1e-6*want || got.Perplexity.N != 3 {
		t.Errorf("perplexity %g of %d texts, want %g of 3", got.Perplexity.Value, got.Perplexity.N, want)
	}
	if got.Items != len(testItems) {
		t.Errorf("%d items were classified", got.Items)
	}
}

// What compression costs is told by the divergence from the dense model: a model
// is at 0 from itself, and at the right distance from another.
func TestDivergenceFromAReference(t *testing.T) {
	for _, tt := range []struct {
		kind    string
		classes []string
	}{{kindClass, labels}, {kindToken, nil}} {
		t.Run(tt.kind, func(t *testing.T) {
			items := writeItems(t, testItems)
			path := filepath.Join(t.TempDir(), "reference")
			dense := load(t, writeModel(t, 1, tt.classes), tree(t))
			evaluate(t, dense, wire.Evaluate{Items: items, Batch: 2, ReferenceOut: path})
			same := evaluate(t, dense, wire.Evaluate{Items: items, Batch: 3, Reference: path})
			if same.KL == nil || same.KL.Value != 0 || same.Top1.Value != 1 || same.ReferenceKind != tt.kind || same.KL.N != len(testItems) {
				t.Errorf("a model compared with itself: KL %+v, top-1 %+v, kind %q", same.KL, same.Top1, same.ReferenceKind)
			}
			other := evaluate(t, load(t, writeModel(t, 2, tt.classes), tree(t)), wire.Evaluate{Items: items, Batch: 2, Reference: path})
			if len(other.ItemKL) != len(testItems) || other.KL.Value < 1e-3 || other.Top1.Value >= 1 || other.KL.SE <= 0 {
				t.Errorf("another model: KL %+v of %v, top-1 %+v", other.KL, other.ItemKL, other.Top1)
			}
			left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}

func TestDiverge(t *testing.T) {
	ln := func(p ...float64) []float32 {
		var out []float32
		for _, v := range p {
			out = append(out, float32(math.Log(v))+3) // logits are known up to a constant
		}
		return out
	}
	got := diverge(ln(0.5, 0.25, 0.25), ln(0.25, 0.5, 0.25))
	if want := 0.5*math.Log(2) + 0.25*math.Log(0.5); math.Abs(got.kl-want) > 1e-6 || got.top1 != 0 {
		t.Errorf("KL %g, top-1 %g; want %g, 0", got.kl, got.top1, want)
	}
	large := []float32{1e30, -1e30, 0}
	if got := diverge(large, large); got != (divergence{top1: 1}) {
		t.Errorf("large logits: %+v", got)
	}
}

func TestEstimates(t *testing.T) {
	if diff := cmp.Diff(&wire.Estimate{Value: 2.5, SE: math.Sqrt(5.0 / 3 / 4), N: 4}, mean([]float64{1, 2, 3, 4}), near); diff != "" {
		t.Errorf("mean (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&wire.Estimate{Value: 3, N: 1}, mean([]float64{3}), near); diff != "" {
		t.Errorf("mean of one (-want +got):\n%s", diff)
	}
	// Rates 1 and 2 a token, weighed by tokens: 1.5; residuals -1 and 1.
	want := &wire.Estimate{Value: math.Exp(1.5), SE: math.Exp(1.5) * math.Sqrt(2*2.0) / 4, N: 2}
	if diff := cmp.Diff(want, perplexity([]float64{2, 4}, []int{2, 2}), near); diff != "" {
		t.Errorf("perplexity (-want +got):\n%s", diff)
	}
}

// A reference of other items would give a divergence that looks like a figure.
func TestEvaluateRefuses(t *testing.T) {
	classifier, plain := load(t, writeModel(t, 1, labels), tree(t)), load(t, writeModel(t, 1, nil), tree(t))
	items, fewer := writeItems(t, testItems), writeItems(t, testItems[:2])
	others := writeItems(t, append([]wire.Item{{Text: "changed", Label: "card"}}, testItems[1:]...))
	unknown := writeItems(t, []wire.Item{{Text: "a", Label: "weather"}})
	dir := t.TempDir()
	byClass, byToken := filepath.Join(dir, "class"), filepath.Join(dir, "token")
	evaluate(t, classifier, wire.Evaluate{Items: items, Batch: 2, ReferenceOut: byClass})
	evaluate(t, plain, wire.Evaluate{Items: items, Batch: 2, ReferenceOut: byToken})
	raw, err := os.ReadFile(byClass)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	broken := append([]byte(nil), raw...)
	copy(broken[len(broken)-4:], "\xff\xff\xff\xff") // NaN
	tests := []struct {
		name string
		s    *Session
		req  wire.Evaluate
		kind wire.ErrorKind
		text string
	}{
		{"fewer items", classifier, wire.Evaluate{Items: fewer, Reference: byClass}, wire.Harness, "it has 5 distributions, these items need 2"},
		{"other items", classifier, wire.Evaluate{Items: others, Reference: byClass}, wire.Harness, "other texts"},
		{"another kind", plain, wire.Evaluate{Items: items, Reference: byClass}, wire.Harness, `of kind "class", this model needs "token"`},
		{"no reference file", classifier, wire.Evaluate{Items: items, Reference: byClass + "x"}, wire.Target, "opening the reference"},
		{"empty reference", classifier, wire.Evaluate{Items: items, Reference: write("empty", nil)}, wire.Harness, "no reference file"},
		{"another file", classifier, wire.Evaluate{Items: items, Reference: items}, wire.Harness, "no reference file"},
		{"cut reference", classifier, wire.Evaluate{Items: items, Reference: write("cut", raw[:len(raw)-1])}, wire.Target, "its heading asks for"},
		{"broken reference", classifier, wire.Evaluate{Items: items, Reference: write("nan", broken)}, wire.Target, "row 4 is not finite"},
		{"nowhere to write", classifier, wire.Evaluate{Items: items, ReferenceOut: filepath.Join(dir, "no", "such")}, wire.Target, "writing the reference"},
		{"unknown label", classifier, wire.Evaluate{Items: unknown}, wire.Harness, `item 0 has the label "weather"`},
		{"nothing to do", plain, wire.Evaluate{Items: items}, wire.Harness, "no classifier"},
		{"perplexity items", classifier, wire.Evaluate{Items: items, PerplexityItems: -1}, wire.Harness, "use 0 for all"},
		{"threshold", classifier, wire.Evaluate{Items: items, Threshold: -1}, wire.Harness, "threshold -1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.req.Batch = 2
			_, err := tt.s.Evaluate(t.Context(), tt.req, quiet)
			var e *wire.Error
			if !errors.As(err, &e) || e.Kind != tt.kind || !strings.Contains(e.Error(), tt.text) {
				t.Errorf("got %v, want %s error with %q", err, tt.kind, tt.text)
			}
		})
	}
}

// A canceled evaluation leaves no half of a reference behind.
func TestEvaluateIsCanceled(t *testing.T) {
	s := load(t, writeModel(t, 1, labels), tree(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := t.TempDir()
	_, err := s.Evaluate(ctx, wire.Evaluate{Items: writeItems(t, testItems), Batch: 1, ReferenceOut: filepath.Join(dir, "r")},
		func(_ string, done, _ int) {
			if done == 2 {
				cancel()
			}
		})
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.Canceled {
		t.Errorf("got %v, want a canceled error", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}
