package compress

import (
	"fmt"
	"math"

	"github.com/seed-c6f48606/harness/runners/model"
)

// blockOrder is the nested removal order of one layer's neurons or heads.
type blockOrder struct {
	layer int
	ffn   bool
	order []removal
	unit  int64   // block parameters that one input carries
	scale float64 // output energy that losses are relative to
}

// cost is the parameters that step k removes.
func (b *blockOrder) cost(k int) int64 { return int64(len(b.order[k].inputs)) * b.unit }

// paramsPerInput counts the block parameters that leave with one input of the
// output projection: a neuron has a row of gate and of up and a column of down,
// a head's channel a row of q and a column of o.
func paramsPerInput(l *model.Layer, ffn bool) int64 {
	if ffn {
		return int64(l.Gate.Cols + l.Up.Cols + l.Down.Rows)
	}
	return int64(l.Q.Cols + l.O.Rows)
}

// pruneLimit is the largest prune ratio that m's shape allows: one head a
// key/value group and widthStep neurons a layer stay.
func pruneLimit(m *model.Model) float64 {
	var most int64
	for i := range m.Layers {
		l := &m.Layers[i]
		if l.HasMLP() {
			most += int64(max(0, l.FFN-widthStep)) * paramsPerInput(l, true)
		}
		if l.HasAttention() {
			most += int64((l.Heads-l.KVHeads)*m.Config.HeadDim) * paramsPerInput(l, false)
		}
	}
	return float64(most) / float64(m.BlockParams())
}

// checkPrune refuses a ratio that the model's shape cannot reach.
func checkPrune(m *model.Model, ratio float64) error {
	limit := pruneLimit(m)
	if ratio <= limit {
		return nil
	}
	limit = math.Floor(limit*1000) / 1000
	return &UsageError{
		"prune-ratio", number(ratio),
		fmt.Sprintf("at most %s for this model (every layer keeps %d neurons and a head for each key/value head)", number(limit), widthStep),
		number(limit),
	}
}

// allocate decides how many steps of each order to take so that the parameters
// removed come as near to target as the steps allow. It takes the step with
// the least relative loss per parameter first, over all layers.
func allocate(blocks []blockOrder, target int64) (steps []int, removed int64) {
	steps = make([]int, len(blocks))
	for {
		best, least := -1, math.Inf(1)
		for i := range blocks {
			b := &blocks[i]
			if steps[i] == len(b.order) {
				continue
			}
			cost := b.cost(steps[i])
			if gap(removed+cost, target) >= gap(removed, target) {
				continue
			}
			if price := b.order[steps[i]].loss / b.scale / float64(cost); price < least {
				best, least = i, price
			}
		}
		if best < 0 {
			return steps, removed
		}
		removed += blocks[best].cost(steps[best])
		steps[best]++
	}
}

func gap(a, b int64) int64 { return max(a-b, b-a) }

// kept lists the inputs of n that the first steps of order leave, ascending.
func kept(order []removal, steps, n int) []int {
	gone := make([]bool, n)
	for _, r := range order[:steps] {
		for _, i := range r.inputs {
			gone[i] = true
		}
	}
	left := make([]int, 0, n)
	for i, g := range gone {
		if !g {
			left = append(left, i)
		}
	}
	return left
}
