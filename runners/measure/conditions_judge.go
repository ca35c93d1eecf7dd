package measure

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/board"
)

// judgeConditions judges what was seen during the window.
func (l Limits) judgeConditions(f facts, fail func(v wire.Verdict, format string, args ...any)) {
	e := f.evidence
	if e.ThrottleBits != nil {
		bits := board.Throttle(*e.ThrottleBits)
		bits = bits.Now() | bits.Since()
		if bits&board.UnderVoltage != 0 {
			fail(wire.Undervolted, "the firmware reports under-voltage")
		}
		if bits &^= board.UnderVoltage; bits != 0 {
			fail(wire.Throttled, "the firmware reports: %s", bits)
		}
	}
	if e.SupplyV != nil && *e.SupplyV < l.SupplyV {
		fail(wire.Undervolted, "the supply fell to %.2f V, the limit is %.2f V", *e.SupplyV, l.SupplyV)
	}
	for _, c := range e.Clocks {
		if c.CapKHz < c.TargetKHz {
			fail(wire.Throttled, "the greatest clock of %s fell from %.0f to %.0f MHz", c.Name, c.TargetKHz/1000, c.CapKHz/1000)
		} else if c.Locked && l.low(c) {
			fail(wire.Throttled, "the clock %s was below %.0f %% of %.0f MHz at %d of %d looks", c.Name, 100*l.FreqTarget, c.TargetKHz/1000, c.Low, c.Looks)
		}
	}
	for _, c := range e.Cooling {
		fail(wire.Throttled, "cooling device %s slowed the board down (state %d)", c.Type, c.State)
	}
	for _, o := range e.OverCurrent {
		fail(wire.Throttled, "the current of %s was above its %s limit at %d looks, by which the board slows itself down", o.Rail, o.Limit, o.Looks)
	}
	if s := e.ThermalStatus; s != nil && *s > 0 {
		fail(wire.Throttled, "Android slowed the phone down for its heat: thermal status %d of 6", *s)
	}
	if e.SupplyChange != "" {
		fail(wire.Unsettled, "the supply changed: %s", e.SupplyChange)
	}
}

// low says whether a clock was low too often.
func (l Limits) low(c wire.Clock) bool { return float64(c.Low) > l.FreqLow*float64(c.Looks) }

// conditionDoubts warn of what makes a figure doubtful, or was not told.
func (f facts) conditionDoubts(l Limits, warn func(code, text string)) {
	e := f.evidence
	var loose []string
	for _, c := range e.Clocks {
		if c.TargetKHz > 0 && !c.Locked && l.low(c) {
			loose = append(loose, fmt.Sprintf("%s (%s)", c.Name, c.Governor))
		}
	}
	if len(loose) > 0 {
		warn("governor", "the clock followed the load and was not always at its greatest: "+strings.Join(loose, ", ")+"; governor performance holds it")
	}
	if len(f.capped) > 0 {
		warn("clock-capped", "a clock is held below what its hardware can: "+strings.Join(f.capped, ", ")+"; harness targets doctor says how to lift it")
	}
	if f.dumb {
		warn("throttle-unknown", "the firmware stopped telling of throttling during the window: a short one may be missed")
	}
	if f.pi && e.ThrottleBits == nil {
		warn("throttle-unknown", "the firmware does not tell of throttling: install vcgencmd, and put the user into the group video")
	}
	if j := e.ClockJumpS; max(j, -j) > l.ClockJumpS {
		warn("clock-jump", fmt.Sprintf("the time of day jumped by %+.3f s; figures are from a clock that does not", j))
	}
}

// jump is how far the time of day moved against the monotonic clock, in seconds. Where
// this program does not see it, as in a container with a time of its own, the move of
// the boot's time of day counts; it is told in whole seconds, of which one is
// rounding.
func jump(before, after time.Time, boot *int64) float64 {
	seen := (after.Round(0).Sub(before.Round(0)) - after.Sub(before)).Seconds()
	if boot != nil && max(*boot, -*boot) > 1 && math.Abs(seen) < 1 {
		return float64(*boot)
	}
	return seen
}

// supplyChange names a change of the battery's state that changes what a machine
// is allowed to draw: to or from its discharge.
func supplyChange(before, after string) string {
	const on = "Discharging"
	if before == "" || after == "" || (before == on) == (after == on) {
		return ""
	}
	return before + " to " + after
}
