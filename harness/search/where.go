package search

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Verdict is what figures with intervals say of a constraint.
type Verdict string

// Verdicts. Undecided are those whose intervals hold values on both sides of a
// bound, and those that lack a figure or its interval.
const (
	Satisfied Verdict = "satisfied"
	Violated  Verdict = "violated"
	Undecided Verdict = "undecided"
)

// Limits of an expression, so that no text can exhaust the stack.
const (
	maxWhere = 2000 // bytes
	maxDepth = 50   // parentheses and negations inside each other
)

// Where is a constraint on metrics, such as f1_macro>=0.9 && energy_j<0.5.
//
//	or         = and { "||" and }
//	and        = term { "&&" term }
//	term       = "!" term | "(" or ")" | comparison
//	comparison = metric op number | number op metric
//	op         = "<" | "<=" | ">" | ">="
//
// Numbers are those of Go, in the metric's unit: 3e6 of model_bytes are 3 MB.
type Where struct {
	text string
	root node
}

// String returns the text that was parsed.
func (w *Where) String() string { return w.text }

// WhereError says where a constraint cannot be read, and what would do.
type WhereError struct {
	Text   string
	Offset int // in bytes
	Reason string
}

func (e *WhereError) Error() string {
	return fmt.Sprintf("constraint %.60q at position %d: %s", e.Text, e.Offset+1, e.Reason)
}

// ParseWhere reads a constraint. Errors are a [*WhereError].
func ParseWhere(text string) (*Where, error) {
	if len(text) > maxWhere {
		return nil, &WhereError{text, maxWhere, fmt.Sprintf("longer than %d bytes", maxWhere)}
	}
	p := &parser{text: text}
	if err := p.next(); err != nil {
		return nil, err
	}
	root, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.kind != end {
		return nil, p.fail("%q after the end of the constraint; join two with && or ||", p.token)
	}
	return &Where{text, root}, nil
}

// Metrics lists the metrics that the constraint reads, each once.
func (w *Where) Metrics() []Metric {
	var out []Metric
	w.root.walk(func(c comparison) {
		if !slices.Contains(out, c.metric) {
			out = append(out, c.metric)
		}
	})
	return out
}

// Holds says whether values meet the constraint; a comparison with a value that is
// not a number does not hold.
func (w *Where) Holds(value func(metric string) float64) bool {
	return w.root.judge(func(m string) (lo, hi float64) { v := value(m); return v, v }) == Satisfied
}

// Judge says what intervals say of the constraint: satisfied or violated where
// that holds for every value in them. NaN ends mean that nothing is known.
func (w *Where) Judge(interval func(metric string) (lo, hi float64)) Verdict {
	return w.root.judge(interval)
}

type node interface {
	judge(interval func(metric string) (lo, hi float64)) Verdict
	walk(func(comparison))
}

type comparison struct {
	metric Metric
	less   bool // value < bound, else value > bound
	equal  bool // or equal to it
	bound  float64
}

func (c comparison) judge(interval func(metric string) (lo, hi float64)) Verdict {
	lo, hi := interval(c.metric.Name)
	if math.IsNaN(lo) || math.IsNaN(hi) {
		return Undecided
	}
	a, b := c.holds(lo), c.holds(hi)
	switch {
	case a && b:
		return Satisfied
	case !a && !b:
		return Violated
	}
	return Undecided
}

func (c comparison) holds(v float64) bool {
	switch {
	case v == c.bound:
		return c.equal
	case c.less:
		return v < c.bound
	}
	return v > c.bound
}

func (c comparison) walk(f func(comparison)) { f(c) }

type not struct{ of node }

func (n not) judge(interval func(string) (lo, hi float64)) Verdict {
	switch n.of.judge(interval) {
	case Satisfied:
		return Violated
	case Violated:
		return Satisfied
	}
	return Undecided
}

func (n not) walk(f func(comparison)) { n.of.walk(f) }

// join is && or ||. Verdicts are those of Kleene's three-valued logic.
type join struct {
	parts []node
	all   bool // &&
}

func (j join) judge(interval func(string) (lo, hi float64)) Verdict {
	ends, rest := Satisfied, Violated // of ||
	if j.all {
		ends, rest = Violated, Satisfied
	}
	out := rest
	for _, p := range j.parts {
		switch p.judge(interval) {
		case ends:
			return ends
		case Undecided:
			out = Undecided
		}
	}
	return out
}

func (j join) walk(f func(comparison)) {
	for _, p := range j.parts {
		p.walk(f)
	}
}

type kind int

const (
	end kind = iota
	name
	num
	op // < <= > >= && || ! ( )
)

// parser is a recursive descent over tokens.
type parser struct {
	text  string
	at    int // of the token
	after int
	kind  kind
	token string
}

func (p *parser) fail(format string, args ...any) error {
	return &WhereError{p.text, p.at, fmt.Sprintf(format, args...)}
}

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	digits  = "0123456789"
)

// next reads the next token.
func (p *parser) next() error {
	rest := strings.TrimLeft(p.text[p.after:], " \t\n\r")
	p.at = len(p.text) - len(rest)
	take := func(k kind, n int) error {
		p.kind, p.token, p.after = k, rest[:n], p.at+n
		return nil
	}
	switch {
	case rest == "":
		return take(end, 0)
	case strings.ContainsRune(letters, rune(rest[0])):
		return take(name, len(rest)-len(strings.TrimLeft(rest, letters+digits)))
	case strings.ContainsRune(digits+".+-", rune(rest[0])):
		return take(num, numeral(rest))
	}
	for _, o := range []string{"<=", ">=", "&&", "||", "<", ">", "!", "(", ")"} {
		if !strings.HasPrefix(rest, o) {
			continue
		}
		if o == "!" && strings.HasPrefix(rest, "!=") {
			break
		}
		return take(op, len(o))
	}
	switch rest[0] {
	case '=', '!':
		return p.fail("measured values are never equal; compare with <, <=, > or >=")
	case '&', '|':
		return p.fail("%q: write %s", rest[:1], strings.Repeat(rest[:1], 2))
	}
	r := []rune(rest[:min(4, len(rest))])
	return p.fail("unexpected %q; a constraint reads like f1_macro>=0.9 && latency_ms_p50<5", string(r[0]))
}

// numeral is how many bytes of text belong to a number, its sign and exponent
// included.
func numeral(text string) int {
	n := 1
	for n < len(text) {
		c := text[n]
		sign := (c == '+' || c == '-') && (text[n-1] == 'e' || text[n-1] == 'E')
		if !sign && !strings.ContainsRune(letters+digits+".", rune(c)) {
			break
		}
		n++
	}
	return n
}

func (p *parser) or(depth int) (node, error) { return p.join("||", depth, p.and) }

func (p *parser) and(depth int) (node, error) { return p.join("&&", depth, p.term) }

func (p *parser) join(with string, depth int, part func(int) (node, error)) (node, error) {
	first, err := part(depth)
	if err != nil {
		return nil, err
	}
	parts := []node{first}
	for p.kind == op && p.token == with {
		if err := p.next(); err != nil {
			return nil, err
		}
		n, err := part(depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, n)
	}
	if len(parts) == 1 {
		return first, nil
	}
	return join{parts, with == "&&"}, nil
}

func (p *parser) term(depth int) (node, error) {
	if depth > maxDepth {
		return nil, p.fail("more than %d parentheses inside each other", maxDepth)
	}
	switch {
	case p.kind == op && p.token == "!":
		if err := p.next(); err != nil {
			return nil, err
		}
		n, err := p.term(depth + 1)
		return not{n}, err
	case p.kind == op && p.token == "(":
		opened := p.at
		if err := p.next(); err != nil {
			return nil, err
		}
		n, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.kind != op || p.token != ")" {
			return nil, p.fail("the parenthesis of position %d is not closed", opened+1)
		}
		return n, p.next()
	}
	return p.comparison()
}

// comparison is metric op number, or number op metric, which is turned round.
func (p *parser) comparison() (node, error) {
	var c comparison
	turned := p.kind == num
	if err := p.operand(&c, turned); err != nil {
		return nil, err
	}
	if p.kind != op || !strings.ContainsAny(p.token, "<>") {
		return nil, p.fail("expected <, <=, > or >=, found %s", p.found())
	}
	c.less, c.equal = p.token[0] == '<' != turned, len(p.token) == 2
	if err := p.next(); err != nil {
		return nil, err
	}
	if err := p.operand(&c, !turned); err != nil {
		return nil, err
	}
	return c, nil
}

// operand reads a number or a metric into c.
func (p *parser) operand(c *comparison, number bool) error {
	if number {
		v, err := strconv.ParseFloat(p.token, 64)
		if p.kind != num || err != nil || math.IsInf(v, 0) {
			return p.fail("expected a number, found %s", p.found())
		}
		c.bound = v
		return p.next()
	}
	if p.kind != name {
		return p.fail("expected a metric such as %s, found %s", metrics[0].Name, p.found())
	}
	m, err := Find(p.token)
	if err != nil {
		return p.fail("%v", err)
	}
	c.metric = m
	return p.next()
}

func (p *parser) found() string {
	if p.kind == end {
		return "the end"
	}
	return fmt.Sprintf("%.40q", p.token)
}
