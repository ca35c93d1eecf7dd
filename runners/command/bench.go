package command

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// benchJob is one run of `runner bench`: its flags.
type benchJob struct {
	models names
	shapes names
	kinds  names
	write  string

	prompts, gens, depths     ints
	batches, ubatches, thread ints
	parallel                  ints
	labelRows                 int
	typeK, typeV              names
	kv                        []kernels.KVFormat // what typeK and typeV ask for
	pairs                     pairs

	repeats  int
	delay    time.Duration
	output   string
	profile  string
	cold     bool
	noLimits bool
	progress bool
}

// Bench returns the command `bench`. elsewhere, if set, is given the checked
// command line, without the command's name, in place of running it in this
// process.
func Bench(elsewhere func(ctx context.Context, args []string) error) *cobra.Command {
	job := benchJob{
		kinds: names{values: []string{"q8_0"}}, typeK: names{values: []string{kernels.FastKV().String()}}, typeV: names{values: []string{kernels.FastKV().String()}},
		prompts: ints{values: []int{512}}, gens: ints{values: []int{128}}, depths: ints{values: []int{0}},
		batches: ints{values: []int{2048}, least: 1}, ubatches: ints{values: []int{512}, least: 1},
		thread: ints{values: []int{0}, most: maxThreads}, parallel: ints{values: []int{1}, least: 1, most: maxParallel},
	}
	c := &cobra.Command{
		Use:   "bench (--model FILE | --shape NAME)",
		Short: "Speed of one model: prefill, decode, batches",
		Long: `Measures the speed of a model as llama-bench does: ppN reads a prompt of N tokens and
computes the logits after its last, tgN generates N tokens one by one with the logits
after each; no token is chosen. Flags that list values are swept: 1,2,8 or 1-4 or
8-64*2 or 128-512+128. llama-bench's short flags work too (-ub, -pg).

Beside each speed stands what the machine can do at most, measured: the rate at which
it reads memory, for decode, and its greatest rate of integer products, for prefill.`,
		Example: `  runner bench --model model.gguf
  runner bench -m model.gguf -p 128,1024 -n 64 -t 1,2 -r 10 -o jsonl
  runner bench --shape ernie-0.3b --type q4_0 -p 0 -n 64 --batch 1,4,16
  runner bench --shape ernie-0.3b --type q8_0 --write model-q8_0.gguf
  runner bench -m model.gguf -p 0 -n 256 --cpuprofile decode.pprof`,
		Args: cobra.NoArgs,
	}
	c.RunE = interruptible(func(ctx context.Context, c *cobra.Command) error {
		if err := job.check(); err != nil {
			return err
		}
		if elsewhere != nil {
			return elsewhere(ctx, changed(c.LocalFlags()))
		}
		return job.run(ctx, c.OutOrStdout(), c.ErrOrStderr())
	})
	job.add(c.Flags())
	return c
}

const (
	maxThreads  = 1024
	maxParallel = 1024
)

func (j *benchJob) add(f *pflag.FlagSet) {
	f.VarP(&j.models, "model", "m", "model folder, .safetensors with its config.json beside it, or .gguf")
	f.Var(&j.shapes, "shape", "instead of --model: a model of random weights in the shape "+strings.Join(model.Shapes(), " or ")+", kept in the cache folder")
	f.Var(&j.kinds, "type", "how --shape is stored: "+strings.Join(model.GGUFKinds(), ", "))
	f.StringVar(&j.write, "write", "", "keep the model of --shape in this GGUF file")
	f.VarP(&j.prompts, "n-prompt", "p", "tokens of a prompt, 0 = no such test")
	f.VarP(&j.gens, "n-gen", "n", "tokens to generate, 0 = no such test")
	f.Var(&j.pairs, "prompt-gen", "tests of both, as prompt,generated; -pg for short")
	f.VarP(&j.depths, "n-depth", "d", "tokens read before the clock starts")
	f.VarP(&j.batches, "batch-size", "b", "most tokens of a prompt in one call")
	f.Var(&j.ubatches, "ubatch-size", "most tokens of a prompt in one pass; -ub for short")
	f.VarP(&j.thread, "threads", "t", "workers, 0 = one per processor")
	f.Var(&j.parallel, "batch", "sequences that generate at once")
	f.Var(&j.typeK, "cache-type-k", "how keys are kept, f32, f16, q16 or q8_0; -ctk for short")
	f.Var(&j.typeV, "cache-type-v", "how values are kept, the same as keys; -ctv for short")
	f.IntVar(&j.labelRows, "label-rows", 0, "compute logits of this many tokens of the vocabulary only, 0 = of all")
	f.IntVarP(&j.repeats, "repetitions", "r", 5, "repeats of every test")
	f.DurationVar(&j.delay, "delay", 0, "pause before every test")
	f.BoolVar(&j.cold, "no-warmup", false, "time the first run, too")
	f.StringVarP(&j.output, "output", "o", "table", "how to print results: "+strings.Join(benchFormats, ", "))
	f.BoolVar(&j.noLimits, "no-limits", false, "do not measure what the machine can do at most")
	f.StringVar(&j.profile, "cpuprofile", "", "write a CPU profile of the tests to this file")
	f.BoolVar(&j.progress, "progress", false, "say on standard error what is done")
}

// check refuses what cannot work before anything is loaded.
func (j *benchJob) check() error {
	usage := func(text, mend string) error { return &wire.Error{Kind: wire.Harness, Text: text, Mend: mend} }
	switch models, shapes := len(j.models.values), len(j.shapes.values); {
	case models == 0 && shapes == 0:
		return usage("no model", "name one by --model, or a shape by --shape "+model.Shapes()[0])
	case models > 0 && shapes > 0:
		return usage("--model and --shape exclude each other", "run bench once for each")
	case models > 0 && j.write != "":
		return usage("--write keeps the model of a --shape", "name a shape instead of --model")
	case j.write != "" && shapes*len(j.kinds.values) != 1:
		return usage("--write takes one model", "name one --shape and one --type")
	}
	for _, s := range j.shapes.values {
		if !slices.Contains(model.Shapes(), s) {
			return usage(fmt.Sprintf("--shape %q: must be one of %s", s, strings.Join(model.Shapes(), ", ")), "")
		}
	}
	for _, k := range j.kinds.values {
		if !slices.Contains(model.GGUFKinds(), strings.ToLower(k)) {
			return usage(fmt.Sprintf("--type %q: must be one of %s", k, strings.Join(model.GGUFKinds(), ", ")), "")
		}
	}
	if !slices.Contains(benchFormats, j.output) {
		return usage(fmt.Sprintf("--output %q: must be one of %s", j.output, strings.Join(benchFormats, ", ")), "")
	}
	if j.repeats < 1 {
		return usage(fmt.Sprintf("--repetitions %d: must be 1 or more", j.repeats), "")
	}
	if j.delay < 0 {
		return usage(fmt.Sprintf("--delay %v: must be 0 or more", j.delay), "")
	}
	if j.labelRows < 0 {
		return usage(fmt.Sprintf("--label-rows %d: must be 0 or more", j.labelRows), "")
	}
	kv, err := j.kvFormats()
	if err != nil {
		return err
	}
	j.kv = kv
	if len(j.cells("")) == 0 && j.write == "" {
		return usage("no test", "give --n-prompt, --n-gen or --prompt-gen a number above 0")
	}
	return nil
}
