package score

import (
	"strings"
	"unicode"
)

// Tokens splits a text into the words the baseline sees: lower-cased runs of
// letters, digits and apostrophes of alphabetic scripts, and single Han
// characters. han[i] tells the characters.
func Tokens(text string) (tokens []string, han []bool) {
	var word strings.Builder
	flush := func() {
		if w := strings.Trim(word.String(), "'"); w != "" {
			tokens, han = append(tokens, w), append(han, false)
		}
		word.Reset()
	}
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Han, r):
			flush()
			tokens, han = append(tokens, string(r)), append(han, true)
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r):
			word.WriteRune(unicode.ToLower(r))
		case r == '\'' || r == '’':
			word.WriteByte('\'')
		default:
			flush()
		}
	}
	flush()
	return tokens, han
}

// Features returns the baseline's features of a text, with repeats: word uni-
// and bigrams of alphabetic text, character 1–3-grams of Chinese. Mixed text has
// both; a bigram may pair a word with the character beside it, while trigrams are
// of Han characters alone. Punctuation parts tokens and is no token itself, so
// n-grams reach across it.
func Features(text string) []string {
	tokens, han := Tokens(text)
	out := make([]string, 0, 3*len(tokens))
	for i, t := range tokens {
		out = append(out, t)
		if i+1 < len(tokens) {
			out = append(out, t+" "+tokens[i+1])
		}
		if i+2 < len(tokens) && han[i] && han[i+1] && han[i+2] {
			out = append(out, t+" "+tokens[i+1]+" "+tokens[i+2])
		}
	}
	return out
}
