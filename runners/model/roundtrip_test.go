package model_test

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/runners/model"
)

// maker fills matrices and vectors with reproducible values.
type maker struct{ *rand.Rand }

func newMaker() maker { return maker{rand.New(rand.NewPCG(1, 2))} }

func (r maker) vector(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func (r maker) dense(rows, cols int) *model.Matrix {
	return &model.Matrix{Rows: rows, Cols: cols, F32: r.vector(rows * cols)}
}

func (r maker) bf16(rows, cols int) *model.Matrix {
	m := &model.Matrix{Rows: rows, Cols: cols, BF16: make([]uint16, rows*cols)}
	for i := range m.BF16 {
		m.BF16[i] = uint16(0x3f00 + r.IntN(0x100))
	}
	return m
}

func (r maker) ints(rows, cols, bits, group int) *model.Matrix {
	m := &model.Matrix{Rows: rows, Cols: cols, Bits: bits, Group: group, Q: make([]int8, rows*cols)}
	for i := range m.Q {
		m.Q[i] = int8(r.IntN(1<<bits) - 1<<(bits-1))
	}
	for range rows * m.Groups() {
		m.Scale = append(m.Scale, uint16(0x2000+r.IntN(0x1000)))
	}
	return m
}

func (r maker) factored(rows, cols, rank int) *model.Matrix {
	return &model.Matrix{Rows: rows, Cols: cols, B: r.ints(rows, rank, 5, 32), A: r.bf16(rank, cols)}
}

// compressed is a model with every storage, pruned layers, gates and a
// classifier.
func compressed() *model.Model {
	r := newMaker()
	const hidden, dim, vocab = 64, 16, 40
	m := &model.Model{
		Config: model.Config{
			ModelType: model.ModelType, HiddenSize: hidden, IntermediateSize: 96, NumLayers: 4, NumHeads: 4, NumKVHeads: 2,
			HeadDim: dim, VocabSize: vocab, MaxPositions: 128, RopeTheta: 10000, RMSNormEps: 1e-5, TieWordEmbeddings: true,
			BOS: 1, EOS: 2, PAD: -1, Labels: []string{"yes", "no", "查询"},
			Harness: &model.Extension{Recipe: json.RawMessage(`{"bits":4}`)},
		},
		Embed: r.ints(vocab, hidden, 3, 32), Norm: r.vector(hidden), Meta: map[string]string{"name": "compressed"},
		Classifier: r.ints(3, hidden, 8, 64), ClassifierBias: r.vector(3),
	}
	for i := range 4 {
		l := model.Layer{}
		if i != 1 { // layer 1 has lost its attention
			l.Heads, l.KVHeads = 4-2*(i%2), 2
			l.AttnNorm = r.vector(hidden)
			l.Q, l.K = r.ints(l.Heads*dim, hidden, 4, 32), r.factored(2*dim, hidden, 8)
			l.V, l.O = r.bf16(2*dim, hidden), r.ints(hidden, l.Heads*dim, 7, 32)
		}
		if i != 2 { // layer 2 has lost its MLP
			l.FFN = 96 - 30*i
			l.MLPNorm = r.vector(hidden)
			l.Gate, l.Up, l.Down = r.ints(l.FFN, hidden, 2, 32), r.dense(l.FFN, hidden), r.ints(hidden, l.FFN, 6, 32)
		}
		m.Layers = append(m.Layers, l)
	}
	m.Gates = []model.Gate{
		{Layer: 2, Kind: model.GateAttention, Weight: r.vector(hidden), Bias: -0.5},
		{Layer: 2, Kind: model.GateExit, Weight: r.vector(hidden), Bias: 2, Exit: r.dense(3, hidden), ExitBias: r.vector(3)},
	}
	return m
}

// A compressed variant that is sent to a board must compute there what it
// computed here: every value, shape and gate survives the file.
func TestCompressedRoundTrip(t *testing.T) {
	m := compressed()
	m.Hash = strings.Repeat("ab", 32)
	dir := filepath.Join(t.TempDir(), "deep", "new")
	extra := map[string][]byte{"tokenizer.json": []byte("{}")}
	if err := m.SaveWith(dir, extra); err != nil {
		t.Fatal(err)
	}
	got := mustLoad(t, dir)
	ignore := cmpopts.IgnoreFields(model.Model{}, "Path", "Hash", "Meta", "Config.Harness")
	if d := cmp.Diff(m, got, ignore, cmpopts.IgnoreUnexported(model.Model{})); d != "" {
		t.Errorf("model differs:\n%.3000s", d)
	}
	wantMeta := map[string]string{
		"format": "pt", "name": "compressed", "recipe": `{"bits":4}`, "parent_sha256": m.Hash,
	}
	if d := cmp.Diff(wantMeta, got.Meta); d != "" {
		t.Errorf("metadata differ:\n%s", d)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "tokenizer.json")); err != nil || string(b) != "{}" {
		t.Errorf("tokenizer.json: %q, %v", b, err)
	}
	st, err := os.Stat(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if over := st.Size() - m.StoredBytes(); over < 0 || over > 10000 {
		t.Errorf("StoredBytes is %d, the file has %d", m.StoredBytes(), st.Size())
	}
}

// Artefacts are cached by hash: the same model must give the same bytes, a
// copy of a folder the same hash, another model another one.
func TestSaveIsReproducible(t *testing.T) {
	m := compressed()
	var hashes []string
	for range 2 {
		dir := filepath.Join(t.TempDir(), "m")
		if err := m.Save(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte(dir), 0o644); err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, mustLoad(t, dir).Hash)
	}
	if hashes[0] != hashes[1] {
		t.Error("two saves of one model have different hashes")
	}
	m.Norm[0]++
	dir := t.TempDir() // exists already
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	if mustLoad(t, dir).Hash == hashes[0] {
		t.Error("another model has the same hash")
	}
}

// A save that fails must leave nothing half-written behind and say what to do.
func TestSaveRefuses(t *testing.T) {
	broken := func(change func(*model.Model)) *model.Model {
		m := compressed()
		change(m)
		return m
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		m    *model.Model
		dir  string
		want string
	}{
		{"lost matrix", broken(func(m *model.Model) { m.Layers[0].K = nil }), "", "only some of its attention matrices"},
		{"wrong shape", broken(func(m *model.Model) { m.Layers[0].Q.Rows = 8 }), "", "q_proj.weight has the shape 8×64"},
		{"two storages", broken(func(m *model.Model) { m.Embed.F32 = []float32{1} }), "", "exactly one storage"},
		{"short scales", broken(func(m *model.Model) { m.Embed.Scale = m.Embed.Scale[1:] }), "", "scales where the shape asks"},
		{"not a number", broken(func(m *model.Model) { m.Norm[3] /= 0 }), "", "not finite"},
		{"labels lost", broken(func(m *model.Model) { m.Config.Labels = m.Config.Labels[1:] }), "", "classifier.weight has the shape 3×64"},
		{"below a file", compressed(), filepath.Join(file, "m"), "not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := c.dir
			if dir == "" {
				dir = filepath.Join(parent, "m")
			}
			err := c.m.Save(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if left, _ := os.ReadDir(parent); len(left) != 0 {
				t.Errorf("it left %v behind", left)
			}
		})
	}
}

// A read-only folder is the usual reason for a failed save on a board.
func TestSaveIntoReadOnlyFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locked")
	if err := os.Mkdir(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Create(filepath.Join(dir, "probe")); err == nil {
		f.Close()
		t.Skip("this user may write into read-only folders")
	}
	for _, to := range []string{dir, filepath.Join(dir, "new")} {
		if err := compressed().Save(to); err == nil || !strings.Contains(err.Error(), "cannot be written, choose another") {
			t.Errorf("saving to %s: error %v, want one that names the mend", to, err)
		}
	}
}

// Weights split over several files are the usual form of large checkpoints.
func TestShardedFolder(t *testing.T) {
	source := golden(t, "tiny")
	want := mustLoad(t, source)
	f, err := model.OpenSafetensors(filepath.Join(source, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	index := map[string]string{}
	var shards [2][]model.Tensor
	for i, name := range f.Names() {
		tensor, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		shards[i%2] = append(shards[i%2], tensor)
		index[name] = []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}[i%2]
	}
	for i, name := range []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"} {
		if err := model.WriteSafetensors(filepath.Join(dir, name), nil, shards[i]); err != nil {
			t.Fatal(err)
		}
	}
	writeJSON(t, filepath.Join(dir, "model.safetensors.index.json"), map[string]any{"weight_map": index})
	config, err := os.ReadFile(filepath.Join(source, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(denseAll(want), denseAll(mustLoad(t, dir))); d != "" {
		t.Errorf("weights differ:\n%.2000s", d)
	}
	index["model.norm.weight"] = "../escape.safetensors"
	writeJSON(t, filepath.Join(dir, "model.safetensors.index.json"), map[string]any{"weight_map": index})
	if _, err := model.Load(dir); err == nil || !strings.Contains(err.Error(), "not a file beside it") {
		t.Errorf("a shard outside the folder: error %v", err)
	}
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
