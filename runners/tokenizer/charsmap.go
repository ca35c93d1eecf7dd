package tokenizer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"
)

// charsmap is SentencePiece's precompiled normalization (for instance
// nmt_nfkc): a double-array trie from character sequences to offsets in a block
// of NUL-terminated replacements. The bytes are a little-endian length of the
// trie, the trie's units of 32 bits, the block.
type charsmap struct {
	units []uint32
	block []byte
}

func newCharsmap(b []byte) (*charsmap, error) {
	if len(b) < 4 {
		return nil, errors.New("it is truncated")
	}
	n := int64(binary.LittleEndian.Uint32(b))
	b = b[4:]
	if n%4 != 0 || n > int64(len(b)) || n == 0 {
		return nil, errors.New("its trie does not fit into it")
	}
	c := &charsmap{units: make([]uint32, n/4), block: b[n:]}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	if len(c.block) > 0 && c.block[len(c.block)-1] != 0 {
		return nil, errors.New("its last replacement is cut off")
	}
	return c, nil
}

// apply replaces each longest sequence that the trie knows.
func (c *charsmap) apply(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for len(text) > 0 {
		if n, to := c.match(text); n > 0 {
			b.Write(to)
			text = text[n:]
			continue
		}
		_, n := utf8.DecodeRuneInString(text)
		b.WriteString(text[:n])
		text = text[n:]
	}
	return b.String()
}

// match finds the longest known sequence at the beginning of text. The layout
// of a unit is that of the Darts-clone library: offset in the upper bits, label
// in the lowest byte, bit 8 for "a value hangs here".
func (c *charsmap) match(text string) (n int, to []byte) {
	offset := func(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }
	at := offset(c.units[0])
	for i := range len(text) {
		at ^= uint32(text[i])
		if at >= uint32(len(c.units)) {
			return n, to
		}
		u := c.units[at]
		if u&(1<<31|0xff) != uint32(text[i]) {
			return n, to
		}
		at ^= offset(u)
		if u&(1<<8) == 0 {
			continue
		}
		if at >= uint32(len(c.units)) {
			return n, to
		}
		if value := c.units[at] &^ (1 << 31); value < uint32(len(c.block)) {
			rest := c.block[value:]
			n, to = i+1, rest[:bytes.IndexByte(rest, 0)]
		}
	}
	return n, to
}
