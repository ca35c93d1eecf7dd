package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seed-c6f48606/harness/datasets/builtin"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

// perplexityRow is one program's perplexity of the tokens after the first.
// Difference is its share above the first program's, nil for that one.
type perplexityRow struct {
	Kind       string   `json:"kind"` // "perplexity"
	Model      string   `json:"model"`
	Program    string   `json:"program"`
	Tokens     int      `json:"tokens"`
	Perplexity float64  `json:"perplexity,omitempty"`
	Difference *float64 `json:"difference,omitempty"`
	Error      string   `json:"error,omitempty"`
}

// trained is a model of our trainer as GGUF files, and a text that it did not
// learn from as the ids of its own vocabulary.
type trained struct {
	Files  []modelFile
	Tokens []int32
}

// export writes the model in folder source in every kind and encodes items of
// the built-in data set's test split, one after the other, up to limit tokens.
func export(source, dir string, kinds []string, limit int) (trained, error) {
	var out trained
	m, err := model.Load(source)
	if err != nil {
		return out, fmt.Errorf("exporting a trained model: %w", err)
	}
	tok, err := tokenizer.Load(source)
	if err != nil {
		return out, fmt.Errorf("exporting a trained model: %w", err)
	}
	vocabulary, _ := tok.GGUF()
	for _, kind := range kinds {
		path := filepath.Join(dir, fmt.Sprintf("%s-%s.gguf", filepath.Base(source), kind))
		if err := model.WriteGGUF(path, m, vocabulary, kind); err != nil {
			return out, fmt.Errorf("exporting %s as %s: %w", source, kind, err)
		}
		out.Files = append(out.Files, modelFile{Name: filepath.Base(source) + " " + kind, Path: path})
	}
	for _, item := range builtin.Generate().Test {
		out.Tokens = append(out.Tokens, tok.Sequence(item.Text, limit-len(out.Tokens))...)
		if len(out.Tokens) >= limit {
			break
		}
	}
	return out, nil
}

// perplexities compares the programs on every file. What one of them cannot do
// becomes a row with its reason.
func (s *session) perplexities(ctx context.Context, runner string, t trained) []perplexityRow {
	var out []perplexityRow
	for _, f := range t.Files {
		base := perplexityRow{Kind: "perplexity", Model: f.Name, Program: s.Programs[0].Name, Tokens: len(t.Tokens)}
		if v, err := s.ourPerplexity(ctx, runner, f.Path, t.Tokens); err != nil {
			base.Error = "failed: " + err.Error()
		} else {
			base.Perplexity = v
		}
		out = append(out, base)
		for _, p := range s.Programs[1:] {
			row := perplexityRow{Kind: "perplexity", Model: f.Name, Program: p.Name, Tokens: len(t.Tokens)}
			switch v, err := s.theirPerplexity(ctx, p, f.Path, t.Tokens); {
			case errors.Is(err, errSkipped):
				row.Error = err.Error()
			case err != nil:
				row.Error = "failed: " + err.Error()
			default:
				row.Perplexity = v
				if base.Perplexity > 0 {
					d := v/base.Perplexity - 1
					row.Difference = &d
				}
			}
			out = append(out, row)
		}
	}
	return out
}

// ourPerplexity has the runner write the logits of the tokens.
func (s *session) ourPerplexity(ctx context.Context, runner, file string, tokens []int32) (float64, error) {
	in, out := filepath.Join(s.Dir, "tokens.safetensors"), filepath.Join(s.Dir, "logits.safetensors")
	data := make([]byte, 0, 4*len(tokens))
	for _, t := range tokens {
		data = binary.LittleEndian.AppendUint32(data, uint32(t))
	}
	info := model.TensorInfo{Name: "tokens.text", DType: "I32", Shape: []int{len(tokens)}}
	if err := model.WriteSafetensors(in, nil, []model.Tensor{{TensorInfo: info, Data: data}}); err != nil {
		return 0, fmt.Errorf("writing tokens: %w", err)
	}
	defer os.Remove(out)
	if _, err := s.execute(ctx, s.Dir, []string{runner, "logits", "--model", file, "--tokens", in, "--out", out}); err != nil {
		return 0, err
	}
	tensors, err := model.OpenSafetensors(out)
	if err != nil {
		return 0, fmt.Errorf("reading logits: %w", err)
	}
	defer tensors.Close()
	logits, err := tensors.Tensor("logits.text")
	if err != nil {
		return 0, fmt.Errorf("reading logits: %w", err)
	}
	if len(logits.Shape) != 2 || logits.Shape[0] != len(tokens) {
		return 0, fmt.Errorf("logits of shape %v for %d tokens", logits.Shape, len(tokens))
	}
	return perplexity(logits.Data, logits.Shape[1], tokens), nil
}

// perplexity is exp of the mean of -ln p over the tokens after the first.
// logits are rows of vocab little-endian float32 values, one row a token.
func perplexity(logits []byte, vocab int, tokens []int32) float64 {
	var total float64
	for i, next := range tokens[1:] {
		row := logits[4*vocab*i : 4*vocab*(i+1)]
		at := func(k int) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(row[4*k:]))) }
		top, sum := math.Inf(-1), 0.0
		for k := range vocab {
			top = max(top, at(k))
		}
		for k := range vocab {
			sum += math.Exp(at(k) - top)
		}
		total += top + math.Log(sum) - at(int(next))
	}
	return math.Exp(total / float64(len(tokens)-1))
}

// theirPerplexity gives a program the tokens as numbers in a file.
func (s *session) theirPerplexity(ctx context.Context, p program, file string, tokens []int32) (float64, error) {
	if p.perplexity == nil {
		return 0, fmt.Errorf("%w: it takes no list of tokens", errSkipped)
	}
	var text strings.Builder
	for _, t := range tokens {
		text.WriteString(strconv.Itoa(int(t)) + "\n")
	}
	list := filepath.Join(s.Dir, "tokens.txt")
	if err := os.WriteFile(list, []byte(text.String()), 0o644); err != nil {
		return 0, fmt.Errorf("writing tokens: %w", err)
	}
	const threads = 1
	cmd, err := p.perplexity(ctx, file, list, threads)
	if err != nil {
		return 0, err
	}
	o, err := s.execute(ctx, s.Dir, cmd.Argv)
	if err != nil {
		return 0, err
	}
	var got struct {
		Tokens     int     `json:"n_tokens"`
		Perplexity float64 `json:"perplexity"`
	}
	if err := json.Unmarshal(o.Stdout, &got); err != nil {
		return 0, fmt.Errorf("reading a perplexity: %w", err)
	}
	if got.Tokens != len(tokens) || got.Perplexity <= 0 {
		return 0, fmt.Errorf("perplexity %v of %d tokens, want of %d", got.Perplexity, got.Tokens, len(tokens))
	}
	return got.Perplexity, nil
}
