package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// errInexact is matched where ONNX Runtime's operators cannot hold a file's
// weights as they are.
var errInexact = errors.New("weights that MatMulNBits cannot hold")

const onnxBlock = 32 // inputs that share a scale, as in Q8_0 and Q4_0

// convert writes the model of a GGUF file as an ONNX graph with the same integers
// and scales: MatMulNBits for every matrix, GroupQueryAttention with its rotary
// embedding and cache, logits of the rows that are asked for. Files other than
// Q8_0 and Q4_0 are refused (errInexact).
//
// Inputs: input_ids [batch, length], rows [n], seqlens_k [batch], total (scalar),
// past_key_I and past_value_I [batch, KV heads, past, head size]. Outputs: logits
// [batch, n, vocabulary], present_key_I, present_value_I.
func convert(from, to string, positions int) (err error) {
	m, err := model.Load(from)
	if err != nil {
		return fmt.Errorf("converting to ONNX: %w", err)
	}
	data, err := os.Create(to + ".data")
	if err != nil {
		return fmt.Errorf("converting to ONNX: %w", err)
	}
	defer func() {
		if closed := data.Close(); err == nil {
			err = closed
		}
	}()
	w := bufio.NewWriterSize(data, 1<<20)
	c := converter{
		Model: m,
		graph: onnxGraph{
			dataFile: filepath.Base(data.Name()),
			write:    func(b []byte) error { _, err := w.Write(b); return err },
		},
	}
	if err := c.convert(positions); err != nil {
		return fmt.Errorf("converting %s to ONNX: %w", filepath.Base(from), err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("converting to ONNX: %w", err)
	}
	return os.WriteFile(to, c.graph.model(), 0o644)
}

type converter struct {
	*model.Model
	graph onnxGraph
}

func (c *converter) convert(positions int) error {
	g := &c.graph
	g.value(11, "input_ids", onnxInt64, "batch", "length")
	g.value(11, "rows", onnxInt64, "n")
	g.value(11, "seqlens_k", onnxInt32, "batch")
	g.value(11, "total", onnxInt32)
	c.rotary(positions)

	hidden := g.node(onnxDomain, "Gather", []string{c.embedding(), "input_ids"}, []string{"embedded_f16"})
	hidden = g.node(onnxDomain, "Cast", []string{hidden}, []string{"embedded"}, attribute{"to", onnxFloat})
	normed := ""
	for i := range c.Layers {
		l := &c.Layers[i]
		if !l.HasAttention() || !l.HasMLP() {
			return fmt.Errorf("layer %d lacks a block", i)
		}
		at := func(name string) string { return fmt.Sprintf("%s_%d", name, i) }
		if i == 0 {
			normed = g.node(onnxDomain, "SimplifiedLayerNormalization", []string{hidden, c.gain(at("attention_gain"), l.AttnNorm)}, []string{at("attention_in")},
				attribute{"axis", -1}, attribute{"epsilon", float32(c.RMSNormEps)})
		}
		mixed, err := c.attention(l, normed, at)
		if err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
		normed, hidden = c.addNorm(at("ffn_in"), hidden, mixed, l.MLPNorm)
		if mixed, err = c.ffn(l, normed, at); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
		gain := c.Norm
		if i+1 < len(c.Layers) {
			gain = c.Layers[i+1].AttnNorm
		}
		normed, hidden = c.addNorm(at("out"), hidden, mixed, gain)
	}
	head := c.Head
	if head == nil {
		head = c.Embed
	}
	last := g.node(onnxDomain, "Gather", []string{normed, "rows"}, []string{"asked"}, attribute{"axis", 1})
	if _, err := c.matmul("logits", last, head); err != nil {
		return fmt.Errorf("head: %w", err)
	}
	g.value(12, "logits", onnxFloat, "batch", "n", c.VocabSize)
	return g.err
}

// attention is one node from the joined projections to the mixed values, and the
// projection back.
func (c *converter) attention(l *model.Layer, in string, at func(string) string) (string, error) {
	g := &c.graph
	qkv, err := c.matmul(at("qkv"), in, l.Q, l.K, l.V)
	if err != nil {
		return "", err
	}
	for _, kv := range []string{"key", "value"} {
		g.value(11, at("past_"+kv), onnxFloat, "batch", l.KVHeads, "past", c.HeadDim)
		g.value(12, at("present_"+kv), onnxFloat, "batch", l.KVHeads, "total_length", c.HeadDim)
	}
	mixed := g.node(microsoftDomain, "GroupQueryAttention",
		[]string{qkv, "", "", at("past_key"), at("past_value"), "seqlens_k", "total", "cos", "sin"},
		[]string{at("mixed"), at("present_key"), at("present_value")},
		attribute{"num_heads", l.Heads}, attribute{"kv_num_heads", l.KVHeads},
		attribute{"do_rotary", 1}, attribute{"rotary_interleaved", 1})
	return c.matmul(at("projected"), mixed, l.O)
}

func (c *converter) ffn(l *model.Layer, in string, at func(string) string) (string, error) {
	g := &c.graph
	gate, err := c.matmul(at("gate"), in, l.Gate)
	if err != nil {
		return "", err
	}
	up, err := c.matmul(at("up"), in, l.Up)
	if err != nil {
		return "", err
	}
	sigmoid := g.node(onnxDomain, "Sigmoid", []string{gate}, []string{at("sigmoid")})
	silu := g.node(onnxDomain, "Mul", []string{gate, sigmoid}, []string{at("silu")})
	gated := g.node(onnxDomain, "Mul", []string{silu, up}, []string{at("gated")})
	return c.matmul(at("down"), gated, l.Down)
}

// addNorm adds the residual stream and normalizes; it returns both.
func (c *converter) addNorm(name, hidden, added string, gain []float32) (normed, sum string) {
	sum = name + "_sum"
	normed = c.graph.node(microsoftDomain, "SkipSimplifiedLayerNormalization",
		[]string{hidden, added, c.gain(name+"_gain", gain)}, []string{name, "", "", sum}, attribute{"epsilon", float32(c.RMSNormEps)})
	return normed, sum
}

func (c *converter) gain(name string, v []float32) string {
	return c.graph.weight(name, onnxFloat, []int{len(v)}, floatBytes(v))
}

func (c *converter) embedding() string {
	data := make([]byte, 0, 2*c.Embed.Rows*c.Embed.Cols)
	row := make([]float32, c.Embed.Cols)
	for i := range c.Embed.Rows {
		c.Embed.Row(row, i)
		for _, v := range row {
			data = binary.LittleEndian.AppendUint16(data, kernels.F32ToF16(v))
		}
	}
	return c.graph.weight("embedding", onnxFloat16, []int{c.Embed.Rows, c.Embed.Cols}, data)
}

// rotary writes the cosines and sines of every position.
func (c *converter) rotary(positions int) {
	cos := make([]float32, 0, positions*c.HeadDim/2)
	sin := make([]float32, 0, positions*c.HeadDim/2)
	for p := range positions {
		for i := range c.HeadDim / 2 {
			angle := float64(p) * math.Pow(c.RopeTheta, -2*float64(i)/float64(c.HeadDim))
			cos, sin = append(cos, float32(math.Cos(angle))), append(sin, float32(math.Sin(angle)))
		}
	}
	shape := []int{positions, c.HeadDim / 2}
	c.graph.weight("cos", onnxFloat, shape, floatBytes(cos))
	c.graph.weight("sin", onnxFloat, shape, floatBytes(sin))
}

// matmul multiplies by matrices of the same inputs, one below the other. The
// integers are stored unsigned, in blocks; two 4-bit ones share a byte, the first
// in the low half. accuracy_level 4 computes in int8, as the other programs do.
func (c *converter) matmul(name, in string, parts ...*model.Matrix) (string, error) {
	var rows, bits, cols int
	var packed, scales []byte
	for _, m := range parts {
		if m.Kind() != model.KindInt || m.Group != onnxBlock || m.Cols%onnxBlock != 0 || (m.Bits != 4 && m.Bits != 8) || (bits != 0 && m.Bits != bits) {
			return "", fmt.Errorf("%s: %w (%v, %d bits in groups of %d)", name, errInexact, m.Kind(), m.Bits, m.Group)
		}
		rows, cols, bits = rows+m.Rows, m.Cols, m.Bits
		packed = appendUnsigned(packed, m.Q, m.Bits)
		for _, s := range m.Scale {
			scales = binary.LittleEndian.AppendUint32(scales, math.Float32bits(kernels.F16ToF32(s)))
		}
	}
	blocks := cols / onnxBlock
	return c.graph.node(microsoftDomain, "MatMulNBits", []string{
		in,
		c.graph.weight(name+"_weight", onnxUint8, []int{rows, blocks, onnxBlock * bits / 8}, packed),
		c.graph.weight(name+"_scale", onnxFloat, []int{rows * blocks}, scales),
	}, []string{name},
		attribute{"K", cols}, attribute{"N", rows}, attribute{"bits", bits}, attribute{"block_size", onnxBlock}, attribute{"accuracy_level", 4}), nil
}

func appendUnsigned(dst []byte, q []int8, bits int) []byte {
	if bits == 8 {
		for _, v := range q {
			dst = append(dst, byte(int(v)+128))
		}
		return dst
	}
	for i := 0; i+1 < len(q); i += 2 {
		dst = append(dst, byte(q[i]+8)|byte(q[i+1]+8)<<4)
	}
	return dst
}

func floatBytes(v []float32) []byte {
	out := make([]byte, 0, 4*len(v))
	for _, x := range v {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}

func itoa(v int64) string { return strconv.FormatInt(v, 10) }
