package measure

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// A reference comes from another process and maybe another machine: whatever it
// holds, reading it must end in rows or an error.
func FuzzReference(f *testing.F) {
	h := newHeading(kindClass, 2, 3, [][]int32{{1, 2}, {3}})
	var good bytes.Buffer
	if err := binary.Write(&good, binary.LittleEndian, h); err != nil {
		f.Fatal(err)
	}
	good.Write(make([]byte, 2*3*4))
	f.Add(good.Bytes())
	f.Add(good.Bytes()[:good.Len()-1])
	f.Add(good.Bytes()[:headingBytes])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "reference")
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := openReference(path, h)
		if err != nil {
			return
		}
		defer r.f.Close()
		if len(raw) != good.Len() {
			t.Fatalf("a file of %d bytes was taken for one of %d", len(raw), good.Len())
		}
		for row := range 2 {
			logits, err := r.get(row)
			if err == nil && !finite(logits) {
				t.Fatalf("row %d is %v", row, logits)
			}
		}
	})
}

// What /proc says differs between kernels: no text of it may end the runner.
func FuzzMachine(f *testing.F) {
	for _, text := range idle {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		files := map[string]string{}
		for name := range idle {
			files[name] = text
		}
		m := tree(t, files)
		before := m.snapshot([]int{42})
		after := before
		evidence(before, after, 0, 0)
		m.peakRSS()
	})
}
