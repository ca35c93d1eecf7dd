package model

import (
	"fmt"
	"strconv"
)

// The kinds of a vocabulary's pieces, SentencePiece's numbers.
const (
	pieceNormal  = 1
	pieceUnknown = 2
	pieceControl = 3
	pieceUnused  = 5
	pieceByte    = 6
)

// Vocabulary is a SentencePiece byte-pair vocabulary as a GGUF file holds it; a
// piece's index is its id. Text, Score and Kind have an entry a piece.
type Vocabulary struct {
	Text  []string // "▁" stands for a space
	Score []float32
	Kind  []int32 // 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte

	BOS, EOS, Unknown int  // ids, -1 = none
	SpacePrefix       bool // text begins with a space even if it does not
}

// madeUpChars follow the bytes in a made-up vocabulary, so that text comes back
// from its ids: the space and what a keyboard has.
const madeUpChars = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?'\"()-+*/=%&@#$<>[]{}_\\|~^`"

// MadeUp is a vocabulary of n pieces for a model that was never trained: <unk>,
// <s>, </s>, the 256 bytes, single characters, then distinct pieces that spell
// their id. A smaller one is cut off.
func MadeUp(n int) Vocabulary {
	v := Vocabulary{BOS: min(1, n-1), EOS: min(2, n-1), SpacePrefix: true}
	v.add("<unk>", 0, pieceUnknown)
	v.add("<s>", 0, pieceControl)
	v.add("</s>", 0, pieceControl)
	for i := range 256 {
		v.add(fmt.Sprintf("<0x%02X>", i), 0, pieceByte)
	}
	for _, r := range madeUpChars {
		v.add(string(r), -float32(len(v.Text)), pieceNormal)
	}
	for i := len(v.Text); i < n; i++ {
		v.add("▁t"+strconv.FormatInt(int64(i), 36), -float32(i), pieceNormal)
	}
	v.Text, v.Score, v.Kind = v.Text[:n], v.Score[:n], v.Kind[:n]
	return v
}

func (v *Vocabulary) add(text string, score float32, kind int32) {
	v.Text, v.Score, v.Kind = append(v.Text, text), append(v.Score, score), append(v.Kind, kind)
}

// fit returns the vocabulary with exactly n pieces: ids of the model that have
// no piece become unused ones.
func (v Vocabulary) fit(n int) (Vocabulary, error) {
	have := len(v.Text)
	if len(v.Score) != have || len(v.Kind) != have {
		return v, fmt.Errorf("the vocabulary has %d pieces, %d scores and %d kinds", have, len(v.Score), len(v.Kind))
	}
	if have > n {
		return v, fmt.Errorf("the vocabulary has %d pieces, the model %d", have, n)
	}
	for _, id := range []int{v.BOS, v.EOS, v.Unknown} {
		if id < -1 || id >= n {
			return v, fmt.Errorf("special token %d is outside the vocabulary of %d", id, n)
		}
	}
	out := v
	out.Text, out.Score, out.Kind = v.Text[:have:have], v.Score[:have:have], v.Kind[:have:have]
	for i := have; i < n; i++ {
		out.add("<unused"+strconv.Itoa(i)+">", 0, pieceUnused)
	}
	return out, nil
}

// write adds the vocabulary to the metadata. No begin token is asked for: our
// prompts say themselves where they begin.
func (v *Vocabulary) write(w *ggufWriter) {
	w.str("tokenizer.ggml.model", "llama")
	w.strs("tokenizer.ggml.tokens", v.Text)
	w.f32s("tokenizer.ggml.scores", v.Score)
	w.i32s("tokenizer.ggml.token_type", v.Kind)
	for _, s := range []struct {
		key string
		id  int
	}{{"bos", v.BOS}, {"eos", v.EOS}, {"unknown", v.Unknown}} {
		if s.id >= 0 {
			w.u32("tokenizer.ggml."+s.key+"_token_id", uint32(s.id))
		}
	}
	w.bool("tokenizer.ggml.add_bos_token", false)
	w.bool("tokenizer.ggml.add_space_prefix", v.SpacePrefix)
}
