package profile

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// class is the kind of code that a function is.
type class int

const (
	assembly class = iota
	ours
	runtime
	other
	classes = 4
)

func (c class) String() string {
	return [classes]string{"assembly", "Go", "Go runtime", "other"}[c]
}

// frame is a function in one place of the stacks.
type frame struct {
	name        string
	class       class
	self, total int64
	callees     map[string]*frame
}

// stacks merges the samples of p from their outermost frames on. Stacks in which
// a function's name begins with from start at the outermost such function.
func stacks(p *profile.Profile, module, from string) *frame {
	root := &frame{callees: map[string]*frame{}}
	at := valueIndex(p)
	for _, s := range p.Sample {
		v := s.Value[at]
		if v == 0 {
			continue
		}
		here := root
		here.total += v
		for _, f := range functions(s, from) {
			next := here.callees[f.Name]
			if next == nil {
				next = &frame{name: f.Name, class: classOf(f, module), callees: map[string]*frame{}}
				here.callees[f.Name] = next
			}
			next.total += v
			here = next
		}
		here.self += v
	}
	return root
}

// functions are those of a sample's stack, the outermost first.
func functions(s *profile.Sample, from string) []*profile.Function {
	var all []*profile.Function
	for _, l := range slices.Backward(s.Location) {
		for _, line := range slices.Backward(l.Line) {
			if line.Function != nil {
				all = append(all, line.Function)
			}
		}
	}
	if from != "" {
		if at := slices.IndexFunc(all, func(f *profile.Function) bool { return strings.HasPrefix(f.Name, from) }); at > 0 {
			return all[at:]
		}
	}
	return all
}

// valueIndex is the value of a sample to draw: CPU time, or the last.
func valueIndex(p *profile.Profile) int {
	at := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == "cpu" })
	if at < 0 {
		at = len(p.SampleType) - 1
	}
	return at
}

func classOf(f *profile.Function, module string) class {
	switch {
	case module != "" && strings.HasPrefix(f.Name, module):
		if strings.HasSuffix(f.Filename, ".s") {
			return assembly
		}
		return ours
	case strings.HasPrefix(f.Name, "runtime.") || strings.HasPrefix(f.Name, "runtime/"), strings.HasPrefix(f.Name, "internal/runtime/"):
		return runtime
	}
	return other
}

// sorted are the callees, the one that took most first.
func (f *frame) sorted() []*frame {
	return slices.SortedFunc(maps.Values(f.callees), func(a, b *frame) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.name, b.name))
	})
}

// depth is the number of frames of the longest stack of which every frame
// takes at least least.
func (f *frame) depth(least int64) int {
	deepest := 0
	for _, c := range f.callees {
		if c.total >= least {
			deepest = max(deepest, 1+c.depth(least))
		}
	}
	return deepest
}

// selves adds up the time of each class.
func (f *frame) selves(sum *[classes]int64) {
	for _, c := range f.callees {
		sum[c.class] += c.self
		c.selves(sum)
	}
}
