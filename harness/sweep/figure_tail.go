package sweep

import (
	"github.com/seed-c6f48606/harness/reports/page"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// tailSamples is below how many the first rules warned of a p99.
const tailSamples = 100

// tooFew is why a cell whose shortest valid trial has n latencies does not tell a
// metric, "" where it does.
func tooFew(metric string, n int) string {
	lack := stat.Shortage{Need: stat.LeastLatencies(metric)}
	if !lack.Add(n) {
		return ""
	}
	return "not enough: " + lack.String()
}

// tooFew is that by the record's rules.
func (r *Record) tooFew(metric string, n int) string {
	if r.first() {
		return ""
	}
	return tooFew(metric, n)
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
