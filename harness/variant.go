package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/train"
)

// variantFlags name one variant of a model: what harness eval looks at and
// harness compress writes.
type variantFlags struct {
	plan sweep.Plan
	bits int
	rank float64
	cut  float64
}

func (v *variantFlags) add(c *cobra.Command) {
	v.plan = sweep.Reference()
	f := c.Flags()
	f.StringVar(&v.plan.Model, "model", "", "built-in name, model folder, .safetensors or .gguf")
	f.IntVar(&v.bits, "bits", 16, "stored weight bits: 16, 8, 6, 5, 4, 3 or 2")
	f.Float64Var(&v.rank, "rank-ratio", 1, "share of each block matrix's parameters kept, 1 = dense")
	f.Float64Var(&v.cut, "prune-ratio", 0, "share of block parameters removed, 0 = dense")
	f.IntVar(&v.plan.GroupSize, "group-size", v.plan.GroupSize, "weights that share a scale: 32, 64, 128 or 256")
	f.StringVar(&v.plan.Algorithm, "algorithm", v.plan.Algorithm, "how weights are rounded: rtn")
	f.IntVar(&v.plan.CalibSamples, "calib-samples", v.plan.CalibSamples, "train sequences that compression learns from")
	f.Uint64Var(&v.plan.Seed, "seed", v.plan.Seed, "decides calibration sequences and resampling")
	// The flag exists, so this cannot fail.
	_ = c.MarkFlagRequired("model")
	completeModel(c)
}

// build returns the plan of the one variant.
func (v *variantFlags) build() (sweep.Plan, error) {
	p := v.plan
	p.Bits, p.RankRatio, p.PruneRatio = []int{v.bits}, []float64{v.rank}, []float64{v.cut}
	return p, p.Validate()
}

// of returns the data set that the flags name, else the one that the model
// says it was trained on, if the loader knows that one by name. The model is read
// only for that.
func (d *dataFlags) of(c *cobra.Command, read func() (*model.Model, error)) (sweep.Data, error) {
	data := d.data
	if c.Flags().Changed("dataset") {
		return data, nil
	}
	m, err := read()
	if err != nil {
		return data, err
	}
	data.Spec = train.DatasetOf(m)
	if _, ok := loader.Lookup(data.Spec); ok || data.Spec == "builtin" {
		return data, nil
	}
	return data, fmt.Errorf("%s does not name a known data set that it was trained on; name one with --dataset", m.Path)
}
