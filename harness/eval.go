package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/datasets/score"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/page"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/model"
)

func (a *app) evalCommand() *cobra.Command {
	var (
		v         variantFlags
		data      dataFlags
		split     string
		threshold float64
		batch     int
		threads   int
		worst     int
	)
	c := &cobra.Command{
		Use:   "eval --model M",
		Short: "Quality of a model or a variant of it: F1, confusions, perplexity, agreement with dense f32",
		Long: `Evaluates one variant on one split: macro and micro F1, accuracy, perplexity, and
KL and agreement with the dense model in f32, each with a 95 % bootstrap interval over
items; McNemar's exact test and the paired difference in macro-F1 against the dense
model; a bag-of-words floor on the same items; the classes most often confused.`,
		Example: `  harness eval --model service-nano
  harness eval --model clinc150-nano --dataset clinc150 --bits 4 --prune-ratio .25
  harness eval --model ./my-model --dataset csv:train.csv --test-file test.csv --label-column intent -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := v.build()
			if err != nil {
				return err
			}
			if worst < 0 {
				return fmt.Errorf("--confusions %d: must be 0 or more", worst)
			}
			p.Threshold, p.Batch, p.Threads = []float64{threshold}, []int{batch}, []int{threads}
			if threads == 0 {
				p.Threads = sweep.Reference().Threads
			}
			if err := p.Validate(); err != nil {
				return err
			}
			return a.eval(c, p, &data, loader.Split(split), worst)
		},
	}
	v.add(c)
	data.add(c, "")
	f := c.Flags()
	f.StringVar(&split, "split", string(loader.Test), "train, val or test")
	f.Float64Var(&threshold, "threshold", 0, "routing threshold: skip where the gate says less, 0 = dense")
	f.IntVar(&batch, "batch", 1, "items of one inference; it must not change a result")
	f.IntVar(&threads, "threads", 0, "worker threads (default every core)")
	f.IntVar(&worst, "confusions", 10, "how many of the most frequent confusions to print")
	complete(c, "split", string(loader.Train), string(loader.Val), string(loader.Test))
	return c
}

func (a *app) eval(c *cobra.Command, p sweep.Plan, data *dataFlags, split loader.Split, worst int) error {
	cache, err := sweep.UserCache()
	if err != nil {
		return err
	}
	if p.Data, err = data.of(c, func() (*model.Model, error) {
		path, err := sweep.FindModel(c.Context(), cache, p.Model)
		if err != nil {
			return nil, err
		}
		return model.Load(path)
	}); err != nil {
		return err
	}
	launch, err := sweep.Self()
	if err != nil {
		return err
	}
	ctx, cancel := interruptible(c.Context())
	defer cancel()
	bar := a.progress()
	x, err := sweep.Examine(ctx, cache, launch, p, split, bar)
	bar.Close()
	if err != nil {
		return err
	}
	if a.format == "table" {
		return a.printEval(p, split, x, worst)
	}
	record, err := newEvalRecord(p, split, x, worst)
	if err != nil {
		return err
	}
	return a.emit(record.table(), []any{record})
}

// evalRecord is what scripts read.
type evalRecord struct {
	Model      string           `json:"model"`
	ModelHash  string           `json:"model_sha256"`
	Dataset    string           `json:"dataset"`
	DataHash   string           `json:"dataset_sha256"`
	Split      loader.Split     `json:"split"`
	Items      int              `json:"items"`
	Classes    int              `json:"classes"`
	Axes       sweep.Axes       `json:"axes"`
	Metrics    []metricRecord   `json:"metrics"`
	Floor      *page.Baseline   `json:"floor"`
	Against    *page.Comparison `json:"against_dense_f32"`
	Confusions []confusedRecord `json:"confusions"`
}

// metricRecord is one figure; Value, Lo and Hi are null where it is unavailable.
type metricRecord struct {
	Metric string   `json:"metric"`
	Unit   string   `json:"unit"`
	Value  *float64 `json:"value"`
	Lo     *float64 `json:"lo"`
	Hi     *float64 `json:"hi"`
	N      int      `json:"n"`
}

type confusedRecord struct {
	Truth     string `json:"truth"`
	Predicted string `json:"predicted"`
	Count     int    `json:"count"`
}

func newEvalRecord(p sweep.Plan, split loader.Split, x *sweep.Examination, worst int) (*evalRecord, error) {
	r := &evalRecord{
		Model: p.Model, ModelHash: x.Source.Parent.Hash, Dataset: x.Source.Set.Name, DataHash: x.Source.Set.Hash, Split: split,
		Items: len(x.Items), Classes: len(x.Source.Set.Labels), Axes: p.Cells()[0], Floor: x.Floor, Against: x.Against,
		Confusions: []confusedRecord{},
	}
	for _, m := range x.Quality.Metrics() {
		row := stat.Row{}
		if m.Value.N > 0 {
			row.Set(m.Value)
		}
		r.Metrics = append(r.Metrics, metricRecord{m.Name, m.Unit, row.Value, row.Lo, row.Hi, row.N})
	}
	skip := x.Quality.SkipRate
	r.Metrics = append(r.Metrics, metricRecord{Metric: "skip_rate", Value: &skip, N: x.Result.Items})
	if len(x.Result.Predictions) == 0 {
		return r, nil
	}
	confusion, err := score.Count(x.Result.Truth, x.Result.Predictions, len(x.Result.Labels))
	if err != nil {
		return nil, fmt.Errorf("counting confusions: %w", err)
	}
	for _, w := range confusion.Worst(worst) {
		r.Confusions = append(r.Confusions, confusedRecord{x.Result.Labels[w.Actual], x.Result.Labels[w.Predicted], w.Count})
	}
	return r, nil
}

// table has a line a metric.
func (r *evalRecord) table() table {
	t := table{header: []string{"metric", "value", "lo", "hi", "n", "unit"}, right: []int{1, 2, 3, 4}}
	for _, m := range r.Metrics {
		line := []string{m.Metric}
		for _, v := range []*float64{m.Value, m.Lo, m.Hi} {
			if v == nil {
				line = append(line, none)
			} else {
				line = append(line, strconv.FormatFloat(*v, 'f', 4, 64))
			}
		}
		t.rows = append(t.rows, append(line, strconv.Itoa(m.N), m.Unit))
	}
	return t
}

func (a *app) printEval(p sweep.Plan, split loader.Split, x *sweep.Examination, worst int) error {
	r, err := newEvalRecord(p, split, x, worst)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s (%s) on %s, %s split, %d classes\n\n", r.Model, r.Axes.Variant(), r.Dataset, split, r.Classes)
	if err := r.table().print(a.out); err != nil {
		return err
	}
	fmt.Fprintln(a.out, "\n95 % bootstrap intervals over items; KL and agreement are against the dense model in f32")
	if r.Floor != nil {
		fmt.Fprintf(a.out, "floor: %s, macro-F1 %.4f [%.4f, %.4f]\n", r.Floor.Name, r.Floor.MacroF1, r.Floor.Lo, r.Floor.Hi)
	}
	if w := r.Against; w != nil {
		fmt.Fprintf(a.out, "against dense f32: ΔF1 %+.4f [%+.4f, %+.4f]; %d items only the dense one gets right, %d only this one, McNemar p = %.3g\n",
			w.Delta, w.DeltaLo, w.DeltaHi, w.OnlyDense, w.OnlyThis, w.P)
	}
	if len(r.Confusions) == 0 {
		return nil
	}
	fmt.Fprintln(a.out, "\nmost often confused")
	t := table{header: []string{"truth", "predicted", "items"}, right: []int{2}}
	for _, w := range r.Confusions {
		t.rows = append(t.rows, []string{w.Truth, w.Predicted, strconv.Itoa(w.Count)})
	}
	return t.print(a.out)
}
