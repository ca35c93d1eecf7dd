package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// Encode turns text into ids. It adds no begin or end token, never yields
// control tokens whatever the text says, and takes any bytes: invalid UTF-8 is
// spelled in byte pieces.
func (t *Tokenizer) Encode(text string) []int32 { return t.AppendEncode(nil, text) }

// AppendEncode is Encode into a slice that the caller can use again.
func (t *Tokenizer) AppendEncode(dst []int32, text string) []int32 {
	return t.appendEncode(dst, text, sampling{})
}

func (t *Tokenizer) appendEncode(dst []int32, text string, s sampling) []int32 {
	if text == "" {
		return dst
	}
	text = t.normalize(text)
	if dst == nil {
		dst = make([]int32, 0, len(text)/3+4)
	}
	m := mergers.Get().(*merger)
	defer mergers.Put(m)
	m.t, m.sampling = t, s
	for len(text) > 0 {
		n := len(text)
		if !t.crossing {
			n = wordEnd(text)
		}
		dst = m.word(dst, text[:n])
		text = text[n:]
	}
	m.t, m.text, m.sampling = nil, "", sampling{}
	return dst
}

// wordEnd is the index where the next word begins: at the first space that
// follows something else. No piece reaches across it unless the vocabulary is
// crossing, so words can be encoded one at a time.
func wordEnd(text string) int {
	at := 0
	for strings.HasPrefix(text[at:], space) {
		at += len(space)
	}
	if i := strings.Index(text[at:], space); i >= 0 {
		return at + i
	}
	return len(text)
}

// normalize applies the vocabulary's character map and writes spaces as "▁".
func (t *Tokenizer) normalize(text string) string {
	if t.chars != nil {
		text = t.chars.apply(text)
	}
	if t.options.CollapseSpace {
		text = collapse(text)
		if text == "" {
			return ""
		}
	}
	if t.options.SpacePrefix {
		text = " " + text
	}
	return strings.ReplaceAll(text, " ", space)
}

// collapse makes one space of each run and none of those at the ends.
func collapse(text string) string {
	text = strings.Trim(text, " ")
	if !strings.Contains(text, "  ") {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for i := range len(text) {
		if text[i] != ' ' || text[i-1] != ' ' {
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// userPiece is the longest user-defined piece that text begins with, "" if
// none.
func (t *Tokenizer) userPiece(text string) string {
	for _, p := range t.user[text[0]] {
		if strings.HasPrefix(text, p) {
			return p
		}
	}
	return ""
}

// appendPiece appends the id of a finished symbol, or its bytes.
func (t *Tokenizer) appendPiece(dst []int32, text string) []int32 {
	if id, ok := t.lookup[text]; ok {
		return append(dst, id)
	}
	return t.appendBytes(dst, text)
}

// appendBytes appends the ids of a text's bytes, or one unknown where the
// vocabulary lacks one of them.
func (t *Tokenizer) appendBytes(dst []int32, text string) []int32 {
	if t.unknown >= 0 {
		for i := range len(text) {
			if t.bytes[text[i]] < 0 {
				if n := len(dst); n > 0 && dst[n-1] == t.unknown {
					return dst // one unknown for a run of them
				}
				return append(dst, t.unknown)
			}
		}
	}
	for i := range len(text) {
		dst = append(dst, t.bytes[text[i]])
	}
	return dst
}

// runeLen is the length of text's first character, 1 where it is not UTF-8.
func runeLen(text string) int {
	if text[0] < utf8.RuneSelf {
		return 1
	}
	_, n := utf8.DecodeRuneInString(text)
	return n
}
