package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// class groups characters that may share a piece.
type class uint8

const (
	alone   class = iota // joins nothing: digits, controls, white space but the space
	letters              // of scripts that put spaces between words
	han                  // ideographs and kana, which stand without spaces
	signs                // punctuation and symbols
)

func classOf(r rune) class {
	switch {
	case unicode.IsDigit(r), unicode.IsSpace(r), unicode.IsControl(r), r == utf8.RuneError:
		return alone
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
		return han
	case unicode.IsLetter(r), unicode.IsMark(r), unicode.IsNumber(r):
		return letters
	}
	return signs
}

// segments cuts normalized text into stretches within which training may merge:
// a word of one class with the space before it, digits one by one. An
// apostrophe between letters begins a stretch with those that follow ("'s").
func segments(text string, yield func(string)) {
	start, in, open := 0, alone, false
	cut := func(at int) {
		if at > start {
			yield(text[start:at])
		}
		start, open = at, false
	}
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRuneInString(text[at:])
		if strings.HasPrefix(text[at:], space) {
			cut(at)
			at += n
			open = true // whatever class follows joins the space
			in = alone
			continue
		}
		c := classOf(r)
		if r == '\'' && open && in == letters && at+n < len(text) {
			if next, _ := utf8.DecodeRuneInString(text[at+n:]); classOf(next) == letters {
				cut(at)
				in, open = letters, true
				at += n
				continue
			}
		}
		joins := open && c != alone && (c == in || in == alone)
		if !joins {
			cut(at)
		}
		in, open = c, c != alone
		at += n
	}
	cut(len(text))
}
