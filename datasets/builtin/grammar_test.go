package builtin

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var languages = []string{en: "English", zh: "Chinese"}

// skeleton is a pattern without filler words and punctuation, so that two
// templates that differ by no more count as one.
func skeleton(p pattern) string {
	var b strings.Builder
	for _, e := range p {
		switch {
		case e.choice != nil:
			var options []string
			for _, o := range e.choice {
				options = append(options, skeleton(o))
			}
			fmt.Fprintf(&b, "(%s) ", strings.Join(options, "/"))
		case e.slot == "adv":
		case e.slot != "":
			fmt.Fprintf(&b, "{%s} ", e.slot)
		default:
			if w := strings.Trim(strings.ToLower(e.word), "?,.!:，？"); w != "" {
				b.WriteString(w + " ")
			}
		}
	}
	return strings.TrimSpace(b.String())
}

// disjoint reports every entry of the test's list that train has too.
func disjoint(t *testing.T, what string, train, test []string) {
	t.Helper()
	if len(train) == 0 || len(test) == 0 {
		t.Errorf("%s: %d entries for train and %d for the test, want some of each", what, len(train), len(test))
	}
	for _, s := range test {
		if s != "{reason}" && slices.Contains(train, s) { // a clause of the split's own fillers alone
			t.Errorf("%s: the test's %q is also one of train: the test would measure memory", what, s)
		}
	}
}

func skeletons(list []pattern) []string {
	var out []string
	for _, p := range list {
		out = append(out, skeleton(p))
	}
	return out
}

func TestTemplatesOfTheTestAreItsOwn(t *testing.T) {
	g := newGrammar()
	for lang, name := range languages {
		for _, section := range []string{"plain", "short", "contrast", "opener", "closer"} {
			train, test := g.frames[lang][section], g.frames[lang][section+"+"]
			disjoint(t, name+" "+section+" frames", skeletons(train), skeletons(test))
		}
		for intent, lists := range g.intents[lang] {
			for kind, list := range lists {
				if more := lists[kind+"+"]; more != nil {
					disjoint(t, name+" phrases of "+intent, skeletons(list), skeletons(more))
				}
			}
		}
		for slot, list := range g.slots[lang] {
			if !strings.HasSuffix(slot, "+") {
				disjoint(t, name+" fillers of "+slot, list, g.slots[lang][slot+"+"])
			}
		}
	}
}

// Lists of their own are worth nothing if a split draws from the other's.
func TestEachSplitDrawsFromItsOwnLists(t *testing.T) {
	g := newGrammar()
	for _, test := range []bool{false, true} {
		own := ""
		if test {
			own = "+"
		}
		w := &writer{grammar: g, difficulty: defaults, test: test, rng: rand.New(rand.NewPCG(5, 6))}
		for lang, name := range languages {
			for _, section := range []string{"plain", "short", "contrast", "opener", "closer"} {
				list := skeletons(g.frames[lang][section+own])
				for range 200 {
					if got := skeleton(w.frame(lang, section)); !slices.Contains(list, got) {
						t.Fatalf("%s %s frame %q is not of the list %s%s", name, section, got, section, own)
					}
				}
			}
			for slot := range g.slots[lang] {
				if strings.HasSuffix(slot, "+") {
					continue
				}
				for range 200 {
					got := w.slot(lang, slot)
					joined := func(s string) bool { return slices.Equal(strings.Fields(s), got) }
					if len(got) > 0 && !slices.ContainsFunc(g.slots[lang][slot+own], joined) {
						t.Fatalf("%s %s %q is not of the list %s%s", name, slot, got, slot, own)
					}
				}
			}
		}
	}
}

// In a contrast neither the first nor the last request may be the wanted one by
// rule: position would solve what order and negation are to decide.
func TestContrastsNameBothAndInEitherOrder(t *testing.T) {
	g := newGrammar()
	for lang, name := range languages {
		for _, section := range []string{"contrast", "contrast+"} {
			wantedFirst := 0
			list := g.frames[lang][section]
			for _, p := range list {
				s := skeleton(p)
				a, b := strings.Index(s, "{A"), strings.Index(s, "{B")
				if a < 0 || b < 0 {
					t.Errorf("%s %s: %q does not name two requests", name, section, s)
				}
				if a < b {
					wantedFirst++
				}
			}
			if share := float64(wantedFirst) / float64(len(list)); share < 0.35 || share > 0.65 {
				t.Errorf("%s %s: the wanted request comes first in %.0f %% of frames, want 35 to 65 %%", name, section, 100*share)
			}
		}
	}
}

// Both languages know every intent with every form a frame may ask for, and every
// slot that a phrase names; a gap would be a panic in a user's first command.
func TestGrammarIsComplete(t *testing.T) {
	g := newGrammar()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(g.intents[en])), slices.Sorted(maps.Keys(g.intents[zh]))); diff != "" {
		t.Errorf("intents of the languages differ (-English +Chinese):\n%s", diff)
	}
	for lang, name := range languages {
		check := func(where string, list []pattern, slots ...string) {
			if len(list) == 0 {
				t.Errorf("%s %s: no phrases", name, where)
			}
			for _, p := range list {
				p.eachSlot(func(slot string) {
					if slot != "num" && !slices.Contains(slots, slot) && g.slots[lang][slot] == nil {
						t.Errorf("%s %s: unknown slot {%s}", name, where, slot)
					}
				})
			}
		}
		for intent, lists := range g.intents[lang] {
			kinds := []string{"vp", "vp+", "np", "np+"}
			if lang == zh {
				kinds = append(kinds, "mx")
			}
			for _, kind := range kinds {
				check(intent+" "+kind, lists[kind])
			}
		}
		for section, list := range g.frames[lang] {
			check(section, list, "A", "A.np", "A.ing", "B", "B.np", "B.ing", "adv")
		}
	}
}

func (p pattern) eachSlot(f func(string)) {
	for _, e := range p {
		if e.slot != "" {
			f(e.slot)
		}
		for _, o := range e.choice {
			o.eachSlot(f)
		}
	}
}

func TestParsePattern(t *testing.T) {
	fill := func(slot string) []string { return []string{"<" + slot + ">"} }
	for _, c := range []struct {
		in   string
		want []string // every expansion, sorted
	}{
		{"a b", []string{"a b"}},
		{"(a/b) c", []string{"a c", "b c"}},
		{"x (/my (own/new)) {product}?", []string{"x <product> ?", "x my new <product> ?", "x my own <product> ?"}},
		{"", []string{""}},
	} {
		p, err := parsePattern(c.in)
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		got := map[string]bool{}
		rng := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			got[strings.Join(p.expand(rng, fill), " ")] = true
		}
		if diff := cmp.Diff(c.want, slices.Sorted(maps.Keys(got))); diff != "" {
			t.Errorf("%q expands to (-want +got):\n%s", c.in, diff)
		}
	}
	for _, bad := range []string{"(a", "a)", "a/b", "(a/(b)", "(a))"} {
		if p, err := parsePattern(bad); err == nil {
			t.Errorf("%q is read as %v, want an error", bad, p)
		}
	}
}

func TestSpelling(t *testing.T) {
	for _, c := range []struct {
		tokens []string
		spaced bool
		want   string
	}{
		{[]string{"hi,", "where", "is", "it", "?"}, true, "hi, where is it?"},
		{[]string{"把", "order", "cancel", "掉"}, true, "把 order cancel 掉"},
		{[]string{"把", "order", "cancel", "掉"}, false, "把order cancel掉"},
		{[]string{"你好", "，", "track", "一下", "？"}, true, "你好，track 一下？"},
	} {
		if got := join(c.tokens, c.spaced); got != c.want {
			t.Errorf("%q joined to %q, want %q", c.tokens, got, c.want)
		}
	}
	w := &writer{rng: rand.New(rand.NewPCG(3, 4))}
	for range 500 {
		if tokens := []string{"the", "parcel", "订单"}; !w.typo(tokens) || tokens[0] != "the" || tokens[1] == "parcel" || tokens[2] != "订单" {
			// A letter beside its twin may swap or double without a trace; parcel has none.
			t.Fatalf("typo in the long English word gives %q", tokens)
		}
		if tokens := []string{"我", "订单", "order"}; w.typo(tokens[:2]) {
			t.Fatalf("typo in Chinese: %q", tokens)
		}
		if tokens := []string{"我", "订单", "order"}; true {
			if w.homophone(tokens); tokens[0] != "我" || tokens[1] == "订单" || len([]rune(tokens[1])) != 2 || tokens[2] != "order" {
				t.Fatalf("homophone gives %q", tokens)
			}
		}
	}
}
