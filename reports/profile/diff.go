package profile

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// Side is the profiles of one build over a known amount of work.
type Side struct {
	Profiles []*profile.Profile
	Work     []float64 // of each, in any unit, the same on both sides, such as inferences
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
	// Z is the change in standard errors: those of a share that samples tell, n of N,
	// which is √(n(1-n/N)), and of the time of all, from its scatter over the profiles.
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
	scatter           float64 // relative standard error of total.ns
}

// Compare sets after beside before.
func (d Differ) Compare(before, after Side) (*Diff, error) {
	for _, s := range []Side{before, after} {
		if len(s.Work) == 0 || len(s.Work) != len(s.Profiles) || slices.ContainsFunc(s.Work, func(w float64) bool { return !(w > 0) }) {
			return nil, errors.New("comparing profiles: there is no work behind one of them")
		}
	}
	a, b := d.read(before), d.read(after)
	if a.total.ns == 0 || b.total.ns == 0 {
		return nil, errors.New("comparing profiles: one of them has no sample; profile for longer")
	}
	out := &Diff{
		Functions: changes(a, b, a.functions, b.functions), Layers: changes(a, b, a.layers, b.layers),
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
	for _, layer := range names(a.layers, b.layers) {
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
	work := floats.Sum(s.Work)
	var units []float64 // total time of a unit of work, a profile each
	for i, p := range s.Profiles {
		at, before := valueIndex(p), k.total.ns
		for _, x := range p.Sample {
			all := functions(x, "")
			if x.Value[at] == 0 || len(all) == 0 {
				continue
			}
			leaf := all[len(all)-1]
			t := tally{float64(x.Value[at]) / work, 1}
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
		units = append(units, (k.total.ns-before)*work/s.Work[i])
	}
	if mean, sd := stat.MeanStdDev(units, nil); len(units) > 1 {
		k.scatter = stat.StdErr(sd, float64(len(units))) / mean
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

// names are those that either has, sorted.
func names(a, b map[string]tally) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// changes sets the times x of side a beside the times y of side b.
func changes(a, b *book, x, y map[string]tally) []Change {
	var out []Change
	for _, name := range names(x, y) {
		t, u := x[name], y[name]
		c := Change{Name: name, BeforeNS: t.ns, AfterNS: u.ns, Share: (u.ns - t.ns) / a.total.ns}
		if d := c.Delta(); d != 0 {
			c.Z = d / math.Hypot(a.error(t), b.error(u))
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y Change) int {
		return cmp.Or(cmp.Compare(math.Abs(y.Delta()), math.Abs(x.Delta())), cmp.Compare(x.Name, y.Name))
	})
	return out
}

// error is the standard error of a time. One of all samples is as a share of all but
// one, so that a profile of one function does not know it without error.
func (k *book) error(t tally) float64 {
	if t.n == 0 {
		return 0
	}
	share := math.Sqrt(max(1, t.n*(1-t.n/k.total.n))) / t.n
	return t.ns * math.Hypot(share, k.scatter)
}
