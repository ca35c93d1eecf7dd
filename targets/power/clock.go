package power

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Ping is one exchange with a peer: sent and back by the own clock, heard and
// answered by the peer's, each since any fixed moment of that clock. Both clocks
// must be monotonic: a wall clock steps when it is set.
type Ping struct{ Sent, Heard, Answered, Back time.Duration }

// delay is the time on the way, there and back.
func (p Ping) delay() time.Duration { return (p.Back - p.Sent) - (p.Answered - p.Heard) }

// Offset is how far the peer's clock is ahead at a moment of the own clock, with
// the limit of its error.
type Offset struct{ At, Ahead, Limit time.Duration }

// MinPings is the least number of exchanges that an Offset is made of: the
// fastest of a few may still have waited in a queue.
const MinPings = 20

// EstimateOffset takes the exchange with the least delay, whose offset
// ((heard−sent)+(answered−back))/2 is wrong by half that delay at most, however
// unequal the ways are (RFC 5905, section 8).
func EstimateOffset(pings []Ping) (Offset, error) {
	if len(pings) < MinPings {
		return Offset{}, fmt.Errorf("comparing clocks: %d exchanges, at least %d are needed", len(pings), MinPings)
	}
	best := pings[0]
	for i, p := range pings {
		if p.delay() < 0 || p.Answered < p.Heard {
			return Offset{}, fmt.Errorf("comparing clocks: exchange %d took %v here and %v there: one of the clocks was set; use monotonic ones",
				i+1, p.Back-p.Sent, p.Answered-p.Heard)
		}
		if p.delay() < best.delay() {
			best = p
		}
	}
	return Offset{
		At:    (best.Sent + best.Back) / 2,
		Ahead: ((best.Heard - best.Sent) + (best.Answered - best.Back)) / 2,
		Limit: (best.delay() + 1) / 2,
	}, nil
}

const (
	// crystalDrift is the usual limit between two quartz clocks of 50 ppm each,
	// by which an offset ages where there is no other beyond it.
	crystalDrift = 100e-6
	// clockBroken is more than any two clocks drift that work.
	clockBroken = 500e-6
)

// Clock turns a peer's time into the own and back, linearly between offsets
// that were measured, as before and after a trial.
type Clock struct{ offsets []Offset }

// NewClock takes one or more offsets in the order of time.
func NewClock(offsets ...Offset) (*Clock, error) {
	if len(offsets) == 0 {
		return nil, fmt.Errorf("comparing clocks: no offset was measured")
	}
	for i := 1; i < len(offsets); i++ {
		a, b := offsets[i-1], offsets[i]
		span := b.At - a.At
		if span <= 0 {
			return nil, fmt.Errorf("comparing clocks: offset %d is of %v, not after the one of %v", i+1, b.At, a.At)
		}
		moved := (b.Ahead - a.Ahead).Abs() - a.Limit - b.Limit
		if moved.Seconds() > clockBroken*span.Seconds() {
			return nil, fmt.Errorf("comparing clocks: they moved by %v in %v: one was set or stood still (suspended?); repeat the trial", b.Ahead-a.Ahead, span)
		}
	}
	return &Clock{slices.Clone(offsets)}, nil
}

// at is the offset at a moment of the own clock.
func (c *Clock) at(own time.Duration) Offset {
	k, _ := slices.BinarySearchFunc(c.offsets, own, func(o Offset, t time.Duration) int { return int(o.At - t) })
	aged := func(o Offset) Offset {
		o.Limit += time.Duration(math.Ceil(crystalDrift * float64((own - o.At).Abs())))
		return o
	}
	switch {
	case k == 0:
		return aged(c.offsets[0])
	case k == len(c.offsets):
		return aged(c.offsets[k-1])
	}
	a, b := c.offsets[k-1], c.offsets[k]
	f := float64(own-a.At) / float64(b.At-a.At)
	mix := func(x, y time.Duration) time.Duration { return x + time.Duration(f*float64(y-x)) }
	return Offset{At: own, Ahead: mix(a.Ahead, b.Ahead), Limit: mix(a.Limit, b.Limit)}
}

// Peer is the peer's time of a moment of the own clock.
func (c *Clock) Peer(own time.Duration) time.Duration { return own + c.at(own).Ahead }

// Own is the own time of a moment of the peer's clock.
func (c *Clock) Own(peer time.Duration) time.Duration {
	own := peer - c.offsets[0].Ahead
	for range 3 { // each round leaves a clockBroken-th of the error
		own = peer - c.at(own).Ahead
	}
	return own
}

// Limit is the limit of error of either at a moment of the own clock.
func (c *Clock) Limit(own time.Duration) time.Duration { return c.at(own).Limit }
