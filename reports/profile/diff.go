package profile

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Side is the profiles of one build over a known amount of work.
type Side struct {
	Profiles []*profile.Profile
	Work     float64 // in any unit, the same on both sides, such as inferences
}

// Differ says how two sides are compared.
type Differ struct {
	// Module is the path that the names of our own functions begin with, "" = none.
	Module string
	// Layers is the prefix of the functions that tell what part of the work a sample
	// belongs to; the innermost one of a stack counts, else its innermost function
	// that is ours.
	Layers string
}

// Change is what a function, or a layer, takes more or less of the time of a unit
// of work, in nanoseconds of CPU.
type Change struct {
	Name string `json:"name"`
	// Layer is the layer in which most of the change is, of a function.
	Layer string `json:"layer,omitempty"`
	// Assembly says that the function is written in assembly, as kernels are.
	Assembly bool    `json:"assembly,omitempty"`
	BeforeNS float64 `json:"before_ns"`
	AfterNS  float64 `json:"after_ns"`
	// Share is the change relative to all CPU time of a unit before.
	Share float64 `json:"share"`
	// Z is the change in standard errors of counting samples: a profile with n
	// samples of a function knows its time to one part in √n.
	Z float64 `json:"z"`
}

// Delta is the change in nanoseconds of CPU per unit of work.
func (c Change) Delta() float64 { return c.AfterNS - c.BeforeNS }

// Diff is the difference of two sides, the greatest changes first.
type Diff struct {
	Functions []Change `json:"functions"` // by their own time, without that of callees
	Layers    []Change `json:"layers"`
	BeforeNS  float64  `json:"before_ns"` // all CPU time of a unit
	AfterNS   float64  `json:"after_ns"`
}

// tally is the time and the number of samples of a name.
type tally struct{ ns, n float64 }

// book is one side's time by function, by layer and by both.
type book struct {
	functions, layers map[string]tally
	pairs             map[[2]string]float64
	assembly          map[string]bool
	total             tally
}

// Compare sets after beside before.
func (d Differ) Compare(before, after Side) (*Diff, error) {
	if !(before.Work > 0) || !(after.Work > 0) {
		return nil, errors.New("comparing profiles: there is no work behind them")
	}
	a, b := d.read(before), d.read(after)
	if a.total.ns == 0 || b.total.ns == 0 {
		return nil, errors.New("comparing profiles: one of them has no sample; profile for longer")
	}
	out := &Diff{
		Functions: changes(a.functions, b.functions, a.total.ns), Layers: changes(a.layers, b.layers, a.total.ns),
		BeforeNS: a.total.ns, AfterNS: b.total.ns,
	}
	for i := range out.Functions {
		f := &out.Functions[i]
		f.Assembly = a.assembly[f.Name] || b.assembly[f.Name]
		f.Layer = mostChanged(f.Name, f.Delta(), a, b)
	}
	return out, nil
}

// mostChanged is the layer in which a function changed most in the direction of
// its change.
func mostChanged(function string, delta float64, a, b *book) string {
	best, name := math.Inf(-1), ""
	for _, layer := range slices.Sorted(maps.Keys(b.layers)) {
		key := [2]string{function, layer}
		if d := math.Copysign(1, delta) * (b.pairs[key] - a.pairs[key]); (a.pairs[key] > 0 || b.pairs[key] > 0) && d > best {
			best, name = d, layer
		}
	}
	return name
}

// read adds the profiles of a side up, a unit of work.
func (d Differ) read(s Side) *book {
	k := &book{functions: map[string]tally{}, layers: map[string]tally{}, pairs: map[[2]string]float64{}, assembly: map[string]bool{}}
	for _, p := range s.Profiles {
		at := valueIndex(p)
		for _, x := range p.Sample {
			all := functions(x, "")
			if x.Value[at] == 0 || len(all) == 0 {
				continue
			}
			leaf := all[len(all)-1]
			t := tally{float64(x.Value[at]) / s.Work, 1}
			if at != 0 {
				t.n = float64(x.Value[0]) // pprof: the first value counts samples
			}
			layer := d.layer(all)
			k.functions[leaf.Name] = k.functions[leaf.Name].plus(t)
			k.layers[layer] = k.layers[layer].plus(t)
			k.pairs[[2]string{leaf.Name, layer}] += t.ns
			k.total = k.total.plus(t)
			if classOf(leaf, d.Module) == assembly {
				k.assembly[leaf.Name] = true
			}
		}
	}
	return k
}

func (t tally) plus(u tally) tally { return tally{t.ns + u.ns, t.n + u.n} }

// layer is the innermost function that tells of a layer.
func (d Differ) layer(all []*profile.Function) string {
	ours := ""
	for _, f := range slices.Backward(all) {
		switch {
		case d.Layers != "" && strings.HasPrefix(f.Name, d.Layers):
			return f.Name
		case ours == "" && d.Module != "" && strings.HasPrefix(f.Name, d.Module):
			ours = f.Name
		}
	}
	if ours != "" {
		return ours
	}
	return all[0].Name
}

func changes(a, b map[string]tally, total float64) []Change {
	names := map[string]bool{}
	for _, side := range []map[string]tally{a, b} {
		for name := range side {
			names[name] = true
		}
	}
	var out []Change
	for name := range names {
		x, y := a[name], b[name]
		c := Change{Name: name, BeforeNS: x.ns, AfterNS: y.ns, Share: (y.ns - x.ns) / total}
		c.Z = c.Delta() / math.Hypot(x.error(), y.error())
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y Change) int {
		return cmp.Or(cmp.Compare(math.Abs(y.Delta()), math.Abs(x.Delta())), cmp.Compare(x.Name, y.Name))
	})
	return out
}

// error is the standard error of a time that n samples tell.
func (t tally) error() float64 {
	if t.n == 0 {
		return 0
	}
	return t.ns / math.Sqrt(t.n)
}
