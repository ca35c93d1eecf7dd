package sweep

import (
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/seed-c6f48606/harness/harness/search"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// answerDraws is how many resamples of the test items a search's probabilities
// stand on.
const answerDraws = 250

// testScores are the metrics of what models answered on some of the test items.
type testScores struct {
	of    map[string]search.Answers
	index map[qualityKey]int
}

// subject is the number of an artefact at a threshold, −1 where it was not
// evaluated.
func (a testScores) subject(artefact string, threshold float64) int {
	if i, ok := a.index[qualityKey{artefact, threshold}]; ok {
		return i
	}
	return -1
}

// scored scores what a run's store has of its subjects.
func scored(qualities []store.Quality, columns []search.Metric, items []int, seed uint64) testScores {
	out := testScores{index: map[qualityKey]int{}}
	var subjects []wire.EvalResult
	var reference *wire.EvalResult
	for i, q := range qualities {
		switch q.Subject {
		case store.Reference:
			reference = &qualities[i].Result
		case store.Baseline:
		default:
			out.index[qualityKey{q.Subject, q.Threshold}] = len(subjects)
			subjects = append(subjects, q.Result)
		}
	}
	out.of = Score(subjects, reference, columns, items, seed)
	return out
}

// Score computes those of the metrics that are ones of answers, by name: the
// subjects' values on the items given by number, and on resamples of them. A
// resample is one for all subjects, so that what is hard for all does not part
// them. reference, the dense f32 model's answers, may be nil.
func Score(subjects []wire.EvalResult, reference *wire.EvalResult, columns []search.Metric, items []int, seed uint64) map[string]search.Answers {
	out := map[string]search.Answers{}
	if len(subjects) == 0 || len(items) == 0 {
		return out
	}
	draws := make([][]int, answerDraws)
	rng := rand.New(rand.NewPCG(seed, 0x94d049bb133111eb)) //nolint:gosec // statistics, not secrets
	for d := range draws {
		draws[d] = make([]int, len(items))
		for i := range draws[d] {
			draws[d][i] = items[rng.IntN(len(items))]
		}
	}
	for _, c := range columns {
		a := search.Answers{Draws: make([][]float64, len(draws))}
		for _, s := range subjects {
			of := statistic(c.Name, s, reference)
			if of == nil {
				break // no answers of this kind: the metric is a trial's, or nobody's
			}
			a.Value = append(a.Value, of(items))
			for d := range draws {
				a.Draws[d] = append(a.Draws[d], of(draws[d]))
			}
		}
		if len(a.Value) == len(subjects) {
			out[c.Name] = a
		}
	}
	return out
}

// statistic returns a metric as a function of item numbers; nil where the result
// has no such answers for every item.
func statistic(metric string, s wire.EvalResult, reference *wire.EvalResult) func(items []int) float64 {
	n := len(s.Truth)
	labelled := n > 0 && len(s.Predictions) == n && !slices.Contains(s.Truth, -1)
	switch metric {
	case "f1_macro":
		if labelled {
			all := make([]int, n)
			for i := range all {
				all[i] = i
			}
			return macroF1(s, all)
		}
	case "f1_micro", "accuracy":
		if labelled {
			return func(items []int) float64 { return share(items, func(i int) bool { return hit(s, i) }) }
		}
	case "kl_div":
		if len(s.ItemKL) == n && n > 0 {
			return func(items []int) float64 {
				sum := 0.0
				for _, i := range items {
					sum += s.ItemKL[i]
				}
				return sum / float64(len(items))
			}
		}
	case "top1_agree":
		if reference != nil && n > 0 && len(reference.Predictions) == n && len(s.Predictions) == n {
			return func(items []int) float64 {
				return share(items, func(i int) bool { return s.Predictions[i] == reference.Predictions[i] })
			}
		}
	case "skip_rate":
		return func([]int) float64 { return s.SkipRate }
	}
	return nil
}

// half returns one half of a run's test items, 0 that of the search or 1 the one
// held out from it.
func half(qualities []store.Quality, seed uint64, which int) []int {
	i := slices.IndexFunc(qualities, func(q store.Quality) bool { return q.Subject == store.Reference })
	if i < 0 {
		return nil
	}
	return Half(qualities[i].Result.Truth, seed, which)
}

// Half returns the numbers of one half of the items whose classes are truth, 0 or
// 1: each class' items, shuffled by the seed, go to the halves in turn.
func Half(truth []int, seed uint64, which int) []int {
	byClass := map[int][]int{}
	for i, class := range truth {
		byClass[class] = append(byClass[class], i)
	}
	rng := rand.New(rand.NewPCG(seed, 0xd6e8feb86659fd93)) //nolint:gosec // statistics, not secrets
	var out []int
	turn := 0
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		items := byClass[class]
		rng.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		for _, item := range items {
			if turn%2 == which {
				out = append(out, item)
			}
			turn++
		}
	}
	slices.Sort(out)
	return out
}
