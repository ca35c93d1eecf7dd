package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/compress"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

func (a *app) compressCommand() *cobra.Command {
	var (
		v         variantFlags
		data      dataFlags
		out       string
		overwrite bool
	)
	c := &cobra.Command{
		Use:   "compress --model M --out DIR",
		Short: "Write one compressed variant of a model",
		Long: `Writes the variant that a sweep would build of the same axes: pruned and refitted,
factored, rounded, with gates for the routing threshold. Pruning, factoring and
gates learn from the train split of a data set; rounding alone needs none.`,
		Example: `  harness compress --model service-nano --bits 4 --out nano-4bit
  harness compress --model ./my-model --dataset csv:train.csv --prune-ratio .25 --rank-ratio .5 --bits 8 --out small
  harness compress --model model.gguf --bits 4 --group-size 64 --out model-4bit`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := v.build()
			if err != nil {
				return err
			}
			if err := vacant(out, overwrite); err != nil {
				return err
			}
			return a.compress(c, p, &data, out)
		},
	}
	v.add(c)
	data.add(c, "")
	c.Flags().StringVar(&out, "out", "", "folder of the model to write")
	c.Flags().BoolVar(&overwrite, "overwrite", false, "replace a model that is in --out already")
	// The flag exists, so this cannot fail.
	_ = c.MarkFlagRequired("out")
	return c
}

func (a *app) compress(c *cobra.Command, p sweep.Plan, data *dataFlags, out string) error {
	ctx, cancel := interruptible(c.Context())
	defer cancel()
	cache, err := sweep.UserCache()
	if err != nil {
		return err
	}
	path, err := sweep.FindModel(ctx, cache, p.Model)
	if err != nil {
		return err
	}
	m, err := model.Load(path)
	if err != nil {
		return err
	}
	tok, err := tokenizer.Load(path)
	if err != nil {
		return err
	}
	words, err := json.Marshal(tok)
	if err != nil {
		return fmt.Errorf("writing the tokenizer: %w", err)
	}
	recipe := p.Recipe(p.Cells()[0])
	cal, hash, err := calibrate(c, p, data, m, tok)
	if err != nil {
		return err
	}
	recipe.Data = hash
	bar := a.progress()
	bar.Stage("compress", 100)
	done := 0
	small, report, err := compress.Apply(ctx, m, cal, recipe, func(stage string, share float64) {
		bar.Step(int(100*share)-done, stage)
		done = int(100 * share)
	})
	bar.Close()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := small.SaveWith(out, map[string][]byte{"tokenizer.json": words, sweep.ReportName: append(text, '\n')}); err != nil {
		return err
	}
	for _, w := range report.Warnings {
		fmt.Fprintln(a.err, "warning:", w)
	}
	return a.printCompressed(out, report)
}

// calibrate reads what compression learns from. Rounding alone goes without
// where no data set is named or known.
func calibrate(c *cobra.Command, p sweep.Plan, data *dataFlags, m *model.Model, tok *tokenizer.Tokenizer) (compress.Calibration, string, error) {
	d, err := data.of(c, func() (*model.Model, error) { return m, nil })
	var set *loader.Set
	if err == nil {
		named := dataFlags{data: d}
		set, err = named.load()
	}
	switch {
	case err == nil:
	case c.Flags().Changed("dataset"):
		return compress.Calibration{}, "", err
	case p.RankRatio[0] == 1 && p.PruneRatio[0] == 0:
		return compress.Calibration{}, "", nil // the report warns that there are no gates
	default:
		return compress.Calibration{}, "", fmt.Errorf("pruning and factoring learn from texts: %w", err)
	}
	if err := sweep.Fits(m, set); err != nil {
		return compress.Calibration{}, "", err
	}
	return sweep.Calibration(m, tok, set), set.Hash, nil
}

func (a *app) printCompressed(out string, r *compress.Report) error {
	t := table{
		header: []string{"", "before", "after"}, right: []int{1, 2},
		rows: [][]string{
			{"parameters", strconv.FormatInt(r.ParamsBefore, 10), strconv.FormatInt(r.ParamsAfter, 10)},
			{"stored MB", megabytes(float64(r.BytesBefore)), megabytes(float64(r.BytesAfter))},
			{"bits a weight", "", fmt.Sprintf("%.2f", r.BitsPerWeight)},
			{"rank ratio reached", "", fixed(r.RankRatio)},
			{"prune ratio reached", "", fixed(r.PruneRatio)},
		},
	}
	if g := r.Gates; g != nil {
		t.rows = append(t.rows, []string{"accuracy at τ 0.5", fixed(g.DenseAccuracy), fixed(g.GatedAccuracy)},
			[]string{"work saved at τ 0.5", "", fixed(g.SavedShare)})
	}
	if err := a.emit(t, []any{r}); err != nil || a.format != "table" {
		return err
	}
	fmt.Fprintf(a.out, "\nmodel %s; what was done to each matrix is in its %s\n", out, sweep.ReportName)
	return nil
}
