package model_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/runners/model"
)

// st builds the bytes of a safetensors file.
func st(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

// A damaged or foreign file must be refused with words that help, before
// memory is taken for what it claims.
func TestSafetensorsRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "truncated"},
		{"header cut", st(`{"a":{}}`, 0)[:12], "truncated"},
		{"header absurd", binary.LittleEndian.AppendUint64(nil, 1<<60), "not a safetensors file"},
		{"no JSON", st("hello", 0), "not a JSON object"},
		{"data cut", st(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, 15), "get it again"},
		{"data too long", st(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, 17), "follow its last tensor"},
		{"size and shape", st(`{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}`, 16), "which takes 20"},
		{"shape overflows", st(`{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,16]}}`, 16), "not possible"},
		{"negative", st(`{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}`, 16), "not possible"},
		{"backwards", st(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}`, 16), "not a range"},
		{"overlap", st(`{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[4,12]}}`, 12), "overlaps"},
		{"hole", st(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[8,12]}}`, 12), "belong to no tensor"},
		{"twice", st(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 4), "twice"},
		{"unknown type", st(`{"a":{"dtype":"F12","shape":[4],"data_offsets":[0,4]}}`, 4), `"F12" is not known`},
		{"more JSON", st(`{}{}`, 0), "goes on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.safetensors")
			if err := os.WriteFile(path, c.file, 0o644); err != nil {
				t.Fatal(err)
			}
			f, err := model.OpenSafetensors(path)
			if err == nil {
				f.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one with %q and the path", err, c.want)
			}
		})
	}
}

// The first thing a user gets wrong is the path; the answer must say what is
// there instead of a model.
func TestLoadRefuses(t *testing.T) {
	tiny := golden(t, "tiny")
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(tiny, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	weights, config, gguf := read("model.safetensors"), read("config.json"), read("model-q4_0.gguf")
	swap := func(b []byte, from, to string) []byte {
		out := bytes.Replace(b, []byte(from), []byte(to), 1)
		if bytes.Equal(out, b) {
			t.Fatalf("%q is not in the file", from)
		}
		return out
	}
	type files map[string][]byte
	for _, c := range []struct {
		name        string
		files       files
		load        string
		want        string
		unsupported bool
	}{
		{"nothing", files{}, "", "holds no weights", false},
		{"no config", files{"model.safetensors": weights}, "", "config.json beside", false},
		{"other type", files{"model.safetensors": weights, "config.json": swap(config, "ernie4_5", "llama")}, "", `"llama" is not supported`, true},
		{"mixture of experts", files{"model.safetensors": weights, "config.json": swap(config, "ernie4_5", "ernie4_5_moe")}, "", "dense ERNIE-4.5", true},
		{"absurd width", files{"model.safetensors": weights, "config.json": swap(config, `"hidden_size": 64`, `"hidden_size": 999999999999`)}, "", "hidden_size is 999999999999", false},
		{"negative", files{"model.safetensors": weights, "config.json": swap(config, `"vocab_size": 512`, `"vocab_size": -512`)}, "", "vocab_size is -512", false},
		{"odd heads", files{"model.safetensors": weights, "config.json": swap(config, `"head_dim": 32`, `"head_dim": 31`)}, "", "even", false},
		{"gelu", files{"model.safetensors": weights, "config.json": swap(config, "silu", "gelu")}, "", "hidden_act", true},
		{"scaled rotary", files{"model.safetensors": weights, "config.json": swap(config, `"rope_scaling": null`, `"rope_scaling": {"type": "yarn"}`)}, "", "yarn", true},
		{"biases", files{"model.safetensors": weights, "config.json": swap(config, `"use_bias": false`, `"use_bias": true`)}, "", "use_bias", true},
		{"fewer layers", files{"model.safetensors": weights, "config.json": swap(config, `"num_hidden_layers": 3`, `"num_hidden_layers": 2`)}, "", "layers.2.input_layernorm.weight", true},
		{"more layers", files{"model.safetensors": weights, "config.json": swap(config, `"num_hidden_layers": 3`, `"num_hidden_layers": 4`)}, "", "layers.3.self_attn.q_proj.weight", false},
		{"wrong heads", files{"model.safetensors": weights, "config.json": swap(config, `"num_attention_heads": 4`, `"num_attention_heads": 8`)}, "", "[128 64] where the configuration asks for [256 64]", false},
		{"truncated", files{"model.safetensors": weights[:len(weights)-1], "config.json": config}, "", "get it again", false},
		{"Git LFS", files{"m.safetensors": []byte("version https://git-lfs.github.com/spec/v1\n"), "config.json": config}, "m.safetensors", "git lfs pull", false},
		{"PyTorch", files{"m.bin": []byte("PK\x03\x04xxxxxxxxx")}, "m.bin", "PyTorch", true},
		{"text", files{"m.txt": []byte("hello, this is no model")}, "m.txt", "neither safetensors nor GGUF", true},
		{"empty", files{"m.gguf": nil}, "m.gguf", "empty", false},
		{"GGUF truncated in data", files{"m.gguf": gguf[:len(gguf)-1]}, "m.gguf", "get it again", false},
		{"GGUF truncated in header", files{"m.gguf": gguf[:700]}, "m.gguf", "get it again", false},
		{"GGUF of another model", files{"m.gguf": swap(gguf, "ernie4_5", "llama3_5")}, "m.gguf", `architecture is "llama3_5"`, true},
		{"two files", files{"a.gguf": gguf, "b.gguf": gguf}, "", "several weight files", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, b := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, err := model.Load(filepath.Join(dir, c.load))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Fatalf("error %v, want one with %q and the path", err, c.want)
			}
			if errors.Is(err, model.ErrUnsupported) != c.unsupported {
				t.Errorf("unsupported is %v for %v", !c.unsupported, err)
			}
		})
	}
}

// Types that are not read are refused by name, with the way out.
func TestGGUFTypesRefusedByName(t *testing.T) {
	b, err := os.ReadFile(golden(t, "tiny/model-q4_0.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	// The type follows the two dimensions; 11 is Q3_K, whose blocks have 256
	// values, but a type that is not read is not looked into.
	name := []byte("blk.0.attn_q.weight\x02\x00\x00\x00")
	at := bytes.Index(b, name) + len(name) + 16
	b[at] = 11
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = model.Load(path)
	if !errors.Is(err, model.ErrUnsupported) || !strings.Contains(err.Error(), "Q3_K") || !strings.Contains(err.Error(), "convert") {
		t.Errorf("error %v", err)
	}
}
