package tokenizer

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

// small is a vocabulary trained on a few sentences.
func small(t testing.TB) *Tokenizer {
	t.Helper()
	texts := strings.Split(strings.Repeat("the cat sat on the mat\nthe bat that sat\n我想查询余额\n我想转账\nit's 12 o'clock\n", 3), "\n")
	tok, err := TrainBPE(context.Background(), slices.Values(texts), 400, TrainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// Whatever a user types comes back: no byte is lost, no id leaves the
// vocabulary, no control token can be smuggled in.
func FuzzEncode(f *testing.F) {
	tok := small(f)
	for _, s := range []string{"", "the cat", "  the  ", "<s> </s> <unk> <0x0A>", "我想\n\t12", "\xff\xc3", strings.Repeat("that", 40), "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ids := tok.Encode(text)
		for _, id := range ids {
			if p, ok := tok.Piece(id); !ok || p.Kind == Control || p.Kind == Unknown {
				t.Fatalf("%q gives id %d (%v)", text, id, p)
			}
		}
		want := strings.ReplaceAll(text, space, " ") // the one character that is taken
		if got := tok.Decode(ids); got != want {
			t.Fatalf("%q came back as %q", want, got)
		}
	})
}

// Both ways to find the next merge, and words against whole text, must agree:
// otherwise ids would depend on a text's length.
func FuzzMergeOrder(f *testing.F) {
	tok := small(f)
	f.Add("the cat sat on the mat that the bat sat on")
	f.Add("我想查询余额我想转账")
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" {
			return
		}
		normal := tok.normalize(text)
		var m merger
		m.t = tok
		whole := func(find func()) []int32 {
			m.text, m.symbols = normal, m.symbols[:0]
			for at := 0; at < len(normal); {
				n := runeLen(normal[at:])
				i := int32(len(m.symbols))
				m.symbols = append(m.symbols, symbol{start: int32(at), end: int32(at + n), prev: i - 1, next: i + 1})
				at += n
			}
			m.symbols[len(m.symbols)-1].next = -1
			find()
			var ids []int32
			for i := int32(0); i >= 0; i = m.symbols[i].next {
				ids = tok.appendPiece(ids, normal[m.symbols[i].start:m.symbols[i].end])
			}
			return ids
		}
		want := tok.Encode(text)
		if d := cmp.Diff(want, whole(m.scan)); d != "" {
			t.Fatalf("scanning the whole text: %s", d)
		}
		if d := cmp.Diff(want, whole(m.queue)); d != "" {
			t.Fatalf("a queue over the whole text: %s", d)
		}
	})
}

// A hostile vocabulary may be refused; one that is taken must encode and
// survive being written.
func FuzzOwnFile(f *testing.F) {
	b, err := small(f).MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"format":"harness-bpe","version":1,"bos":-1,"eos":-1,"kinds":"un","pieces":["<unk>","a"],"scores":[0,0]}`))
	f.Add([]byte(`{"format":"harness-bpe","version":1,"charsmap":"BAAAAAAAAAAA","bos":-1,"eos":-1,"kinds":"uwdd","pieces":["<unk>","ab","a","b"],"scores":[0,0,1,2]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		tok, err := parseOwn(b)
		if err != nil {
			return
		}
		exercise(t, tok)
		out, err := tok.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseOwn(out); err != nil {
			t.Fatalf("written, but not read: %v", err)
		}
	})
}

func exercise(t *testing.T, tok *Tokenizer) {
	t.Helper()
	for _, text := range []string{"", "a b", " ab\xff你", strings.Repeat("ab", 100)} {
		for _, id := range tok.Encode(text) {
			if id < 0 || int(id) >= tok.VocabSize() {
				t.Fatalf("%q gives id %d of %d", text, id, tok.VocabSize())
			}
		}
		tok.Decode(tok.Encode(text))
	}
}

// spModel builds a tokenizer.model of the BPE kind.
func spModel(pieces []Piece, normalizer []byte) []byte {
	var b []byte
	for _, p := range pieces {
		var m []byte
		m = protowire.AppendTag(m, pieceText, protowire.BytesType)
		m = protowire.AppendString(m, p.Text)
		m = protowire.AppendTag(m, pieceScore, protowire.Fixed32Type)
		m = protowire.AppendFixed32(m, math.Float32bits(p.Score))
		m = protowire.AppendTag(m, pieceKind, protowire.VarintType)
		m = protowire.AppendVarint(m, uint64(p.Kind))
		b = protowire.AppendTag(b, modelPieces, protowire.BytesType)
		b = protowire.AppendBytes(b, m)
	}
	trainer := protowire.AppendVarint(protowire.AppendTag(nil, trainerModelType, protowire.VarintType), modelTypeBPE)
	b = protowire.AppendBytes(protowire.AppendTag(b, modelTrainer, protowire.BytesType), trainer)
	return protowire.AppendBytes(protowire.AppendTag(b, modelNormalizer, protowire.BytesType), normalizer)
}

// noCollapse is a NormalizerSpec with remove_extra_whitespaces = false.
func noCollapse() []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, normalizerCollapse, protowire.VarintType), 0)
}

func FuzzSentencePiece(f *testing.F) {
	f.Add(spModel([]Piece{{"<unk>", 0, Unknown}, {"a", 0, Normal}, {"ab", 1, UserDefined}, {"b", 0, Unused}}, nil))
	f.Add(spModel(small(f).pieces, noCollapse()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if tok, err := parseSentencePiece(b); err == nil {
			exercise(t, tok)
		}
	})
}

func FuzzCharsmap(f *testing.F) {
	f.Add(foldMap(), "aAb")
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		if c, err := newCharsmap(b); err == nil {
			c.apply(text)
		}
	})
}

// The vocabulary in any of its files must give the same ids.
func TestSentencePieceAgrees(t *testing.T) {
	want := small(t)
	got, err := parseSentencePiece(spModel(want.pieces, noCollapse()))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"the cat sat", "  that  mat ", "我想查询 12", "\xff"} {
		if d := cmp.Diff(want.Encode(text), got.Encode(text)); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
	if got.BOS() != 1 || got.EOS() != 2 {
		t.Errorf("BOS %d, EOS %d", got.BOS(), got.EOS())
	}
}

// User-defined pieces win over merging, an unused piece falls apart again, and
// unknown characters in a row are one.
func TestPieceKinds(t *testing.T) {
	tok, err := New([]Piece{
		{"<unk>", 0, Unknown},
		{"<s>", 0, Control},
		{"a", 0, Normal},
		{"b", 0, Normal},
		{"ab", 5, Normal},
		{"<|x|>", 0, UserDefined},
		{"bb", 9, Unused},
		{space, 0, Normal},
	}, Options{BOS: -1, EOS: -1})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int32{
		"ab": {4}, "a<|x|>b": {2, 5, 3}, "bb": {3, 3}, "abb": {2, 3, 3}, "aczb": {2, 0, 3}, "<s>": {0}, " a": {7, 2},
	} {
		if d := cmp.Diff(want, tok.Encode(text)); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

// foldMap is a precompiled map that turns "A" into "a".
func foldMap() []byte {
	// unit 0 is the root (offset 0), unit 'A' the node (label, a leaf below,
	// offset 1), unit 'A'^1 its value.
	units := make([]uint32, 128)
	units['A'] = 'A' | 1<<8 | 1<<10
	units['A'^1] = 1 << 31
	b := []byte{0, 2, 0, 0}
	for _, u := range units {
		b = append(b, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
	}
	return append(b, 'a', 0)
}

func TestCharsmap(t *testing.T) {
	c, err := newCharsmap(foldMap())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.apply("xAyA你\xff"); got != "xaya你\xff" {
		t.Errorf("got %q", got)
	}
}

// A long text must not take the square of its length.
func BenchmarkEncode(b *testing.B) {
	tok := small(b)
	words := strings.Fields("the cat sat on the mat that bat it's o'clock 我想查询余额 转账 unknown")
	r := rand.New(rand.NewPCG(1, 1))
	var text strings.Builder
	for text.Len() < 1<<20 {
		text.WriteString(words[r.IntN(len(words))])
		text.WriteByte(' ')
	}
	for _, c := range []struct{ name, text string }{
		{"words", text.String()}, {"one-word", strings.ReplaceAll(text.String(), " ", "")},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			var ids []int32
			for b.Loop() {
				ids = tok.AppendEncode(ids[:0], c.text)
			}
			b.ReportMetric(float64(len(ids))*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
