package command

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// longForms are llama-bench's flags of several letters behind one dash, which
// would be several flags elsewhere.
var longForms = map[string]string{
	"-ub": "--ubatch-size", "-pg": "--prompt-gen", "-ctk": "--cache-type-k", "-ctv": "--cache-type-v",
}

// LongFlags spells llama-bench's short flags of several letters in the arguments
// of a `bench` command as long ones, which flags are parsed from. Other command
// lines stay as they are.
func LongFlags(args []string) []string {
	at := slices.Index(args, "bench")
	if at < 0 || slices.ContainsFunc(args[:at], func(a string) bool { return !strings.HasPrefix(a, "-") && a != "runner" }) {
		return args
	}
	out := slices.Clone(args)
	for i := at + 1; i < len(out) && out[i] != "--"; i++ {
		name, value, assigned := strings.Cut(out[i], "=")
		if long, ok := longForms[name]; ok {
			out[i] = long
			if assigned {
				out[i] += "=" + value
			}
		}
	}
	return out
}

// changed returns the flags that were given as arguments, in the order of their
// names, without those that the runner does not have.
func changed(f *pflag.FlagSet) []string {
	var args []string
	f.VisitAll(func(f *pflag.Flag) {
		if f.Changed && f.Annotations[NotOnBoard] == nil {
			args = append(args, "--"+f.Name+"="+f.Value.String())
		}
	})
	return args
}

// NotOnBoard is the annotation of a flag that another program added to a command
// of this package.
const NotOnBoard = "not-on-board"

// names is a flag that lists names.
type names struct {
	values []string
	given  bool
}

// Set adds names; the first call replaces the default.
func (l *names) Set(text string) error {
	if !l.given {
		l.values, l.given = nil, true
	}
	for name := range strings.SplitSeq(text, ",") {
		if name == "" {
			return errors.New("a name is empty")
		}
		l.values = append(l.values, name)
	}
	return nil
}

func (l *names) String() string { return strings.Join(l.values, ",") }
func (l *names) Type() string   { return "names" }

// maxTests bounds what a list or a range may grow to.
const maxTests = 1000

// ints is a flag that lists numbers of at least least and, unless it is 0, at
// most most.
type ints struct {
	values      []int
	least, most int
	given       bool
}

// Set adds numbers and ranges; the first call replaces the default.
func (l *ints) Set(text string) error {
	if !l.given {
		l.values, l.given = nil, true
	}
	for part := range strings.SplitSeq(text, ",") {
		more, err := parseRange(part)
		if err != nil {
			return err
		}
		l.values = append(l.values, more...)
	}
	limit := l.most
	if limit == 0 {
		limit = 1 << 24
	}
	for _, v := range l.values {
		if v < l.least || v > limit {
			return fmt.Errorf("%d is not from %d to %d", v, l.least, limit)
		}
	}
	if len(l.values) > maxTests {
		return fmt.Errorf("%d numbers, at most %d make sense", len(l.values), maxTests)
	}
	return nil
}

func (l *ints) String() string {
	text := make([]string, len(l.values))
	for i, v := range l.values {
		text[i] = strconv.Itoa(v)
	}
	return strings.Join(text, ",")
}

func (l *ints) Type() string { return "numbers" }

// parseRange reads a number, first-last, first-last+step or first-last*factor.
func parseRange(text string) ([]int, error) {
	wrong := func() error {
		return fmt.Errorf("%q is no number and no range such as 1-4, 8-64*2 or 128-512+128", text)
	}
	number := func(s string) (int, bool) {
		v, err := strconv.ParseUint(s, 10, 31)
		return int(v), err == nil
	}
	ends, step, add := text, 1, true
	if at := strings.IndexAny(text, "+*"); at >= 0 {
		var ok bool
		if step, ok = number(text[at+1:]); !ok {
			return nil, wrong()
		}
		ends, add = text[:at], text[at] == '+'
	}
	from, to, isRange := strings.Cut(ends, "-")
	first, ok1 := number(from)
	if !isRange && ok1 && ends == text {
		return []int{first}, nil
	}
	last, ok2 := number(to)
	if !ok1 || !ok2 || last < first {
		return nil, wrong()
	}
	if add && step < 1 || !add && (step < 2 || first < 1) {
		return nil, fmt.Errorf("%q never ends", text)
	}
	var out []int
	for v := first; v <= last; {
		if out = append(out, v); len(out) > maxTests {
			return nil, fmt.Errorf("%q is more than %d numbers", text, maxTests)
		}
		if add {
			v += step
		} else {
			v *= step
		}
	}
	return out, nil
}

// pairs is a flag that lists pairs of a prompt and what is generated after it.
type pairs struct{ values [][2]int }

// Set adds a pair, or several with semicolons between.
func (l *pairs) Set(text string) error {
	for part := range strings.SplitSeq(text, ";") {
		p, g, ok := strings.Cut(part, ",")
		prompt, err1 := strconv.ParseUint(p, 10, 24)
		gen, err2 := strconv.ParseUint(g, 10, 24)
		if !ok || err1 != nil || err2 != nil {
			return fmt.Errorf("%q is no pair such as 512,128", part)
		}
		l.values = append(l.values, [2]int{int(prompt), int(gen)})
	}
	return nil
}

func (l *pairs) String() string {
	text := make([]string, len(l.values))
	for i, v := range l.values {
		text[i] = fmt.Sprintf("%d,%d", v[0], v[1])
	}
	return strings.Join(text, ";")
}

func (l *pairs) Type() string { return "pair" }
