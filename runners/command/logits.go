package command

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/runners/engine"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/wire"
)

const (
	tokensPrefix = "tokens."
	logitsPrefix = "logits."
)

// logitsJob is one run of `runner logits`.
type logitsJob struct {
	model       modelFlags
	tokens, out string
	chunk       int
	mixed       bool
}

func newLogits() *cobra.Command {
	var job logitsJob
	c := &cobra.Command{
		Use:   "logits --model PATH --tokens FILE.safetensors --out FILE.safetensors",
		Short: "Write the logits of every token of given sequences",
		Long: "Reads the I32 tensors tokens.NAME of a safetensors file and writes an F32 tensor logits.NAME\n" +
			"of shape [tokens, vocabulary] for each. Other tensors are ignored; no tokenizer is needed and no\n" +
			"begin token is added.",
		Example: "  runner logits --model tiny/model-q4_0.gguf --tokens in.safetensors --out out.safetensors\n" +
			"  runner logits --model tiny --tokens in.safetensors --out out.safetensors --bits 4 --chunk 1",
		Args: cobra.NoArgs,
		RunE: interruptible(func(ctx context.Context, c *cobra.Command) error {
			if c.Flags().Changed("chunk") && job.chunk < 1 {
				return &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("--chunk %d: a piece has at least 1 token", job.chunk)}
			}
			return job.run(ctx)
		}),
	}
	job.model.add(c)
	c.Flags().StringVar(&job.tokens, "tokens", "", "safetensors file with I32 tensors tokens.NAME")
	c.Flags().StringVar(&job.out, "out", "", "safetensors file to write")
	c.Flags().IntVar(&job.chunk, "chunk", 0, "tokens a prefill piece has; 1 = one at a time (default: whole)")
	c.Flags().BoolVar(&job.mixed, "mixed", false, "run all sequences in one batch, every second one token by token")
	_, _ = c.MarkFlagRequired("tokens"), c.MarkFlagRequired("out")
	return c
}

func (j *logitsJob) run(ctx context.Context) error {
	names, inputs, err := readTokens(j.tokens)
	if err != nil {
		return wire.Wrap(wire.Target, err)
	}
	m, err := j.model.load(ctx)
	if err != nil {
		return err
	}
	hash := func() (string, error) { return "", nil } // rounded weights are no file's
	if m.Path != "" {
		hash = model.Hashing(m.Path)
	}
	e, err := j.model.start(m, j.chunk)
	if err != nil {
		return err
	}
	defer e.Close()
	outputs, err := j.compute(ctx, e, inputs)
	if err != nil {
		return wire.Wrap(wire.Harness, fmt.Errorf("computing logits of %s: %w", j.tokens, err))
	}
	tensors := make([]model.Tensor, len(names))
	for i, name := range names {
		tensors[i] = model.Tensor{
			TensorInfo: model.TensorInfo{
				Name: logitsPrefix + name, DType: "F32", Shape: []int{len(inputs[i]), e.Config().VocabSize},
			},
			Data: outputs[i],
		}
	}
	sum, err := hash()
	if err != nil {
		return wire.Wrap(wire.Target, err)
	}
	meta := map[string]string{"model_sha256": sum}
	if err := model.WriteSafetensors(j.out, meta, tensors); err != nil {
		return wire.Wrap(wire.Target, err)
	}
	return nil
}

// compute returns the logits of each input as little-endian F32.
func (j *logitsJob) compute(ctx context.Context, e *engine.Engine, inputs [][]int32) ([][]byte, error) {
	rowBytes := 4 * e.Config().VocabSize
	outputs := make([][]byte, len(inputs))
	read := make([]int, len(inputs)) // tokens of each input given so far
	steps := make([]engine.Step, 0, len(inputs))
	origin := make([]int, 0, len(inputs)) // the input behind each step
	sequences := make([]*engine.Sequence, len(inputs))
	for i, in := range inputs {
		outputs[i] = make([]byte, rowBytes*len(in))
		sequences[i] = e.NewSequence()
	}
	add := func(i, piece int) bool {
		rest := inputs[i][read[i]:]
		if len(rest) == 0 {
			return false
		}
		if piece > 0 {
			rest = rest[:min(piece, len(rest))]
		}
		steps = append(steps, engine.Step{Seq: sequences[i], Tokens: rest, All: true})
		origin = append(origin, i)
		read[i] += len(rest)
		return true
	}
	flush := func() error {
		err := e.Forward(ctx, steps, j.model.threshold, func(step, pos int, logits []float32) {
			dst := outputs[origin[step]][pos*rowBytes:]
			for k, v := range logits {
				binary.LittleEndian.PutUint32(dst[4*k:], math.Float32bits(v))
			}
		})
		steps, origin = steps[:0], origin[:0]
		return err
	}
	if !j.mixed {
		for i := range inputs {
			for add(i, j.chunk) {
				if err := flush(); err != nil {
					return nil, err
				}
			}
		}
		return outputs, nil
	}
	for {
		for i := range inputs {
			piece := j.chunk
			if i%2 == 1 {
				piece = 1
			}
			add(i, piece)
		}
		if len(steps) == 0 {
			return outputs, nil
		}
		if err := flush(); err != nil {
			return nil, err
		}
	}
}

// readTokens returns the names, without their prefix, and the values of a file's
// token tensors.
func readTokens(path string) ([]string, [][]int32, error) {
	s, err := model.OpenSafetensors(path)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	var names []string
	var values [][]int32
	for _, full := range s.Names() {
		name, ok := strings.CutPrefix(full, tokensPrefix)
		if !ok {
			continue
		}
		info, _ := s.Info(full)
		if info.DType != "I32" || len(info.Shape) != 1 || info.Shape[0] == 0 {
			return nil, nil, fmt.Errorf("reading tokens of %s: %s is %s of shape %v: write I32 of one dimension, not empty",
				path, full, info.DType, info.Shape)
		}
		t, err := s.Tensor(full)
		if err != nil {
			return nil, nil, fmt.Errorf("reading tokens: %w", err)
		}
		ids := make([]int32, info.Shape[0])
		for i := range ids {
			ids[i] = int32(binary.LittleEndian.Uint32(t.Data[4*i:]))
		}
		names, values = append(names, name), append(values, ids)
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("reading tokens of %s: it has no tensor %s*: found %s",
			path, tokensPrefix, strings.Join(first(s.Names(), 5), ", "))
	}
	return names, values, nil
}

func first(names []string, n int) []string { return slices.Clone(names[:min(n, len(names))]) }
