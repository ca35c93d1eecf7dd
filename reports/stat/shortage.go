package stat

import "fmt"

// leastLatencies are the fewest of a trial that tell a percentile.
var leastLatencies = map[string]int{
	"latency_ms_p90": MinCount(0.9),
	"latency_ms_p99": MinCount(0.99),
}

// LeastLatencies is how many latencies a trial needs to tell a metric, 0 where it
// tells it by any number. Every trial of a cell needs them: leaving out those that
// have fewer would leave out the slow ones, which fit less into their window.
func LeastLatencies(metric string) int { return leastLatencies[metric] }

// Shortage counts the cells that lack a metric for want of latencies.
type Shortage struct {
	Need        int // latencies a trial
	Cells       int
	least, most int // latencies of their shortest trials
}

// Add counts a cell whose shortest trial has n latencies, and reports whether they are
// too few.
func (s *Shortage) Add(n int) bool {
	if n >= s.Need {
		return false
	}
	if s.Cells == 0 {
		s.least = n
	}
	s.Cells, s.least, s.most = s.Cells+1, min(s.least, n), max(s.most, n)
	return true
}

// String says what is there and what is needed, as "21 to 51 latencies a trial, 64 needed".
func (s *Shortage) String() string {
	count := fmt.Sprint(s.least)
	if s.most > s.least {
		count += fmt.Sprintf(" to %d", s.most)
	}
	return fmt.Sprintf("%s latencies a trial, %d needed", count, s.Need)
}
