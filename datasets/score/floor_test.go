package score_test

import (
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/datasets/score"
)

func split(items []loader.Item) (texts []string, labels []int) {
	for _, it := range items {
		texts, labels = append(texts, it.Text), append(labels, it.Label)
	}
	return texts, labels
}

func floor(t *testing.T, name string) float64 {
	t.Helper()
	if loader.Shared() == "" {
		t.Skip("no shared data folder: set HARNESS_SHARED")
	}
	s, err := loader.Load(name, loader.Options{})
	if err != nil {
		t.Skip(err)
	}
	start := time.Now()
	texts, labels := split(s.Train)
	b, err := score.TrainBaseline(texts, labels, len(s.Labels), score.BaselineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	texts, labels = split(s.Test)
	c, err := score.Count(labels, b.Predict(texts), len(s.Labels))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: macro-F1 %.4f, accuracy %.4f, n=%d, %v", name, c.MacroF1(), c.Accuracy(), c.N(), time.Since(start).Round(time.Millisecond))
	return c.MacroF1()
}

// A model's figure means nothing beside a floor that is not the published one.
func TestBaselineReproducesFloor(t *testing.T) {
	for _, c := range []struct {
		set             string
		want, tolerance float64
	}{
		{"clinc150", 0.9059, 0.005},
		{"banking77", 0.8938, 0.01},
		{"hwu64", 0.8607, 0.01},
		{"crosswoz_zh", 0.6898, 0.02},
	} {
		t.Run(c.set, func(t *testing.T) {
			if got := floor(t, c.set); got < c.want-c.tolerance || got > c.want+c.tolerance {
				t.Errorf("macro-F1 %.4f, published floor %.4f ± %.3f", got, c.want, c.tolerance)
			}
		})
	}
}
