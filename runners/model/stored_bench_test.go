package model

import (
	"fmt"
	"path/filepath"
	"testing"
)

// BenchmarkInts reads whole matrices of a file in the page cache on one core,
// as an engine does that packs them.
func BenchmarkInts(b *testing.B) {
	dir := b.TempDir()
	for _, kind := range []string{"q8_0", "q4_0", "q4_k", "q6_k"} {
		m := openRandom(b, filepath.Join(dir, kind+".gguf"), kind)
		w := m.Layers[0].Down
		const rows = 16
		n := integersOf(w.Stored.Format(), rows*w.Cols)
		floats := make([]float32, rows*w.Cols)
		b.Run(fmt.Sprintf("%s/ints/bits=%d,mins=%v", kind, n.Bits, n.Mins), func(b *testing.B) {
			b.SetBytes(w.StoredBytes() / int64(w.Rows) * rows)
			for i := range b.N {
				read := func(from int) error { return w.Stored.Ints(from, rows, n.q, n.scale) }
				if n.Super {
					read = func(from int) error { return w.Stored.Supers(from, rows, n.q, &n.super) }
				}
				if err := read(i * rows % (w.Rows - rows)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(kind+"/floats", func(b *testing.B) {
			b.SetBytes(w.StoredBytes() / int64(w.Rows) * rows)
			for i := range b.N {
				if err := w.Stored.Floats(i*rows%(w.Rows-rows), rows, floats); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEncode rounds rows on one core; MB/s count float32 values.
func BenchmarkEncode(b *testing.B) {
	src := make([]float32, 16*1024)
	if err := (randomRows{1, 2, 16, 1024, .02}).floats(0, 16, src); err != nil {
		b.Fatal(err)
	}
	for _, kind := range []ggmlType{ggmlQ8_0, ggmlQ4_0, ggmlQ4_K, ggmlQ6_K} {
		b.Run(kind.String(), func(b *testing.B) {
			c := codings[kind]
			dst := make([]byte, len(src)/c.values*c.bytes)
			b.SetBytes(int64(4 * len(src)))
			for range b.N {
				if err := c.encode(dst, src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen opens a file with a vocabulary of a hundred thousand pieces.
func BenchmarkOpen(b *testing.B) {
	m, err := Random("nano", 1)
	if err != nil {
		b.Fatal(err)
	}
	m.VocabSize = 103424
	m.Embed = storedMatrix(m.VocabSize, m.HiddenSize, randomRows{1, 2, m.VocabSize, m.HiddenSize, .02})
	path := filepath.Join(b.TempDir(), "m.gguf")
	if err := WriteGGUF(path, m, MadeUp(m.VocabSize), "q4_0"); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		m, err := Open(path)
		if err != nil {
			b.Fatal(err)
		}
		m.Close()
	}
}

// openRandom writes and opens a random model of the shape nano.
func openRandom(t testing.TB, path, kind string) *Model {
	t.Helper()
	m, err := Random("nano", 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteGGUF(path, m, MadeUp(m.VocabSize), kind); err != nil {
		t.Fatal(err)
	}
	if m, err = Open(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}
