package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/runners/engine"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// generateJob is one run of `runner generate`.
type generateJob struct {
	model       modelFlags
	tokenizer   string
	prompt      string
	tokens      int
	temperature float64
	seed        uint64
}

func newGenerate() *cobra.Command {
	var job generateJob
	c := &cobra.Command{
		Use:   "generate --model PATH --prompt TEXT",
		Short: "Continue a text",
		Long: "Writes the continuation of a prompt to standard output as it is produced, and the speed of\n" +
			"prefill and decode to standard error. It ends at the model's end token.",
		Example: "  runner generate --model my-model --prompt \"where is my card\"\n" +
			"  runner generate --model model.gguf --prompt \"Once\" --tokens 200 --temperature 0.8 --seed 7",
		Args: cobra.NoArgs,
		RunE: interruptible(func(ctx context.Context, c *cobra.Command) error {
			if err := job.check(); err != nil {
				return err
			}
			return job.run(ctx, c.OutOrStdout(), c.ErrOrStderr())
		}),
	}
	job.model.add(c)
	c.Flags().StringVar(&job.tokenizer, "tokenizer", "", "tokenizer folder or file (default: the model's own)")
	c.Flags().StringVar(&job.prompt, "prompt", "", "text to continue")
	c.Flags().IntVar(&job.tokens, "tokens", 64, "most tokens to write")
	c.Flags().Float64Var(&job.temperature, "temperature", 0, "spread of the choice of a token; 0 = always the likeliest")
	c.Flags().Uint64Var(&job.seed, "seed", 1, "seed of the choice, with --temperature")
	_ = c.MarkFlagRequired("prompt")
	return c
}

func (j *generateJob) check() error {
	if j.tokens < 1 {
		return &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("--tokens %d: write at least 1", j.tokens)}
	}
	if !(j.temperature >= 0 && j.temperature <= maxTemperature) {
		return &wire.Error{
			Kind: wire.Harness, Text: fmt.Sprintf("--temperature %g is outside [0, %d]", j.temperature, maxTemperature),
			Mend: "use 0 for the likeliest token, about 0.8 for variety",
		}
	}
	return nil
}

func (j *generateJob) run(ctx context.Context, out, stderr io.Writer) error {
	m, err := j.model.load(ctx)
	if err != nil {
		return err
	}
	path := j.tokenizer
	if path == "" {
		path = j.model.path
	}
	tok, err := tokenizer.Load(path)
	if err != nil {
		m.Close() //nolint:errcheck // the error before counts
		return wire.Wrap(wire.Target, fmt.Errorf("loading the tokenizer: %w", err))
	}
	if tok.VocabSize() > m.VocabSize {
		m.Close() //nolint:errcheck // the error before counts
		return &wire.Error{
			Kind: wire.Harness,
			Text: fmt.Sprintf("the tokenizer %s has %d pieces, the model's vocabulary %d", path, tok.VocabSize(), m.VocabSize),
			Mend: "use the tokenizer that the model was trained with",
		}
	}
	e, err := j.model.start(m, 0)
	if err != nil {
		return err
	}
	defer e.Close()
	g := &generation{
		engine: e, tok: tok, out: newTextWriter(out, tok), threshold: j.model.threshold,
		pick: newPicker(j.temperature, j.seed),
	}
	err = g.run(ctx, j.prompt, j.tokens)
	g.report(stderr)
	if err != nil {
		return wire.Wrap(wire.Harness, fmt.Errorf("generating: %w", err))
	}
	return nil
}

// generation is one text in the making.
type generation struct {
	engine    *engine.Engine
	tok       *tokenizer.Tokenizer
	out       *textWriter
	threshold float64
	pick      *picker

	prompt, decoded int           // tokens read at first, tokens read one by one
	prefill, decode time.Duration // the time of each
}

func (g *generation) run(ctx context.Context, prompt string, tokens int) error {
	var ids []int32
	if bos := g.tok.BOS(); bos >= 0 {
		ids = append(ids, bos)
	}
	ids = g.tok.AppendEncode(ids, prompt)
	if len(ids) == 0 {
		return errors.New("the prompt gives no token: write some text")
	}
	// The first pass packs the head and grows buffers; it is no part of the speed.
	if _, err := g.next(ctx, g.engine.NewSequence(), ids[:1]); err != nil {
		return err
	}
	seq := g.engine.NewSequence()
	seq.Reserve(len(ids) + tokens)
	began := time.Now()
	id, err := g.next(ctx, seq, ids)
	if err != nil {
		return err
	}
	g.prompt, g.prefill = len(ids), time.Since(began)
	g.out.begin(ids)
	one := make([]int32, 1)
	for n := 1; id != g.tok.EOS(); n++ {
		if err := g.out.add(id); err != nil {
			return err
		}
		if n == tokens || seq.Len() == g.engine.Config().MaxPositions {
			break
		}
		began := time.Now()
		one[0] = id
		if id, err = g.next(ctx, seq, one); err != nil {
			g.out.end() //nolint:errcheck // the error before counts
			return err
		}
		g.decode += time.Since(began)
		g.decoded++
	}
	return g.out.end()
}

// next reads ids and returns the token to follow.
func (g *generation) next(ctx context.Context, seq *engine.Sequence, ids []int32) (int32, error) {
	var id int32
	steps := []engine.Step{{Seq: seq, Tokens: ids}}
	err := g.engine.Forward(ctx, steps, g.threshold, func(_, _ int, logits []float32) { id = g.pick.pick(logits) })
	return id, err
}

// report writes the speeds.
func (g *generation) report(w io.Writer) {
	if g.prompt > 0 {
		fmt.Fprintf(w, "prefill: %d tokens, %.1f tok/s\n", g.prompt, float64(g.prompt)/g.prefill.Seconds())
	}
	if g.decoded > 0 {
		fmt.Fprintf(w, "decode: %d tokens, %.1f tok/s\n", g.decoded, float64(g.decoded)/g.decode.Seconds())
	}
}
