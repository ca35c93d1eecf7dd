package gate

import (
	"fmt"
	"math"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// Rule says what is to be decided of a metric, and how surely.
type Rule struct {
	// MarginPct is the change in per cent that matters.
	MarginPct float64
	// Error is the chance of a wrong decision, over all looks at a series.
	Error float64
	// MaxBlocks of four trials end a series undecided.
	MaxBlocks int
}

// DefaultRule tells changes of 1 % at an error of 5 %: that of a comparison or a
// bisection that somebody asks for.
func DefaultRule() Rule { return Rule{MarginPct: 1, Error: 0.05, MaxBlocks: 40} }

// ConfirmRule is that of the series that confirm a night's suspects: an error of 0.2 %
// each, since a night has several. Its figures are those of docs/statistics.md.
func ConfirmRule(marginPct float64) Rule {
	return Rule{MarginPct: marginPct, Error: stat.ConfirmError, MaxBlocks: stat.ConfirmPairs / pairsOfBlock}
}

// Validate refuses a rule by which nothing can be decided.
func (r Rule) Validate() error {
	switch {
	case !(r.MarginPct > 0 && r.MarginPct < 100):
		return fmt.Errorf("margin of %g %%: must be above 0 and below 100", r.MarginPct)
	case !(r.Error >= 1e-6 && r.Error <= 0.2):
		return fmt.Errorf("error %g: must be from 0.000001 to 0.2", r.Error)
	case r.MaxBlocks < 3 || r.MaxBlocks > 1000:
		return fmt.Errorf("%d blocks at most: must be from 3, which can decide, to 1000", r.MaxBlocks)
	}
	return nil
}

// pairsOfBlock are the pairs of neighbours in a block of four trials.
const pairsOfBlock = 2

// Judge decides on a metric from the pairs of a series.
func (r Rule) Judge(pairs []stat.Pair, less bool) stat.Decision {
	c := stat.Comparison{Level: 1 - r.Error, MarginPct: r.MarginPct, HigherIsBetter: !less, MaxPairs: pairsOfBlock * r.MaxBlocks}
	return c.Decide(pairs)
}

// Percent writes a change in per cent with its interval for people.
func Percent(i stat.Interval) string {
	if math.IsNaN(i.Value) {
		return "–"
	}
	// An end that nothing rules out yet is a dash.
	lo, hi := "–", "–"
	if i.Lo > -100 {
		lo = fmt.Sprintf("%+.2f", i.Lo)
	}
	if i.Hi < math.Inf(1) {
		hi = fmt.Sprintf("%+.2f", i.Hi)
	}
	text := fmt.Sprintf("%+.2f %%", i.Value)
	if lo == "–" && hi == "–" {
		return text
	}
	return text + " [" + lo + ", " + hi + "]"
}
