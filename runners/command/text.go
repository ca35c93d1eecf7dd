package command

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"unicode/utf8"

	"github.com/seed-c6f48606/harness/runners/tokenizer"
)

const maxTemperature = 100

// picker chooses a token by its logits.
type picker struct {
	temperature float64
	rng         *rand.Rand
	weights     []float64
}

func newPicker(temperature float64, seed uint64) *picker {
	return &picker{temperature: temperature, rng: rand.New(rand.NewPCG(seed, 0))}
}

// pick returns the likeliest token, the first of several, or with a temperature
// draws one.
func (p *picker) pick(logits []float32) int32 {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	if p.temperature == 0 {
		return int32(best)
	}
	p.weights = p.weights[:0]
	var sum float64
	for _, v := range logits {
		w := math.Exp(float64(v-logits[best]) / p.temperature)
		p.weights = append(p.weights, w)
		sum += w
	}
	at := p.rng.Float64() * sum
	for i, w := range p.weights {
		if at -= w; at < 0 {
			return int32(i)
		}
	}
	return int32(best) // rounding left a rest, or the sum is no number
}

// textWriter writes tokens as text. A character whose bytes come as several
// tokens is written when it is whole.
type textWriter struct {
	w       io.Writer
	tok     *tokenizer.Tokenizer
	ids     []int32
	written int // bytes of the text of ids
}

func newTextWriter(w io.Writer, tok *tokenizer.Tokenizer) *textWriter {
	return &textWriter{w: w, tok: tok}
}

// begin takes the prompt, whose text is not written.
func (t *textWriter) begin(ids []int32) {
	t.ids = append(t.ids[:0], ids...)
	t.written = len(t.tok.Decode(ids))
}

func (t *textWriter) add(id int32) error {
	t.ids = append(t.ids, id)
	text := t.tok.Decode(t.ids)
	// A prompt may have ended within a character.
	return t.write(text[t.written:max(t.written, whole(text))])
}

// end writes what is left, broken or not, and ends the line.
func (t *textWriter) end() error {
	return t.write(t.tok.Decode(t.ids)[t.written:] + "\n")
}

func (t *textWriter) write(s string) error {
	if s == "" {
		return nil
	}
	t.written += len(s)
	if _, err := io.WriteString(t.w, s); err != nil {
		return fmt.Errorf("writing the text: %w", err)
	}
	return nil
}

// whole is the length of s without a character at its end that has begun only.
func whole(s string) int {
	for i := len(s) - 1; i >= 0 && i > len(s)-utf8.UTFMax; i-- {
		if utf8.RuneStart(s[i]) {
			if utf8.FullRuneInString(s[i:]) {
				break
			}
			return i
		}
	}
	return len(s)
}
