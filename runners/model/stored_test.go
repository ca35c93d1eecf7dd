package model_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

func mustOpen(t testing.TB, path string) *model.Model {
	t.Helper()
	m, err := model.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// A model that is only opened must compute what the loaded one does: whichever
// rows are asked for, by whichever goroutine, hold the same values.
func TestOpenReadsWhatLoadDoes(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "compressed")
	if err := compressed().Save(folder); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		golden(t, "tiny"), golden(t, "tiny/model-fused.safetensors"), golden(t, "tiny/model-f32.gguf"),
		golden(t, "small/model-q8_0.gguf"), golden(t, "small/model-q4_0.gguf"), golden(t, "small/model-q4_k_m.gguf"), folder,
	} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			want, m := mustLoad(t, path), mustOpen(t, path)
			if m.Hash != "" || want.Hash == "" {
				t.Errorf("hashes %q and %q", m.Hash, want.Hash)
			}
			if a, b := m.Params(), want.Params(); a != b {
				t.Errorf("%d parameters, want %d", a, b)
			}
			dense := denseAll(want)
			var wg sync.WaitGroup
			for name, w := range m.Matrices {
				if w.Kind() != model.KindStored && w.Kind() != model.KindFactored {
					t.Errorf("%s is %v", name, w.Kind())
				}
				for part := range 3 {
					wg.Go(func() { checkRows(t, name, w, part*w.Rows/3, (part+1)*w.Rows/3, dense[name]) })
				}
			}
			wg.Wait()
		})
	}
}

// checkRows reads rows from to to-1 of a matrix one by one and together.
func checkRows(t *testing.T, name string, w *model.Matrix, from, to int, want []float32) {
	want = want[from*w.Cols : to*w.Cols]
	row, got := make([]float32, w.Cols), []float32{}
	for i := from; i < to; i++ {
		w.Row(row, i)
		got = append(got, row...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: rows from %d on differ", name, from)
	}
	if w.Kind() != model.KindStored {
		return
	}
	if err := w.Stored.Floats(from, to-from, got); err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: rows %d to %d at once differ (%v)", name, from, to, err)
	}
	f := w.Stored.Format()
	if f.Bits == 0 || f.Super {
		return
	}
	m := &model.Matrix{Rows: to - from, Cols: w.Cols, Bits: f.Bits, Group: f.Group, Q: make([]int8, len(want))}
	m.Scale = make([]uint16, m.Rows*m.Groups())
	if err := w.Stored.Ints(from, m.Rows, m.Q, m.Scale); err != nil {
		t.Errorf("%s: %v", name, err)
	} else if !slices.Equal(m.Dense(), want) {
		t.Errorf("%s: integers of rows %d to %d differ", name, from, to)
	}
}

// An opened model that is saved as a folder is the model.
func TestSaveOfOpened(t *testing.T) {
	for _, path := range []string{golden(t, "small/model-q4_0.gguf"), golden(t, "tiny")} {
		dir := filepath.Join(t.TempDir(), "saved")
		if err := mustOpen(t, path).Save(dir); err != nil {
			t.Fatal(err)
		}
		want, got := mustLoad(t, path), mustLoad(t, dir)
		if want.Embed.Kind() != got.Embed.Kind() {
			t.Errorf("%s: the embedding is %v, want %v", path, got.Embed.Kind(), want.Embed.Kind())
		}
		if distance(denseAll(got), denseAll(want)) != 0 {
			t.Errorf("%s: weights differ", path)
		}
	}
}

// A file that changes or goes bad under an opened model must be an error that
// names the tensor and the rows, never a crash or a wrong weight.
func TestStoredRefuses(t *testing.T) {
	b, err := os.ReadFile(golden(t, "small/model-q4_k_m.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	write := func(b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(b)
	m := mustOpen(t, path)
	w := m.Layers[0].Gate
	q, n := make([]int8, w.Rows*w.Cols), w.Rows*w.Cols
	scales := &kernels.Supers{
		Scale: make([]uint16, n/256), Min: make([]uint16, n/256), Fine: make([]int8, n/32), FineMin: make([]int8, n/32),
	}
	floats := make([]float32, w.Rows*w.Cols)
	refuse := func(name, want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
	refuse("rows beyond", "rows 760 to 769 are not among 768", w.Stored.Floats(760, 10, floats))
	refuse("rows before", "are not among", w.Stored.Supers(-1, 2, q, scales))
	refuse("no room", "no room for 2 rows of 256", w.Stored.Floats(0, 2, floats[:511]))
	refuse("no minimums", "no room", w.Stored.Supers(0, 2, q, &kernels.Supers{Scale: scales.Scale, Fine: scales.Fine}))
	refuse("one scale a group", "does not hold", w.Stored.Ints(0, 2, q, scales.Scale))

	// The first block of blk.0.ffn_gate.weight gets an infinite scale.
	at := len(b) - (2597632 - 26368) + 438272
	bad := slices.Clone(b)
	binary.LittleEndian.PutUint16(bad[at:], 0x7c00)
	if bytes.Equal(bad, b) {
		t.Fatal("the file is as it was")
	}
	write(bad)
	const where = "tensor blk.0.ffn_gate.weight of "
	m = mustOpen(t, path)
	w = m.Layers[0].Gate
	refuse("infinite as integers", where, w.Stored.Supers(0, 2, q, scales))
	refuse("infinite as floats", "rows 0 to 1: holds a value that is not finite", w.Stored.Floats(0, 2, floats))
	if err := w.Stored.Floats(2, 2, floats); err != nil {
		t.Errorf("other rows: %v", err)
	}
	_, err = model.Load(path)
	refuse("infinite at load", where, err)

	// A scale that only the product with 63 takes beyond f16.
	binary.LittleEndian.PutUint16(bad[at:], 0x7bff)
	write(bad)
	w = mustOpen(t, path).Layers[0].Gate
	refuse("scale beyond f16", "holds a scale that no half-precision number can hold", w.Stored.Supers(0, 1, q, scales))

	write(b[:at+100])
	refuse("cut short", where, w.Stored.Floats(0, w.Rows, floats))
	_, err = model.Open(path)
	refuse("cut short at open", "get it again", err)

	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	refuse("closed", "file already closed", m.Layers[1].Q.Stored.Floats(0, 1, floats))
}
