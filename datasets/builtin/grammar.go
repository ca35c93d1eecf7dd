package builtin

import (
	"bufio"
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed grammar/*.txt
var grammarFiles embed.FS

// grammar is the parsed word lists and templates of both languages.
type grammar struct {
	labels  []string // sorted
	order   []string // as the intents stand in the file: neighbours are related
	intents [2]map[string]map[string][]pattern
	frames  [2]map[string][]pattern
	slots   [2]map[string][]string
}

// Language indices of grammar's tables.
const (
	en = iota
	zh
)

// newGrammar parses the embedded files once. They are part of the program, so a
// mistake in them is a mistake in the program: it panics with file and line.
var newGrammar = sync.OnceValue(func() *grammar {
	g := &grammar{}
	for lang, suffix := range []string{"en.txt", "zh.txt"} {
		g.intents[lang] = map[string]map[string][]pattern{}
		g.frames[lang] = map[string][]pattern{}
		g.slots[lang] = map[string][]string{}
		sections("intents_"+suffix, func(section, line string) error {
			if g.intents[lang][section] == nil {
				g.intents[lang][section] = map[string][]pattern{}
				if lang == en {
					g.order = append(g.order, section)
				}
			}
			kind, list, ok := strings.Cut(line, " ")
			if !ok {
				return fmt.Errorf("no phrases in %q", line)
			}
			for p := range strings.SplitSeq(list, "|") {
				parsed, err := parsePattern(p)
				if err != nil {
					return err
				}
				g.intents[lang][section][kind] = append(g.intents[lang][section][kind], parsed)
			}
			return nil
		})
		sections("frames_"+suffix, func(section, line string) error {
			p, err := parsePattern(line)
			g.frames[lang][section] = append(g.frames[lang][section], p)
			return err
		})
		sections("slots_"+suffix, func(section, line string) error {
			for f := range strings.SplitSeq(line, ",") {
				g.slots[lang][section] = append(g.slots[lang][section], strings.TrimSpace(f))
			}
			return nil
		})
	}
	g.labels = slices.Clone(g.order)
	slices.Sort(g.labels)
	return g
})

// sections calls add for every line of a file under its [section].
func sections(name string, add func(section, line string) error) {
	in, err := grammarFiles.Open("grammar/" + name)
	if err != nil {
		panic(fmt.Sprintf("builtin: opening %s: %v", name, err))
	}
	defer in.Close()
	section := ""
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, 1<<20)
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			section = strings.Trim(line, "[]")
		default:
			if err := add(section, line); err != nil {
				panic(fmt.Sprintf("builtin: %s:%d: %v", name, n, err))
			}
		}
	}
}
