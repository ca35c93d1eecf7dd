package tokenizer

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is what a piece stands for. The values are SentencePiece's.
type Kind uint8

// The kinds of piece.
const (
	Normal      Kind = 1
	Unknown     Kind = 2
	Control     Kind = 3 // never found in text: begin, end, padding
	UserDefined Kind = 4 // found in text before any merging
	Unused      Kind = 5 // only a step on the way to longer pieces
	Byte        Kind = 6 // "<0x00>" to "<0xFF>"
)

// Piece is an entry of a vocabulary; its id is its index.
type Piece struct {
	Text  string
	Score float32
	Kind  Kind
}

// Options is what a vocabulary file says beside its pieces.
type Options struct {
	SpacePrefix   bool   // text begins with a space even if it does not
	CollapseSpace bool   // runs of spaces count as one, none at the ends
	Charsmap      []byte // SentencePiece's precompiled normalization, nil = none
	BOS, EOS      int32  // -1 = none
}

const (
	space     = "▁" // U+2581 stands for a space in pieces
	maxPieces = 1 << 22
	maxPiece  = 1 << 12 // bytes
)

// Tokenizer is an immutable vocabulary, safe for use by several goroutines.
type Tokenizer struct {
	pieces  []Piece
	options Options
	lookup  map[string]int32 // pieces that text can become
	bytes   [256]int32       // byte pieces, -1 where the vocabulary lacks one
	unknown int32

	user     [256][]string // user-defined pieces by first byte, longest first
	anyUser  bool
	anyWaste bool // some piece is Unused
	crossing bool // some piece runs over the beginning of a word
	chars    *charsmap
}

// New makes a tokenizer of a vocabulary. Pieces must be valid UTF-8. Where
// two pieces have one text, the first counts; an empty piece never matches.
func New(pieces []Piece, o Options) (*Tokenizer, error) {
	if len(pieces) == 0 || len(pieces) > maxPieces {
		return nil, fmt.Errorf("a vocabulary of %d pieces is not between 1 and %d", len(pieces), maxPieces)
	}
	t := &Tokenizer{pieces: pieces, options: o, lookup: make(map[string]int32, len(pieces)), unknown: -1}
	for i := range t.bytes {
		t.bytes[i] = -1
	}
	for i, p := range pieces {
		if err := t.add(int32(i), p); err != nil {
			return nil, fmt.Errorf("piece %d (%q): %w", i, p.Text, err)
		}
	}
	if t.unknown < 0 && !t.spellsBytes() {
		return nil, fmt.Errorf("the vocabulary has neither an unknown piece nor all 256 byte pieces")
	}
	for _, id := range []int32{o.BOS, o.EOS} {
		if id < -1 || int(id) >= len(pieces) {
			return nil, fmt.Errorf("special token %d is outside the vocabulary of %d", id, len(pieces))
		}
	}
	if len(o.Charsmap) > 0 {
		chars, err := newCharsmap(o.Charsmap)
		if err != nil {
			return nil, fmt.Errorf("reading normalization map: %w", err)
		}
		t.chars = chars
	}
	return t, nil
}

func (t *Tokenizer) add(id int32, p Piece) error {
	if len(p.Text) > maxPiece {
		return fmt.Errorf("%d bytes are more than the %d allowed", len(p.Text), maxPiece)
	}
	if !utf8.ValidString(p.Text) {
		return fmt.Errorf("it is not valid UTF-8")
	}
	if math.IsNaN(float64(p.Score)) || math.IsInf(float64(p.Score), 0) {
		return fmt.Errorf("its score is %v", p.Score)
	}
	switch p.Kind {
	case Byte:
		b, err := parseByte(p.Text)
		if err != nil {
			return err
		}
		if t.bytes[b] < 0 {
			t.bytes[b] = id
		}
		return nil
	case Unknown:
		if t.unknown < 0 {
			t.unknown = id
		}
		return nil
	case Control:
		return nil
	case Normal, UserDefined, Unused:
	default:
		return fmt.Errorf("its kind %d is not known", p.Kind)
	}
	if _, twice := t.lookup[p.Text]; twice || p.Text == "" {
		return nil
	}
	t.lookup[p.Text] = id
	if p.Kind == UserDefined {
		t.addUser(p.Text)
	}
	t.anyWaste = t.anyWaste || p.Kind == Unused
	t.crossing = t.crossing || crosses(p.Text)
	return nil
}

func (t *Tokenizer) addUser(text string) {
	t.anyUser = true
	list := t.user[text[0]]
	at := len(list)
	for at > 0 && len(list[at-1]) < len(text) {
		at--
	}
	list = append(list, "")
	copy(list[at+1:], list[at:])
	list[at] = text
	t.user[text[0]] = list
}

// crosses reports whether a space follows something else within a piece.
func crosses(text string) bool {
	for strings.HasPrefix(text, space) {
		text = text[len(space):]
	}
	return strings.Contains(text, space)
}

// parseByte reads "<0xNN>".
func parseByte(text string) (byte, error) {
	if len(text) == 6 && strings.HasPrefix(text, "<0x") && text[5] == '>' {
		if b, err := strconv.ParseUint(text[3:5], 16, 8); err == nil {
			return byte(b), nil
		}
	}
	return 0, fmt.Errorf("a byte piece must read <0x00> to <0xFF>")
}

func (t *Tokenizer) spellsBytes() bool {
	for _, id := range t.bytes {
		if id < 0 {
			return false
		}
	}
	return true
}

// VocabSize is the number of pieces.
func (t *Tokenizer) VocabSize() int { return len(t.pieces) }

// Piece returns the piece of an id; its text has "▁" for a space.
func (t *Tokenizer) Piece(id int32) (Piece, bool) {
	if id < 0 || int(id) >= len(t.pieces) {
		return Piece{}, false
	}
	return t.pieces[id], true
}

// BOS is the id that begins a text, -1 if the vocabulary names none.
func (t *Tokenizer) BOS() int32 { return t.options.BOS }

// EOS is the id that ends a text, -1 if the vocabulary names none.
func (t *Tokenizer) EOS() int32 { return t.options.EOS }

// Decode joins the pieces of ids to text. Control pieces vanish, unknown ones
// and ids outside the vocabulary become "⁇", and the space that encoding put in
// front is taken away. Bytes come out as they are, so text cut within a
// character ends in part of one.
func (t *Tokenizer) Decode(ids []int32) string {
	var b strings.Builder
	for i, id := range ids {
		p, ok := t.Piece(id)
		switch {
		case !ok || p.Kind == Unknown:
			b.WriteString("⁇")
		case p.Kind == Control:
		case p.Kind == Byte:
			v, _ := parseByte(p.Text) // checked by New
			b.WriteByte(v)
		default:
			text := strings.ReplaceAll(p.Text, space, " ")
			if i == 0 || b.Len() == 0 {
				text = t.withoutPrefix(text, ids[:i])
			}
			b.WriteString(text)
		}
	}
	return b.String()
}

// withoutPrefix takes the leading space off the first piece that is text.
func (t *Tokenizer) withoutPrefix(text string, before []int32) string {
	if !t.options.SpacePrefix {
		return text
	}
	for _, id := range before {
		if p, ok := t.Piece(id); !ok || p.Kind != Control {
			return text
		}
	}
	return strings.TrimPrefix(text, " ")
}
