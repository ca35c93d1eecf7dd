package stat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const (
	simMetrics = 200
	simHistory = 33
)

// The rules under comparison. Confirmed is what the gate does: Watch's suspicions
// put to an ABBA series on the same night.
const (
	confirmed = iota
	passive
	rustc
	benchstat
	plain
	ruleCount
)

var ruleNames = [ruleCount]string{"Watch, ABBA-confirmed", "Watch alone", "Q3 + 3·IQR of past changes", "Mann-Whitney α = .05", "5 % of medians"}

var confirm = Confirm(1)

// sim is a sweep of 200 metrics with its history.
type sim struct {
	world
	histories []History
	repeats   [][]float64 // tonight's
	previous  [][]float64 // those of the night that benchstat compares with
	pairs     int         // spent on confirming
	suspects  int
}

func newSim(rec *recording, mad float64, seed uint64) *sim {
	s := &sim{world: world{rec, mad, rand.New(rand.NewPCG(seed, 77))}, histories: make([]History, simMetrics), repeats: make([][]float64, simMetrics)}
	for m := range s.histories {
		s.histories[m] = History{Name: fmt.Sprint(m), Group: "board"}
	}
	for range simHistory {
		s.night(-1, 0)
	}
	s.previous = slices.Clone(s.repeats)
	return s
}

// night measures every metric once more; planted is slower by effect.
func (s *sim) night(planted int, effect float64) {
	machine := s.machine()
	for m := range s.histories {
		truth := 0.0
		if m == planted {
			truth = effect
		}
		s.repeats[m] = s.world.repeats(truth, machine)
		h := &s.histories[m]
		if len(h.Nights) > 2*simHistory {
			h.Nights = append(h.Nights[:0], h.Nights[len(h.Nights)-simHistory:]...)
		}
		h.Nights = append(h.Nights, NightOf(s.repeats[m]))
	}
}

// alarms returns which metrics each rule calls regressed tonight.
func (s *sim) alarms(planted int, effect float64, others bool) (out [ruleCount][]int) {
	found, _ := Watch{}.Tonight(s.histories)
	for _, f := range found {
		m := 0
		fmt.Sscan(f.Name, &m)
		if f.Outcome == Regressed && f.Sure {
			out[passive] = append(out[passive], m)
		}
		if f.Outcome != Regressed {
			continue
		}
		truth := 0.0
		if m == planted {
			truth = effect
		}
		s.suspects++
		series := s.world.pairs(confirm.MaxPairs, truth)
		d, n := confirm.Follow(series)
		s.pairs += n
		if d.Outcome == Regressed {
			out[confirmed] = append(out[confirmed], m)
		}
	}
	for m, h := range s.histories {
		if rustcRule(h.Nights) {
			out[rustc] = append(out[rustc], m)
		}
		if !others && m != planted {
			continue
		}
		a, b := s.previous[m], s.repeats[m]
		if Median(b) > Median(a) {
			if _, p := MannWhitney(a, b); p < 0.05 {
				out[benchstat] = append(out[benchstat], m)
			}
		}
		if Median(b) > 1.05*Median(a) {
			out[plain] = append(out[plain], m)
		}
	}
	return out
}

// rustcRule flags a change from the last night beyond Q3 + 3·IQR of the absolute
// changes of the nights before.
func rustcRule(nights []Night) bool {
	n := len(nights)
	changes := make([]float64, 0, 30)
	for i := n - 31; i < n-1; i++ {
		changes = append(changes, math.Abs(nights[i].Value/nights[i-1].Value-1))
	}
	slices.Sort(changes)
	q1, q3 := sortedQuantile(changes, 0.25), sortedQuantile(changes, 0.75)
	return nights[n-1].Value/nights[n-2].Value-1 > q3+3*(q3-q1)
}

// figures of the rules at one steadiness.
type figures struct {
	mad      float64
	clean    [ruleCount]float64 // false alarms in 10,000 nights
	two      [ruleCount]float64 // share of 2 % found within three nights
	five     [ruleCount]float64 // share of 5 % found the same night
	suspects float64            // a clean night
	pairs    float64            // a clean night
}

func simulate(rec *recording, mad float64, nights, plants int) figures {
	f := figures{mad: mad}
	rare := max(1, nights/200) // the blunt rules need no more nights to be judged
	s := newSim(rec, mad, 1)
	s.suspects, s.pairs = 0, 0
	blunt := 0
	for n := range nights {
		s.previous = slices.Clone(s.repeats)
		s.night(-1, 0)
		others := n%rare == 0
		if others {
			blunt++
		}
		a := s.alarms(-1, 0, others)
		for rule := range a {
			f.clean[rule] += float64(len(a[rule]))
		}
	}
	for rule := range f.clean {
		of := nights
		if rule == benchstat || rule == plain {
			of = blunt
		}
		f.clean[rule] *= 10000 / float64(of)
	}
	f.suspects, f.pairs = float64(s.suspects)/float64(nights), float64(s.pairs)/float64(nights)
	for p := range plants {
		for _, effect := range []float64{0.02, 0.05} {
			s := newSim(rec, mad, uint64(1000+p))
			planted := p % simMetrics
			var seen [ruleCount]bool
			last := 3
			if effect == 0.05 {
				last = 1
			}
			for range last {
				s.night(planted, math.Log1p(effect))
				a := s.alarms(planted, math.Log1p(effect), false)
				for rule := range a {
					seen[rule] = seen[rule] || slices.Contains(a[rule], planted)
				}
			}
			for rule, yes := range seen {
				if yes && effect == 0.02 {
					f.two[rule] += 1 / float64(plants)
				} else if yes {
					f.five[rule] += 1 / float64(plants)
				}
			}
		}
	}
	return f
}

// A nightly gate that misses a 2 % slow-down is of no use, and one that cries
// wolf is switched off.
func TestPlantedTruth(t *testing.T) {
	rec := loadRecording(t)
	t.Log(rec)
	mads := []float64{0.0025, 0.0075}
	if full {
		mads = []float64{0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03}
	}
	for _, mad := range mads {
		t.Run(fmt.Sprintf("MAD=%.2f%%", 100*mad), func(t *testing.T) {
			t.Parallel()
			f := simulate(rec, mad, cleanNights, plantings)
			var table strings.Builder
			for rule, name := range ruleNames {
				fmt.Fprintf(&table, "\n| %.2f | %s | %.1f | %.1f | %.0f |", 100*mad, name, 100*f.two[rule], 100*f.five[rule], f.clean[rule])
			}
			t.Logf("%s\na clean night has %.2f suspicions and spends %.1f pairs on them", table.String(), f.suspects, f.pairs)
			if mad > 0.0075 {
				return
			}
			// Few plantings and nights allow for their own scatter.
			missed := func(p float64) float64 { return 3 * math.Sqrt(p*(1-p)/float64(plantings)) }
			limit := 50.0
			if full {
				missed = func(float64) float64 { return 0 }
			} else {
				limit = 2 * 10000 / float64(cleanNights)
			}
			if f.two[confirmed] < 0.95-missed(0.95) || f.five[confirmed] < 0.99-missed(0.99) {
				t.Errorf("2 %% found within three nights in %.1f %%, 5 %% the same night in %.1f %%", 100*f.two[confirmed], 100*f.five[confirmed])
			}
			if f.clean[confirmed] > limit {
				t.Errorf("%.0f false alarms in 10,000 clean nights", f.clean[confirmed])
			}
		})
	}
}

// Without a series Watch is alone: what it is sure of is an alarm, with a long history
// and a short one.
func TestSureFindingsAreRare(t *testing.T) {
	const nights = 300
	rec := loadRecording(t)
	for _, history := range []int{8, 30} {
		s, alarms := newSim(rec, 0.0075, 5), 0
		for range nights {
			s.night(-1, 0)
			now := make([]History, len(s.histories))
			for m, h := range s.histories {
				now[m] = h
				now[m].Nights = h.Nights[len(h.Nights)-history-1:]
			}
			found, shifts := Watch{}.Tonight(now)
			for _, f := range found {
				if f.Sure && f.Outcome == Regressed {
					alarms++
				}
			}
			for _, shift := range shifts {
				if shift.Sure {
					alarms++
				}
			}
		}
		rate := float64(alarms) * 10000 / nights
		t.Logf("%d nights of history: %.0f false alarms in 10,000 nights", history, rate)
		if rate > 200 { // 300 nights scatter
			t.Errorf("%d nights of history: %.0f false alarms in 10,000 nights", history, rate)
		}
	}
}
