package builtin_test

import (
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/datasets/builtin"
	"github.com/seed-c6f48606/harness/datasets/score"
)

func split(items []builtin.Item) (texts []string, labels []int) {
	for _, it := range items {
		texts, labels = append(texts, it.Text), append(labels, it.Label)
	}
	return texts, labels
}

func TestProbe(t *testing.T) {
	start := time.Now()
	c := builtin.Generate()
	t.Log(time.Since(start), len(c.Labels), len(c.Train), len(c.Val), len(c.Test), "unseen", c.UnseenShare(), c.Hash())
	for _, it := range c.Test[:60] {
		t.Log(c.Labels[it.Label], "|", it.Kind, it.Language, "|", it.Text)
	}
	for _, it := range c.Train[:25] {
		t.Log("TRAIN", c.Labels[it.Label], "|", it.Kind, it.Language, "|", it.Text)
	}
	texts, labels := split(c.Train)
	b, err := score.TrainBaseline(texts, labels, len(c.Labels), score.BaselineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]builtin.Item{c.Val, c.Test} {
		texts, labels = split(part)
		pred := b.Predict(texts)
		conf, _ := score.Count(labels, pred, len(c.Labels))
		t.Logf("macro %.4f acc %.4f", conf.MacroF1(), conf.Accuracy())
		n, ok := map[string]int{}, map[string]int{}
		for i, it := range part {
			for _, k := range []string{string(it.Kind), string(it.Language), string(it.Kind) + "/" + string(it.Language)} {
				n[k]++
				if pred[i] == it.Label {
					ok[k]++
				}
			}
		}
		for k := range n {
			t.Logf("%s n=%d acc=%.3f", k, n[k], float64(ok[k])/float64(n[k]))
		}
		for l := range c.Labels {
			if f := conf.ClassF1(l); f < 0.75 {
				t.Logf("%s F1 %.2f", c.Labels[l], f)
			}
		}
	}
}
