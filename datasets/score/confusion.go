// Package score measures the quality of a classifier: confusion, F1 and accuracy,
// and the bag-of-words baseline beside which every figure is printed.
package score

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Confusion counts predictions of single-label items by class.
type Confusion struct {
	classes int
	n       int
	correct int
	counts  []int // actual × predicted
	support []int // items of each class
	called  []int // predictions of each class
}

// NewConfusion returns an empty matrix of the label set's size.
func NewConfusion(classes int) *Confusion {
	return &Confusion{
		classes: classes, counts: make([]int, classes*classes),
		support: make([]int, classes), called: make([]int, classes),
	}
}

// Count fills a matrix from equal slices of actual and predicted classes.
func Count(actual, predicted []int, classes int) (*Confusion, error) {
	if len(actual) != len(predicted) {
		return nil, fmt.Errorf("counting confusion: %d labels and %d predictions", len(actual), len(predicted))
	}
	c := NewConfusion(classes)
	for i := range actual {
		if err := c.Add(actual[i], predicted[i]); err != nil {
			return nil, fmt.Errorf("counting confusion: item %d: %w", i, err)
		}
	}
	return c, nil
}

// Add counts one item.
func (c *Confusion) Add(actual, predicted int) error {
	if actual < 0 || actual >= c.classes || predicted < 0 || predicted >= c.classes {
		return fmt.Errorf("class %d or %d is outside the label set of %d", actual, predicted, c.classes)
	}
	c.add(actual, predicted)
	return nil
}

func (c *Confusion) add(actual, predicted int) {
	c.n++
	c.counts[actual*c.classes+predicted]++
	c.support[actual]++
	c.called[predicted]++
	if actual == predicted {
		c.correct++
	}
}

// N returns the number of items counted.
func (c *Confusion) N() int { return c.n }

// At returns how many items of a class were predicted as another.
func (c *Confusion) At(actual, predicted int) int { return c.counts[actual*c.classes+predicted] }

// Accuracy is the share of right predictions; NaN without items.
func (c *Confusion) Accuracy() float64 { return float64(c.correct) / float64(c.n) }

// MicroF1 equals accuracy, since every item has one label and one prediction.
func (c *Confusion) MicroF1() float64 { return c.Accuracy() }

// ClassF1 is 2TP/(2TP+FP+FN), 0 where that is 0/0 (a class of the label set that
// neither occurs nor is predicted).
func (c *Confusion) ClassF1(class int) float64 {
	if d := c.support[class] + c.called[class]; d > 0 {
		return 2 * float64(c.At(class, class)) / float64(d)
	}
	return 0
}

// Precision and recall of a class, 0 where undefined.
func (c *Confusion) Precision(class int) float64 { return ratio(c.At(class, class), c.called[class]) }

// Recall is the share of a class's items that were found, 0 where it has none.
func (c *Confusion) Recall(class int) float64 { return ratio(c.At(class, class), c.support[class]) }

// Support returns the number of items of a class.
func (c *Confusion) Support(class int) int { return c.support[class] }

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// MacroF1 is the unweighted mean of ClassF1 over all classes of the label set,
// zero division counted as 0; NaN without items.
func (c *Confusion) MacroF1() float64 {
	if c.n == 0 {
		return math.NaN()
	}
	var sum float64
	for class := range c.classes {
		sum += c.ClassF1(class)
	}
	return sum / float64(c.classes)
}

// WeightedF1 is the mean of ClassF1 weighted by the items of each class.
func (c *Confusion) WeightedF1() float64 {
	var sum float64
	for class := range c.classes {
		sum += float64(c.support[class]) * c.ClassF1(class)
	}
	return sum / float64(c.n)
}

// Confused is a pair of classes that a model mixes up.
type Confused struct{ Actual, Predicted, Count int }

// Worst returns the n most frequent confusions, most frequent first.
func (c *Confusion) Worst(n int) []Confused {
	var out []Confused
	for a := range c.classes {
		for p := range c.classes {
			if k := c.At(a, p); a != p && k > 0 {
				out = append(out, Confused{a, p, k})
			}
		}
	}
	slices.SortStableFunc(out, func(x, y Confused) int { return cmp.Compare(y.Count, x.Count) })
	return out[:min(n, len(out))]
}
