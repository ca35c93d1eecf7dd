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

// trainLimit is generous: CLINC150 takes some five seconds of one core.
const trainLimit = time.Minute

// baseline trains on a published set and scores its test split; it skips where
// the set is not on this machine. A set that is there and damaged is a failure.
func baseline(t *testing.T, name string, oos bool) *score.Confusion {
	t.Helper()
	if testing.Short() {
		t.Skip("trains for seconds")
	}
	e, ok := loader.Lookup(name)
	if !ok {
		t.Fatalf("%s is not in the catalogue", name)
	}
	if _, err := loader.Locate(e, ""); err != nil {
		t.Skip(err)
	}
	s, err := loader.Load(name, loader.Options{OOS: oos})
	if err != nil {
		t.Fatal(err)
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
	took := time.Since(start)
	t.Logf("macro-F1 %.4f, accuracy %.4f, n=%d, %v", c.MacroF1(), c.Accuracy(), c.N(), took.Round(time.Millisecond))
	if took > trainLimit {
		t.Errorf("took %v, want at most %v: every report waits for its floor", took, trainLimit)
	}
	return c
}

// A model's figure means nothing beside a floor that is not the reference for
// the same features and classifier. The order of the reference's steps is unknown,
// hence the tolerances.
func TestBaselineReproducesTheReferenceFloor(t *testing.T) {
	for _, c := range []struct {
		set                        string
		oos                        bool
		macro, accuracy, tolerance float64
	}{
		{"clinc150", false, 0.9059, 0.9062, 0.005},
		{"banking77", false, 0.8938, 0.8935, 0.005},
		{"hwu64", false, 0.8607, 0.8643, 0.005},
		{"crosswoz_zh", false, 0.6898, 0, 0.01},
	} {
		name := c.set
		t.Run(name, func(t *testing.T) {
			m := baseline(t, c.set, c.oos)
			for _, f := range []struct {
				what      string
				got, want float64
			}{{"macro-F1", m.MacroF1(), c.macro}, {"accuracy", m.Accuracy(), c.accuracy}} {
				if f.want > 0 && (f.got < f.want-c.tolerance || f.got > f.want+c.tolerance) {
					t.Errorf("%s %.4f, reference floor %.4f ± %.3f", f.what, f.got, f.want, c.tolerance)
				}
			}
		})
	}
}

// Out-of-scope queries are the hard part of CLINC150: with them the floor falls by
// more than ten points of accuracy, and a figure that does not say which setting it
// is for misleads.
func TestFloorWithOutOfScope(t *testing.T) {
	m := baseline(t, "clinc150", true)
	if got := m.Accuracy(); got < 0.7716-0.01 || got > 0.7716+0.01 {
		t.Errorf("accuracy of 151 classes %.4f, reference floor 0.7716 ± 0.01", got)
	}
	if got := m.MacroF1(); got < 0.8327-0.01 || got > 0.8327+0.01 {
		t.Errorf("macro-F1 of 151 classes %.4f, reference floor 0.8327 ± 0.01", got)
	}
}
