package builtin

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// homophones are characters that a Chinese input method offers for the same
// sound, a frequent slip.
var homophones = strings.NewReplacer(
	"订", "定", "单", "但", "消", "销", "换", "还", "货", "或", "址", "止", "送", "松", "递", "第",
	"票", "飘", "账", "帐", "号", "好", "密", "蜜", "码", "马", "积", "机", "分", "份", "惠", "会",
	"券", "卷", "员", "圆", "修", "休", "装", "庄", "店", "点", "投", "头", "诉", "素", "付", "负",
	"支", "只", "钱", "前", "包", "宝", "客", "克", "服", "福", "工", "公", "库", "裤", "存", "村",
	"退", "腿", "款", "宽", "期", "其", "配", "陪", "提", "题", "锁", "所", "销", "消", "购", "够",
)

// neighbours are keys beside a letter on a qwerty keyboard.
var neighbours = map[byte]string{
	'a': "sq", 'b': "vn", 'c': "xv", 'd': "sf", 'e': "wr", 'f': "dg", 'g': "fh", 'h': "gj", 'i': "uo",
	'j': "hk", 'k': "jl", 'l': "ko", 'm': "n", 'n': "bm", 'o': "ip", 'p': "o", 'q': "wa", 'r': "et",
	's': "ad", 't': "ry", 'u': "yi", 'v': "cb", 'w': "qe", 'x': "zc", 'y': "tu", 'z': "x",
}

var contractions = []struct{ long, short string }{
	{"i am ", "i'm "},
	{"i would ", "i'd "},
	{"do not ", "don't "},
	{"does not ", "doesn't "},
	{"did not ", "didn't "},
	{"it is ", "it's "},
	{"that is ", "that's "},
	{"what is ", "what's "},
}

// spell joins tokens to the text as a customer types it: contractions, casual
// case and punctuation, at most one slip.
func (w *writer) spell(tokens []string) string {
	d := w.difficulty
	slipped := false
	if w.chance(d.typo) {
		slipped = w.typo(tokens)
	}
	if !slipped && w.chance(d.homophone) {
		w.homophone(tokens)
	}
	text := join(tokens, w.chance(0.5))
	if w.chance(0.5) {
		for _, c := range contractions {
			text = strings.ReplaceAll(text, c.long, c.short)
		}
	}
	if w.chance(0.3) {
		text = strings.TrimRight(text, "?？.!")
	}
	if w.chance(0.35) {
		r, n := utf8.DecodeRuneInString(text)
		text = string(unicode.ToUpper(r)) + text[n:]
	}
	return text
}

// join writes words of one script after each other: English ones with spaces,
// Chinese ones without; between the scripts spaced decides.
func join(tokens []string, spaced bool) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 {
			before, _ := utf8.DecodeLastRuneInString(tokens[i-1])
			after, _ := utf8.DecodeRuneInString(t)
			latin, next := before < 0x2E80, after < 0x2E80
			mark := strings.ContainsRune("?,.!:，？", after) || strings.ContainsRune("，？", before)
			if !mark && (latin && next || latin != next && spaced) {
				b.WriteByte(' ')
			}
		}
		b.WriteString(t)
	}
	return b.String()
}

// typo misspells one English word of at least four letters, cue words included.
func (w *writer) typo(tokens []string) bool {
	var long []int
	for i, t := range tokens {
		if len(t) >= 4 && strings.Trim(t, "abcdefghijklmnopqrstuvwxyz") == "" {
			long = append(long, i)
		}
	}
	if len(long) == 0 {
		return false
	}
	i := pick(w.rng, long)
	b := []byte(tokens[i])
	at := 1 + w.rng.IntN(len(b)-2)
	switch w.rng.IntN(4) {
	case 0: // two letters swapped
		b[at], b[at+1] = b[at+1], b[at]
	case 1: // one left out
		b = append(b[:at], b[at+1:]...)
	case 2: // one typed twice
		b = append(b[:at+1], b[at:]...)
	default: // the key beside it
		n := neighbours[b[at]]
		b[at] = n[w.rng.IntN(len(n))]
	}
	tokens[i] = string(b)
	return true
}

// homophone replaces one character by one that sounds alike.
func (w *writer) homophone(tokens []string) {
	var at [][2]int
	for i, t := range tokens {
		for j, r := range t {
			if s := string(r); r >= 0x2E80 && homophones.Replace(s) != s {
				at = append(at, [2]int{i, j})
			}
		}
	}
	if len(at) == 0 {
		return
	}
	p := pick(w.rng, at)
	t := tokens[p[0]]
	_, n := utf8.DecodeRuneInString(t[p[1]:])
	tokens[p[0]] = t[:p[1]] + homophones.Replace(t[p[1]:p[1]+n]) + t[p[1]+n:]
}

// words returns the tokens as they count in a vocabulary.
func words(tokens []string) []string {
	var out []string
	for _, t := range tokens {
		t = strings.ToLower(strings.Trim(t, ",.?!:，？"))
		if t != "" && !strings.ContainsAny(t, "0123456789") {
			out = append(out, t)
		}
	}
	return out
}
