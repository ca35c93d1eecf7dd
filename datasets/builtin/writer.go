package builtin

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"
)

// writer makes the utterances of one split.
type writer struct {
	grammar    *grammar
	difficulty difficulty
	test       bool
	rng        *rand.Rand
}

// split writes perClass items of every class (twice as many out of scope) whose
// texts are not in seen, adds them to it and shuffles.
func (w *writer) split(perClass int, seen map[string]bool) []Item {
	var out []Item
	for label, name := range w.grammar.labels {
		n := perClass
		if name == OutOfScope {
			n *= 2
		}
		for tries := 0; n > 0; tries++ {
			if tries > 200*perClass {
				panic(fmt.Sprintf("builtin: class %s has too few phrases for %d items", name, perClass))
			}
			it := w.item(name)
			if it.Language == Mixed && !mixed(it.Text) {
				continue
			}
			if k := key(it.Text); !seen[k] {
				seen[k] = true
				it.Label = label
				out = append(out, it)
				n--
			}
		}
	}
	w.rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (w *writer) item(intent string) Item {
	d, it := w.difficulty, Item{Kind: Plain, Language: Mixed}
	switch r := w.rng.Float64(); {
	case r < d.contrast:
		it.Kind = Contrast
	case r < d.contrast+d.short:
		it.Kind = Short
	}
	switch r := w.rng.Float64(); {
	case r < d.english:
		it.Language = English
	case r < d.english+d.chinese:
		it.Language = Chinese
	}
	frame, phrase := zh, w.phraser(it.Language)
	if it.Language == English || it.Language == Mixed && w.chance(0.25) {
		frame = en
	}
	other := w.rejected(intent)
	fill := func(slot string) []string {
		name, form, _ := strings.Cut(slot, ".")
		switch name {
		case "A":
			return phrase(frame, intent, form)
		case "B":
			return phrase(frame, other, form)
		}
		return w.slot(frame, slot)
	}
	var tokens []string
	if it.Kind != Short && w.chance(d.opener) {
		tokens = append(tokens, w.frame(frame, "opener").expand(w.rng, fill)...)
	}
	tokens = append(tokens, w.frame(frame, string(it.Kind)).expand(w.rng, fill)...)
	if it.Kind != Short && w.chance(d.closer) {
		if last := tokens[len(tokens)-1]; frame == en && !strings.HasSuffix(last, "?") {
			tokens[len(tokens)-1] = last + []string{",", ".", "!"}[w.rng.IntN(3)]
		}
		closer := w.frame(frame, "closer").expand(w.rng, fill)
		if tokens[len(tokens)-1] == "？" {
			closer = closer[1:] // the mark stands for the comma
		}
		tokens = append(tokens, closer...)
	}
	it.words = words(tokens)
	it.Text = w.spell(tokens)
	return it
}

// mixed says whether a text has letters of both scripts.
func mixed(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) &&
		strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLower(r) })
}

// phraser returns how cue phrases are written in a language. Mixed utterances
// take the intent's own mixed phrases or phrases of the other language.
func (w *writer) phraser(l Language) func(frame int, intent, form string) []string {
	return func(frame int, intent, form string) []string {
		lang := frame
		if l == Mixed {
			switch {
			case form == "" && frame == zh && w.chance(0.75):
				form = "mx"
			case form == "np" && w.chance(0.6):
				lang = 1 - frame
			case form == "" && frame == zh:
				lang = en
			}
		}
		return w.phrase(lang, intent, form)
	}
}

// phrase writes an intent in a form: "" verb phrase, "ing" gerund, "np" noun
// phrase, "mx" mixed verb phrase.
func (w *writer) phrase(lang int, intent, form string) []string {
	kind := form
	if form == "" || form == "ing" {
		kind = "vp"
	}
	lists := w.grammar.intents[lang][intent]
	list := lists[kind]
	if more := lists[kind+"+"]; w.test && len(more) > 0 && w.chance(w.difficulty.newPhrase) {
		list = more
	}
	tokens := pick(w.rng, list).expand(w.rng, func(slot string) []string { return w.slot(lang, slot) })
	if form == "ing" && lang == en {
		tokens[0] = gerund(tokens[0])
	}
	return tokens
}

// rejected chooses the intent that a contrast names and does not want.
func (w *writer) rejected(intent string) string {
	order := w.grammar.order
	for {
		i := w.rng.IntN(len(order))
		if w.chance(w.difficulty.sibling) {
			i = slices.Index(order, intent) + w.rng.IntN(9) - 4
		}
		if i >= 0 && i < len(order) && order[i] != intent {
			return order[i]
		}
	}
}

func (w *writer) frame(lang int, section string) pattern {
	if w.test {
		section += "+"
	}
	return pick(w.rng, w.grammar.frames[lang][section])
}

// slot fills a slot with words of the split's own list.
func (w *writer) slot(lang int, name string) []string {
	switch name {
	case "adv":
		if !w.chance(w.difficulty.adverb) {
			return nil
		}
	case "num":
		return []string{fmt.Sprintf("%c%05d", 'A'+w.rng.IntN(26), w.rng.IntN(100000))}
	}
	if w.test {
		name += "+"
	}
	list := w.grammar.slots[lang][name]
	if len(list) == 0 {
		panic("builtin: no fillers for slot " + name)
	}
	return strings.Fields(pick(w.rng, list))
}

func (w *writer) chance(p float64) bool { return w.rng.Float64() < p }

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

// gerund forms the -ing form of the base verbs in the grammar.
func gerund(verb string) string {
	switch verb {
	case "be", "see":
		return verb + "ing"
	case "cancel", "swap", "stop", "get", "put", "drop", "quit", "chat", "split", "flag", "let", "set":
		return verb + verb[len(verb)-1:] + "ing"
	}
	return strings.TrimSuffix(verb, "e") + "ing"
}
