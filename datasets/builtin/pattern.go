package builtin

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// pattern is a template: literals, slots and choices in a row.
type pattern []piece

// piece is one of a word, a slot's name or a choice of patterns.
type piece struct {
	word   string
	slot   string
	choice []pattern
}

// parsePattern reads words, {slots} and (choices/between/patterns), separated by
// spaces. An empty choice means nothing.
func parsePattern(s string) (pattern, error) {
	p, rest, err := parseRow(s)
	if err != nil {
		return nil, err
	}
	if rest != "" {
		return nil, fmt.Errorf("unexpected %q in %q", rest, s)
	}
	return p, nil
}

func parseRow(s string) (p pattern, rest string, err error) {
	for {
		s = strings.TrimLeft(s, " ")
		if s == "" || s[0] == '/' || s[0] == ')' {
			return p, s, nil
		}
		if s[0] == '(' {
			var c []pattern
			s = s[1:]
			for {
				var option pattern
				if option, s, err = parseRow(s); err != nil {
					return nil, "", err
				}
				c = append(c, option)
				if s == "" {
					return nil, "", fmt.Errorf("open parenthesis")
				}
				closing := s[0] == ')'
				s = s[1:]
				if closing {
					break
				}
			}
			p = append(p, piece{choice: c})
			continue
		}
		end := strings.IndexAny(s, " /()")
		if end < 0 {
			end = len(s)
		}
		token := s[:end]
		s = s[end:]
		if slot, tail, ok := strings.Cut(token, "}"); ok && strings.HasPrefix(slot, "{") {
			p = append(p, piece{slot: slot[1:]})
			if tail != "" { // punctuation that follows a slot
				p = append(p, piece{word: tail})
			}
			continue
		}
		p = append(p, piece{word: token})
	}
}

// expand makes one utterance part of a pattern; fill answers its slots.
func (p pattern) expand(rng *rand.Rand, fill func(slot string) []string) []string {
	var out []string
	for _, e := range p {
		switch {
		case e.choice != nil:
			out = append(out, e.choice[rng.IntN(len(e.choice))].expand(rng, fill)...)
		case e.slot != "":
			out = append(out, fill(e.slot)...)
		default:
			out = append(out, e.word)
		}
	}
	return out
}
