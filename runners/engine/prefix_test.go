package engine

import (
	"slices"
	"testing"
)

// TestSharedPrefixChangesNothing guards that prompts with a common beginning get
// the logits and the counts that they get alone, for less work.
func TestSharedPrefixChangesNothing(t *testing.T) {
	for _, s := range invariantStores {
		sh := regular(s.of)
		sh.positions = 256
		m := withGates(random(sh, 1), 1)
		plain, sharing := engineOf(t, m, Options{Threads: 2, Chunk: 48}), engineOf(t, m, Options{Threads: 2, Chunk: 48, SharePrefix: true})
		instruction := tokens(sh.vocab, 4, 100)[0]
		prompt := func(shared int, own uint64, n int) []int32 {
			return append(slices.Clone(instruction[:shared]), tokens(sh.vocab, own, n)[0]...)
		}
		for i, call := range []struct {
			batch     [][]int32
			threshold float64
			saves     bool
		}{
			{[][]int32{prompt(100, 11, 9), prompt(100, 12, 3), prompt(100, 13, 40)}, 0, true},
			{[][]int32{prompt(100, 14, 5), prompt(100, 15, 5)}, 0, true},
			{[][]int32{prompt(70, 16, 5), prompt(100, 17, 5)}, 0, true},
			{[][]int32{prompt(100, 18, 20)}, 0, true},
			{[][]int32{prompt(100, 19, 20), prompt(100, 20, 20)}, 0.5, false}, // gates look at the first piece
			{[][]int32{prompt(0, 21, 90)}, 0, false},
			{[][]int32{prompt(0, 21, 90)}, 0, false}, // read again, in two passes
			{[][]int32{prompt(0, 21, 90)}, 0, true},
			{[][]int32{instruction[:97], instruction[:97], instruction[:1]}, 0, false},
			{[][]int32{instruction[:97], instruction[:97]}, 0, true},
		} {
			want, got := make([]float32, len(call.batch)*sh.classes), make([]float32, len(call.batch)*sh.classes)
			a, err := plain.Classify(t.Context(), call.batch, call.threshold, want)
			if err != nil {
				t.Fatal(err)
			}
			b, err := sharing.Classify(t.Context(), call.batch, call.threshold, got)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, call %d: a shared prefix changes logits", s.name, i)
			}
			if a.Tokens != b.Tokens || a.DenseMAC != b.DenseMAC || a.Eligible != b.Eligible || !slices.Equal(a.Exits, b.Exits) {
				t.Errorf("%s, call %d: counts are %+v, without sharing %+v", s.name, i, b, a)
			}
			if saves := b.ExecutedMAC < a.ExecutedMAC*9/10; saves != call.saves {
				t.Errorf("%s, call %d: executed %d MAC, without sharing %d", s.name, i, b.ExecutedMAC, a.ExecutedMAC)
			}
		}
	}
}

// TestForkGoesOn guards conversations that branch: both branches answer as if
// each had read everything itself, and share what both have read.
func TestForkGoesOn(t *testing.T) {
	for _, kv := range []string{"f32", "f16", "q16", "q8"} {
		sh := regular(inBits(8, 32))
		sh.positions, sh.classes = 512, 0
		m := withGates(random(sh, 1), 1)
		e := engineOf(t, m, Options{Threads: 2, KV: kv})
		read := func(s *Sequence, ids []int32) []float32 {
			var out []float32
			if err := e.Forward(t.Context(), []Step{{Seq: s, Tokens: ids}}, 0.4, func(_, _ int, l []float32) { out = slices.Clone(l) }); err != nil {
				t.Fatal(err)
			}
			return out
		}
		for _, n := range []int{1, 16, 37, 400} {
			ids := tokens(sh.vocab, uint64(n), n, 30, 40)
			trunk := e.NewSequence()
			read(trunk, ids[0])
			alone := trunk.Bytes()
			branch := trunk.Fork()
			if branch.Len() != n {
				t.Errorf("a fork after %d tokens has %d", n, branch.Len())
			}
			if n > 100 && branch.Bytes() > alone/2 {
				t.Errorf("a fork after %d tokens holds %d bytes of its own, its origin held %d", n, branch.Bytes(), alone)
			}
			a, b := read(trunk, ids[1]), read(branch, ids[2])
			trunk.Reset()
			read(trunk, ids[2]) // must not write what the branch reads
			c := read(branch, ids[1])
			for i, path := range [][][]int32{{ids[0], ids[1]}, {ids[0], ids[2]}, {ids[0], ids[2], ids[1]}} {
				s := e.NewSequence()
				var want []float32
				for _, ids := range path {
					want = read(s, ids)
				}
				if !slices.Equal([][]float32{a, b, c}[i], want) {
					t.Errorf("%s, %d tokens: branch %d answers differently", kv, n, i)
				}
			}
		}
	}
}
