package sweep

import (
	"fmt"

	"github.com/seed-c6f48606/harness/reports/page"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// leastLatencies are the fewest of a trial that tell a percentile. Every valid trial
// of a cell needs them: leaving out those that have fewer would leave out the slow
// ones, which fit less into their window.
var leastLatencies = map[string]int{
	"latency_ms_p90": stat.MinCount(0.9),
	"latency_ms_p99": stat.MinCount(0.99),
}

// tailSamples is below how many the first rules warned of a p99.
const tailSamples = 100

// tooFew is why a cell whose shortest valid trial has n latencies does not tell a
// metric, "" where it does.
func tooFew(metric string, n int) string {
	if need := leastLatencies[metric]; n < need {
		return fmt.Sprintf("not enough: %d latencies a trial, %d needed", n, need)
	}
	return ""
}

// fewest counts the latencies of the cell's shortest valid trial.
func (f *figures) fewest() int {
	least := 0
	for i, t := range f.valid {
		if n := f.record.Timing(t).Samples; i == 0 || n < least {
			least = n
		}
	}
	return least
}

// NotEnough says in one line which percentiles cells lack for want of latencies, ""
// where none does.
func (r *Record) NotEnough() string {
	fewest := map[string]int{}
	for _, t := range r.Trials {
		if t.Result.Verdict != wire.Valid {
			continue
		}
		n := r.Timing(t).Samples
		if least, known := fewest[t.Cell]; !known || n < least {
			fewest[t.Cell] = n
		}
	}
	return page.NotEnough(fewest)
}

// first says whether the record's figures are those of the first rules, which told
// every percentile and marked nothing. What was published by them stays as it was.
func (r *Record) first() bool { return r.rules == 1 }
