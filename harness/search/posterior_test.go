package search

import (
	"math"
	"math/rand/v2"
	"testing"
)

// grid is the levels of a sweep of so many values on each axis.
func grid(axes ...int) [][]int {
	out := [][]int{nil}
	for _, n := range axes {
		var next [][]int
		for _, l := range out {
			for i := range n {
				next = append(next, append(l[:len(l):len(l)], i))
			}
		}
		out = next
	}
	return out
}

// What axes and pairs of axes do must lie in the structure whole, else it is taken
// for noise.
func TestAStructureHoldsEffectsOfAxesAndPairs(t *testing.T) {
	levels := grid(4, 3, 5, 2)
	rng := rand.New(rand.NewPCG(1, 2))
	main, pair := map[[2]int]float64{}, map[[4]int]float64{}
	y := make([]float64, len(levels))
	for i, l := range levels {
		for a, x := range l {
			key := [2]int{a, x}
			if _, ok := main[key]; !ok {
				main[key] = rng.NormFloat64()
			}
			y[i] += main[key]
			for b := range a {
				key := [4]int{a, x, b, l[b]}
				if _, ok := pair[key]; !ok {
					pair[key] = rng.NormFloat64()
				}
				y[i] += pair[key]
			}
		}
	}
	s := newStructure(levels)
	if want := 1 + 3 + 2 + 4 + 1 + 6 + 12 + 3 + 8 + 2 + 4; len(s.basis) != want {
		t.Errorf("%d vectors, want %d", len(s.basis), want)
	}
	for i, f := range s.sum(s.parts(y)) {
		if math.Abs(f-y[i]) > 1e-9 {
			t.Fatalf("cell %v: %g, want %g", levels[i], f, y[i])
		}
	}
}

// Noise that is added to figures that have it already must not spread the cells
// twice over: draws are nearer to the truth where the axes tell what is regular.
func TestDrawsGoTowardsWhatIsRegular(t *testing.T) {
	levels := grid(5, 4, 5, 2)
	rng := rand.New(rand.NewPCG(3, 4))
	e := Evidence{Objectives: []Metric{{Name: "latency_ms_p50"}, {Name: "model_bytes"}}}
	truth := make([]float64, len(levels))
	for i, l := range levels {
		truth[i] = math.Exp(0.5*float64(l[0]) - 0.3*float64(l[1]) + 0.1*float64(l[2]*l[3]) + 0.02*rng.NormFloat64())
		k := Known{Subject: -1, Levels: levels[i]}
		n := 1
		if i%8 == 0 {
			n = 3
		}
		for range n {
			k.Trials = append(k.Trials, []float64{truth[i] * math.Exp(0.1*rng.NormFloat64()), float64(1 + l[0])})
		}
		e.Cells = append(e.Cells, k)
	}
	off := func() (sum float64) {
		p := posteriorOf(e)
		for n := range 50 {
			for i, row := range p.draw(n) {
				sum += math.Abs(math.Log(row[0] / truth[i]))
				if row[1] != float64(1+levels[i][0]) {
					t.Fatalf("a size that never varies is drawn as %g", row[1])
				}
			}
		}
		return sum / 50 / float64(len(levels))
	}
	with := off()
	for i := range e.Cells {
		e.Cells[i].Levels = nil
	}
	if without := off(); with > 0.65*without {
		t.Errorf("draws are %.3f off with a structure, %.3f without", with, without)
	}
}

// Models that gave the same answers have the same F1 in every draw: else a cell that
// is dominated for sure would be on the front half of the time.
func TestTheSameAnswersStayEqual(t *testing.T) {
	levels := grid(6, 6, 3)
	rng := rand.New(rand.NewPCG(5, 6))
	a := Answers{Draws: make([][]float64, 40)}
	e := Evidence{Objectives: []Metric{{Name: "latency_ms_p50"}, {Name: "f1_macro", More: true}}}
	for i, l := range levels {
		same := l[2] == 1 // as with level 0: the axis changes no answer
		for d := range a.Draws {
			v := 0.8 + 0.02*rng.NormFloat64()
			if same {
				v = a.Draws[d][i-1]
			}
			a.Draws[d] = append(a.Draws[d], v)
		}
		v := 0.8 + 0.02*rng.NormFloat64()
		if same {
			v = a.Value[i-1]
		}
		a.Value = append(a.Value, v)
		e.Cells = append(e.Cells, Known{Subject: i, Levels: l, Trials: [][]float64{{1 + rng.Float64(), math.NaN()}, {1 + rng.Float64(), math.NaN()}}})
	}
	e.Answers = map[string]Answers{"f1_macro": a}
	p := posteriorOf(e)
	if p.regular == nil {
		t.Fatal("no structure was looked for")
	}
	for n := range 20 {
		rows := p.draw(n)
		for i, l := range levels {
			if l[2] == 1 && rows[i][1] != rows[i-1][1] {
				t.Fatalf("cells %v and %v: F1 %g and %g", levels[i-1], l, rows[i-1][1], rows[i][1])
			}
		}
	}
}

// One cell whose energy is 0, less than its sensor can tell, must not take all others off
// the front.
func TestAValueWithoutALogarithm(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	e := Evidence{Objectives: []Metric{{Name: "latency_ms_p50"}, {Name: "energy_j"}}}
	for i, l := range grid(6, 6, 3) {
		k := Known{Subject: -1, Levels: l}
		energy := 1 + rng.Float64()
		if i == 50 {
			energy = 0
		}
		for range 2 {
			k.Trials = append(k.Trials, []float64{1 + float64(l[0]) + 0.1*rng.Float64(), energy})
		}
		e.Cells = append(e.Cells, k)
	}
	sum := 0.0
	for _, p := range e.Probabilities(50, 1) {
		sum += p
	}
	if !(sum >= 1) {
		t.Errorf("%g cells are on the front", sum)
	}
}
