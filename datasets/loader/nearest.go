package loader

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	shownRunes   = 60 // of a name from a file in an error
	shownColumns = 20 // of a header in an error
)

// quote shows a name from a file: escaped, and cut where it is no name at all.
func quote(s string) string {
	if r := []rune(s[:min(len(s), 4*(shownRunes+1))]); len(r) > shownRunes {
		return strconv.Quote(string(r[:shownRunes])) + "…"
	}
	return strconv.Quote(s)
}

// quoted lists names of a header.
func quoted(names []string) string {
	var b strings.Builder
	for i, n := range names[:min(len(names), shownColumns)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(n))
	}
	if more := len(names) - shownColumns; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// nearest suggests the name that differs least, when one is close: in at most
// three characters and half of them, upper and lower case alike.
func nearest(want string, have []string) string {
	if len(want) > 4*shownRunes {
		return "" // no name, and the distance takes quadratic time
	}
	w := []rune(strings.ToLower(want))
	best, least := "", min(4, (len(w)+1)/2+1)
	for _, h := range have {
		if len(h) > 4*shownRunes {
			continue
		}
		if d := distance(w, []rune(strings.ToLower(h))); d < least || d == least && best != "" && h < best {
			best, least = h, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (nearest: %s)", quote(best))
}

// distance is the edit distance of two short strings.
func distance(a, b []rune) int {
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range a {
		diagonal := prev[0]
		prev[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = prev[j+1]
			prev[j+1] = min(cost, prev[j]+1, prev[j+1]+1)
		}
	}
	return prev[len(b)]
}
