package main

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// field is one field of a protobuf message: its number and its bytes or integer.
type field struct {
	number int
	bytes  []byte
	value  uint64
}

// decode reads a message back by the wire format's own rules.
func decode(t *testing.T, m []byte) []field {
	t.Helper()
	var out []field
	for len(m) > 0 {
		tag, n := binary.Uvarint(m)
		m = m[n:]
		f := field{number: int(tag >> 3)}
		switch tag & 7 {
		case 0:
			f.value, n = binary.Uvarint(m)
			m = m[n:]
		case 2:
			length, n := binary.Uvarint(m)
			f.bytes, m = m[n:n+int(length)], m[n+int(length):]
		case 5:
			f.value, m = uint64(binary.LittleEndian.Uint32(m)), m[4:]
		default:
			t.Fatalf("wire type %d", tag&7)
		}
		out = append(out, f)
	}
	return out
}

func texts(fields []field, number int) []string {
	var out []string
	for _, f := range fields {
		if f.number == number {
			out = append(out, string(f.bytes))
		}
	}
	return out
}

// initializer returns what the graph says of a weight, and its bytes.
func initializer(t *testing.T, graph []field, data []byte, name string) (dims []uint64, raw []byte) {
	t.Helper()
	for _, f := range graph {
		if f.number != 5 {
			continue
		}
		tensor := decode(t, f.bytes)
		if texts(tensor, 8)[0] != name {
			continue
		}
		at := map[string]int{}
		for _, e := range tensor {
			switch e.number {
			case 1:
				dims = append(dims, e.value)
			case 13:
				entry := decode(t, e.bytes)
				var v int
				for _, c := range string(entry[1].bytes) {
					v = 10*v + int(c-'0')
				}
				at[string(entry[0].bytes)] = v
			}
		}
		return dims, data[at["offset"] : at["offset"]+at["length"]]
	}
	t.Fatalf("no initializer %s", name)
	return nil, nil
}

// The graph must have the file's own integers and scales, or ONNX Runtime is
// compared on other weights.
func TestConvertKeepsTheIntegers(t *testing.T) {
	dir := t.TempDir()
	files, err := export("../../datasets/builtin/models/service-nano", dir, []string{"q4_0", "q8_0", "q4_k_m"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files.Files[:2] {
		to := filepath.Join(dir, "m.onnx")
		if err := convert(f.Path, to, 16); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(to + ".data")
		if err != nil {
			t.Fatal(err)
		}
		m, err := model.Load(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		var graph []field
		for _, top := range decode(t, text) {
			if top.number == 7 {
				graph = decode(t, top.bytes)
			}
		}
		down := m.Layers[2].Down
		dims, raw := initializer(t, graph, data, "down_2_weight")
		if diff := cmp.Diff([]uint64{uint64(down.Rows), uint64(down.Cols / 32), uint64(4 * down.Bits)}, dims); diff != "" {
			t.Errorf("%s: shape (-want +got):\n%s", f.Name, diff)
		}
		_, scales := initializer(t, graph, data, "down_2_scale")
		for i, q := range down.Q {
			u := int(raw[i*down.Bits/8])
			if down.Bits == 4 {
				u = u >> (4 * (i % 2)) & 15
			}
			scale := math.Float32frombits(binary.LittleEndian.Uint32(scales[i/32*4:]))
			if u-1<<(down.Bits-1) != int(q) || scale != kernels.F16ToF32(down.Scale[i/32]) {
				t.Fatalf("%s: weight %d is (%d - offset) × %v, want %d × %v", f.Name, i, u, scale, q, kernels.F16ToF32(down.Scale[i/32]))
			}
		}
		// Queries, keys and values lie below each other in one matrix.
		l := m.Layers[0]
		if dims, _ := initializer(t, graph, data, "qkv_0_weight"); int(dims[0]) != l.Q.Rows+l.K.Rows+l.V.Rows {
			t.Errorf("%s: %d rows of queries, keys and values", f.Name, dims[0])
		}
	}
	if err := convert(files.Files[2].Path, filepath.Join(dir, "k.onnx"), 16); !errors.Is(err, errInexact) {
		t.Errorf("Q4_K_M was converted: %v", err)
	}
}

// A graph is made once a session, a file without one costs its own cells only,
// and a cold start drops the graph's weights.
func TestONNXProgram(t *testing.T) {
	inexact := exec.Command("/bin/sh", "-c", "exit 3").Run()
	var calls []string
	o := onnxRuntime{
		Node: "node", Script: "onnx.js", Modules: "modules", Dir: "d", Self: "self", graphs: map[string]onnxFile{},
		Execute: func(_ context.Context, _ string, argv []string) (outcome, error) {
			calls = append(calls, strings.Join(argv, " "))
			switch {
			case strings.Contains(argv[2], "q4_k_m"):
				return outcome{}, inexact
			case strings.Contains(argv[2], "broken"):
				return outcome{}, errors.New("exit status 1: no such file")
			}
			return outcome{}, nil
		},
	}
	p := o.program()
	for range 2 {
		cmd, err := p.command(context.Background(), "a/q8_0.gguf", task{Prompt: 1, Sequences: 1, FirstToken: true}, 2)
		if err != nil {
			t.Fatal(err)
		}
		want := command{
			strings.Fields("node onnx.js --modules modules -m d/q8_0.onnx -p 1 -n 0 -t 2 -r 1 --batch 1 -o jsonl --no-warmup"),
			[]string{"d/q8_0.onnx", "d/q8_0.onnx.data"},
		}
		if diff := cmp.Diff(want, cmd); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if cmd, err := p.perplexity(context.Background(), "a/q8_0.gguf", "tokens.txt", 1); err != nil || cmd.Argv[len(cmd.Argv)-3] != "tokens.txt" {
		t.Errorf("perplexity: %v, %v", cmd, err)
	}
	if diff := cmp.Diff([]string{"self convert-onnx a/q8_0.gguf d/q8_0.onnx"}, calls); diff != "" {
		t.Errorf("conversions (-want +got):\n%s", diff)
	}
	if _, err := p.command(context.Background(), "a/q4_k_m.gguf", task{}, 1); !errors.Is(err, errSkipped) || !strings.Contains(err.Error(), "MatMulNBits") {
		t.Errorf("a file without a graph: %v", err)
	}
	if _, err := p.command(context.Background(), "a/broken.gguf", task{}, 1); err == nil || errors.Is(err, errSkipped) {
		t.Errorf("a conversion that failed: %v", err)
	}
}

func TestNewONNX(t *testing.T) {
	in, _ := fakeInstaller(t, "npm", "node")
	dir := t.TempDir()
	o, err := newONNX(context.Background(), *in, dir)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(o.Script); err != nil || len(text) == 0 || o.Node != "/bin/node" {
		t.Errorf("%+v: %v", o, err)
	}
	in, _ = fakeInstaller(t)
	if _, err := newONNX(context.Background(), *in, dir); err == nil || !strings.Contains(err.Error(), "no npm in PATH") {
		t.Errorf("without npm: %v", err)
	}
}
