package command_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// benchModel writes a small random model by the command itself.
func benchModel(t *testing.T, kind string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nano.gguf")
	status, stdout, stderr := run(t, "bench", "--shape", "nano", "--type", kind, "--write", path, "-p", "1", "-n", "0", "-r", "1", "--no-limits", "-o", "jsonl")
	if status != 0 {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	if !strings.Contains(stdout, path) {
		t.Errorf("not run from %s: %s", path, stdout)
	}
	return path
}

type record map[string]any

// lines decodes JSON lines.
func lines(t *testing.T, text string) []record {
	t.Helper()
	var out []record
	for line := range strings.Lines(text) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		out = append(out, r)
	}
	return out
}

// llamaFields are those of llama-bench's that mean something on a CPU.
var llamaFields = []string{
	"build_commit", "build_number", "cpu_info", "gpu_info", "backends", "model_filename", "model_type", "model_size", "model_n_params",
	"n_batch", "n_ubatch", "n_threads", "type_k", "type_v", "n_gpu_layers", "n_prompt", "n_gen", "n_depth", "test_time",
	"avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "samples_ns", "samples_ts",
}

// The grid of a command line, in llama-bench's order and with its meaning.
func TestBenchGrid(t *testing.T) {
	path := benchModel(t, "q4_0")
	status, stdout, stderr := run(t, "bench", "-m", path, "-p", "6,0", "-n", "2,3", "-t", "1,2", "--batch", "1,3", "-pg", "4,1", "-ub", "4",
		"-d", "0,5", "-r", "2", "-o", "jsonl", "--no-limits")
	if status != 0 || stderr != "" {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	type test struct{ threads, depth, prompt, gen, parallel float64 }
	var want, got []test
	for _, threads := range []float64{1, 2} {
		for _, depth := range []float64{0, 5} {
			want = append(want, test{threads, depth, 6, 0, 1})
			for _, gen := range []float64{2, 3} {
				want = append(want, test{threads, depth, 0, gen, 1}, test{threads, depth, 0, gen, 3})
			}
			want = append(want, test{threads, depth, 4, 1, 1}, test{threads, depth, 4, 1, 3})
		}
	}
	for _, r := range lines(t, stdout) {
		n := func(key string) float64 { v, _ := r[key].(float64); return v }
		got = append(got, test{n("n_threads"), n("n_depth"), n("n_prompt"), n("n_gen"), n("n_parallel")})
		for _, key := range llamaFields {
			if _, ok := r[key]; !ok {
				t.Errorf("no field %s", key)
			}
		}
		samples, rates := r["samples_ns"].([]any), r["samples_ts"].([]any)
		if len(samples) != 2 || len(rates) != 2 {
			t.Fatalf("%d and %d samples", len(samples), len(rates))
		}
		tokens := n("n_parallel") * (n("n_prompt") + n("n_gen"))
		for i := range samples {
			if diff := tokens/samples[i].(float64)*1e9 - rates[i].(float64); diff > 1e-6 || diff < -1e-6 {
				t.Errorf("%v tokens in %v ns are said to be %v/s", tokens, samples[i], rates[i])
			}
		}
		if n("n_ubatch") != 4 || n("n_batch") != 2048 || r["model_filename"] != path || !strings.HasSuffix(r["model_type"].(string), "Q4_0") {
			t.Errorf("%v", r)
		}
		for _, key := range []string{"avg_ns", "avg_ts", "median_ts", "gops", "load_ms", "ttft_ms", "peak_rss_bytes", "memory_bytes", "kv_bytes", "model_size", "model_n_params"} {
			if n(key) <= 0 {
				t.Errorf("%s is %v", key, r[key])
			}
		}
		if n("lo_ts") > n("median_ts") || n("hi_ts") < n("median_ts") || n("level") != 0.5 {
			t.Errorf("median %v in [%v, %v] at %v", n("median_ts"), n("lo_ts"), n("hi_ts"), n("level"))
		}
		if generates := n("n_gen") > 0; (n("gb_s") > 0) != generates || (n("latency_ms_p50") > 0) != generates {
			t.Errorf("n_gen %v, GB/s %v, latency %v", r["n_gen"], r["gb_s"], r["latency_ms_p50"])
		}
		if r["tier"] != kernels.Active().String() || r["verdict"] == "" || r["limit_gb_s"] != nil {
			t.Errorf("tier %v, verdict %v, limit %v", r["tier"], r["verdict"], r["limit_gb_s"])
		}
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(test{})); diff != "" {
		t.Errorf("tests (-want +got):\n%s", diff)
	}
}

// Each way to keep keys and values, and a head of few rows, is its own figure.
func TestBenchOptions(t *testing.T) {
	path := benchModel(t, "q8_0")
	status, stdout, stderr := run(t, "bench", "-m", path, "-p", "0", "-n", "3", "-d", "20", "-ctk", "f32,f16,q8_0", "--label-rows", "7", "-r", "2",
		"-o", "jsonl", "--no-limits", "--no-warmup", "--delay", "1ms")
	if status != 0 || stderr != "" {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	var types []string
	last := 1e18
	for _, r := range lines(t, stdout) {
		types = append(types, r["type_k"].(string))
		if r["type_v"] != r["type_k"] || r["label_rows"].(float64) != 7 || r["warmup"] != false {
			t.Errorf("%v", r)
		}
		kv := r["kv_bytes"].(float64)
		if kv >= last {
			t.Errorf("%v takes %v bytes, more than what is finer", r["type_k"], kv)
		}
		last = kv
	}
	if diff := cmp.Diff([]string{"f32", "f16", "q8"}, types); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A share of the machine's limits needs the limits.
func TestBenchLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("reads much memory")
	}
	path := benchModel(t, "q8_0")
	status, stdout, stderr := run(t, "bench", "-m", path, "-p", "8", "-n", "4", "-r", "1", "-o", "csv", "-t", "1", "--cpuprofile", filepath.Join(t.TempDir(), "cpu"))
	if status != 0 || stderr != "" {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, empty := range map[int][]string{1: {"gb_s", "share_gb_s", "latency_ms_p50"}, 2: nil} {
		for _, key := range []string{"gb_s", "share_gb_s", "latency_ms_p50", "gops", "limit_gb_s", "limit_gops", "limit_mix", "share_gops", "product_gops"} {
			if at := slices.Index(rows[0], key); at < 0 || (rows[i][at] == "") != slices.Contains(empty, key) {
				t.Errorf("row %d, %s: %q", i, key, rows[i][max(at, 0)])
			}
		}
	}
}

// The file that --write keeps is the one that llama.cpp is measured on.
func TestBenchWrites(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	path := benchModel(t, "q4_k_m")
	m, err := model.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.HiddenSize != 256 || m.VocabSize != 1024 {
		t.Errorf("got %+v", m.Config)
	}
	if n, _ := filepath.Glob(filepath.Join(cache, "*")); n != nil {
		t.Errorf("%v was left in the cache", n)
	}
	// It can be all that is asked for.
	only := filepath.Join(t.TempDir(), "only.gguf")
	if status, stdout, stderr := run(t, "bench", "--shape", "nano", "--write", only, "-p", "0", "-n", "0"); status != 0 || stdout+stderr != "" {
		t.Errorf("exit status %d, %q, %q", status, stdout, stderr)
	}
	if _, err := os.Stat(only); err != nil {
		t.Error(err)
	}
	// Without --write it is kept in the cache folder and not made again.
	var before os.FileInfo
	for range 2 {
		status, _, stderr := run(t, "bench", "--shape", "nano", "--type", "Q4_0", "-p", "1", "-n", "0", "-r", "1", "--no-limits", "-o", "jsonl")
		if status != 0 {
			t.Fatalf("exit status %d: %s", status, stderr)
		}
		info, err := os.Stat(filepath.Join(cache, "harness", "shapes", "nano-q4_0-1.gguf"))
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && !os.SameFile(before, info) {
			t.Error("made twice")
		}
		before = info
	}
}

func TestBenchWrongUse(t *testing.T) {
	path := benchModel(t, "q8_0")
	none := filepath.Join(t.TempDir(), "none.gguf")
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		text   []string
	}{
		{"no model", nil, 1, []string{"no model", "--model", "--shape"}},
		{"both", []string{"-m", path, "--shape", "nano"}, 1, []string{"exclude each other"}},
		{"shape", []string{"--shape", "gpt-5"}, 1, []string{`--shape "gpt-5"`, "ernie-0.3b"}},
		{"type", []string{"--shape", "nano", "--type", "q9"}, 1, []string{`--type "q9"`, "q8_0"}},
		{"write what", []string{"-m", path, "--write", none}, 1, []string{"--write"}},
		{"write which", []string{"--shape", "nano", "--type", "q8_0,q4_0", "--write", none}, 1, []string{"--write takes one model"}},
		{"list", []string{"-m", path, "-p", "1,x"}, 1, []string{`"x" is no number`, "n-prompt"}},
		{"range", []string{"-m", path, "-t", "4-1"}, 1, []string{`"4-1"`}},
		{"pair", []string{"-m", path, "-pg", "5"}, 1, []string{`"5" is no pair`}},
		{"batch", []string{"-m", path, "--batch", "0"}, 1, []string{"0 is not from 1"}},
		{"batch size", []string{"-m", path, "-b", "0"}, 1, []string{"0 is not from 1"}},
		{"repeats", []string{"-m", path, "-r", "0"}, 1, []string{"--repetitions 0"}},
		{"delay", []string{"-m", path, "--delay", "-1s"}, 1, []string{"--delay -1s"}},
		{"rows", []string{"-m", path, "--label-rows", "-1"}, 1, []string{"--label-rows -1"}},
		{"rows of the head", []string{"-m", path, "--label-rows", "1025"}, 1, []string{"--label-rows 1025", "has 1024"}},
		{"cache type", []string{"-m", path, "-ctk", "q4_0"}, 1, []string{`"q4_0": must be one of f32, f16, q16, q8_0`}},
		{"cache types", []string{"-m", path, "-ctk", "f16", "-ctv", "q8_0"}, 1, []string{"kept alike"}},
		{"output", []string{"-m", path, "-o", "xml"}, 1, []string{`--output "xml"`, "jsonl"}},
		{"no test", []string{"-m", path, "-p", "0", "-n", "0"}, 1, []string{"no test"}},
		{"no file", []string{"-m", none}, 3, []string{none}},
		{"no room", []string{"-m", path, "-p", "5000"}, 1, []string{"5000 tokens", "reads at most 4096"}},
		{"no room behind", []string{"-m", path, "-p", "0", "-n", "1", "-d", "4096"}, 1, []string{"4097 tokens", "--n-depth"}},
		{"no room at last", []string{"-m", path, "-p", "1", "-n", "5000"}, 1, []string{"5000 tokens"}},
		{"nowhere to write", []string{"--shape", "nano", "--write", "/proc/none/x.gguf"}, 3, []string{"making a model"}},
		{"nowhere to profile", []string{"-m", path, "-p", "1", "-n", "0", "--no-limits", "--cpuprofile", "/proc/none/x"}, 3, []string{"profiling"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := run(t, append([]string{"bench"}, tt.args...)...)
			if status != tt.status || stdout != "" {
				t.Errorf("exit status %d, want %d; wrote %q", status, tt.status, stdout)
			}
			for _, text := range tt.text {
				if !strings.Contains(stderr, text) {
					t.Errorf("said %q, want %q in it", stderr, text)
				}
			}
			if strings.Count(stderr, "\n") != 1 {
				t.Errorf("said %q, want one line", stderr)
			}
		})
	}
}
