package train

import (
	"math"
	"time"
)

// schedule knows how far a run is: the larger of the share of its steps and
// the share of its time, so that a time limit shortens every phase in
// proportion and the rate still decays to its end.
type schedule struct {
	recipe Recipe
	steps  int           // of the full recipe
	limit  time.Duration // 0 = none
}

// progress in [0,1] before the given step.
func (s schedule) progress(step int, elapsed time.Duration) float64 {
	p := float64(step) / float64(s.steps)
	if s.limit > 0 {
		p = max(p, float64(elapsed)/float64(s.limit))
	}
	return min(p, 1)
}

// rate is the learning rate at progress p: linear warm-up, then a cosine down
// to final_rate.
func (s schedule) rate(p float64) float64 {
	r := s.recipe
	if p < r.Warmup {
		return r.LearningRate * (p + 1/float64(s.steps)) / (r.Warmup + 1/float64(s.steps))
	}
	c := .5 * (1 + math.Cos(math.Pi*(p-r.Warmup)/(1-r.Warmup)))
	return r.LearningRate * (r.FinalRate + (1-r.FinalRate)*c)
}

// languageOnly reports whether progress p is in the language-model warm-up.
func (s schedule) languageOnly(p float64) bool {
	return p < float64(s.recipe.LMEpochs)/float64(s.recipe.Epochs)
}
