package wire

import (
	"context"
	"time"
)

// Time asks what the runner's monotonic clock shows, so that the readings of a
// sensor at the controller can be put beside the runner's work. It is answered at
// once, also while another request is running.
type Time struct{}

// TimeResult answers Time: when the runner read the question and when it wrote
// the answer, by its monotonic clock since it started. Spans are of this clock.
type TimeResult struct {
	Heard    time.Duration `json:"heard_ns"`
	Answered time.Duration `json:"answered_ns"`
}

// Span is a stretch of time on the runner's monotonic clock.
type Span struct {
	From time.Duration `json:"from_ns"`
	To   time.Duration `json:"to_ns"`
}

func (Time) kind() string       { return "time" }
func (TimeResult) kind() string { return "time-result" }

// Time asks for the runner's clock.
func (c *Client) Time(ctx context.Context) (TimeResult, error) {
	return answer[TimeResult](c.ask(ctx, Time{}, nil))
}
