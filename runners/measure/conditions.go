package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/board"
)

// A watch looks at the machine 20 times a window, but at most 10 and at least 2
// times a second. What may be slow to answer is asked less often: temperatures
// and fans, of which some come from a laptop's embedded controller, voltages, which
// wait for a conversion, alarms, for which the sensor is asked over its bus, and
// turbo clocks, which interrupt the core they ask. A Raspberry Pi's firmware is
// asked once a second, because the question may cost a process.
const (
	looksPerWindow = 20
	leastLook      = 100 * time.Millisecond
	mostLook       = 500 * time.Millisecond
	slowLook       = 450 * time.Millisecond // less than mostLook, so that no tick is missed
	firmwareLook   = time.Second
	mostSilences   = 3  // in a row of a firmware that has answered, until it is no longer asked
	maxClocks      = 32 // a server has a clock a core
)

// conditions are what was seen during a window.
type conditions struct {
	looks   int
	clocks  []wire.Clock
	cooling []wire.Cooling
	overs   []wire.OverCurrent // of every alarm
	fans    []wire.Fan         // that were seen
	hottest *float64
	bits    *board.Throttle // that stood at any look
	volts   *float64        // least
	capped  []string        // policies that something holds below their hardware's clock
	dumb    bool            // the firmware stopped answering
}

// watch looks at a machine while it works. Its CPU time is the runner's own.
type watch struct {
	source   board.Source
	limits   Limits
	policies []board.Policy
	zones    []board.Zone
	coolings []board.Cooling
	devices  []board.Device
	supplies []board.Supply
	alarms   []board.Alarm
	fans     []board.Fan
	kind     board.Kind
	silent   bool      // the firmware does not answer
	failed   int       // times in a row that it did not
	asked    time.Time // the firmware
	slow     time.Time // what may be slow

	seen   conditions
	ctx    context.Context // of the trial
	cancel context.CancelFunc
	done   chan struct{} // nil = there is nothing to look at
}

// policies are the machine's frequency policies as they are now.
func (m Machine) policies() []board.Policy { return board.At(m.Root).Policies() }

// newWatch finds out what there is to look at. A policy should reach the greatest
// clock of before or now.
func (m Machine) newWatch(kind string, limits Limits, before []board.Policy) *watch {
	s := board.At(m.Root)
	w := &watch{
		source: s, limits: limits, policies: s.Policies(), zones: s.Zones(), devices: s.Devices(), supplies: s.Supplies(),
		kind: board.Kind(kind), alarms: s.Alarms(board.Kind(kind)), fans: s.Fans(),
	}
	for _, a := range w.alarms {
		s.Raised(a) // what was before the window is cleared
		w.seen.overs = append(w.seen.overs, wire.OverCurrent{Rail: a.Rail, Limit: a.Limit})
	}
	w.seen.fans = make([]wire.Fan, len(w.fans))
	w.policies = w.policies[:min(len(w.policies), maxClocks)]
	for _, c := range s.Coolings() {
		if c.Caps() {
			w.coolings = append(w.coolings, c)
		}
	}
	w.silent = !w.kind.Pi()
	for _, p := range w.policies {
		w.seen.clocks = append(w.seen.clocks, wire.Clock{
			Name: p.Name, CPUs: p.CPUs, Governor: p.Governor, TargetKHz: max(target(p), clockOf(before, p.Name)), CapKHz: target(p), Locked: p.Locked(),
		})
		if p.Steady() && p.MaxKHz < p.TopKHz && !w.kind.Jetson() { // whose power modes do that
			w.seen.capped = append(w.seen.capped, fmt.Sprintf("%s (%d of %d MHz)", p.Name, p.MaxKHz/1000, p.TopKHz/1000))
		}
	}
	for _, d := range w.devices {
		w.seen.clocks = append(w.seen.clocks, wire.Clock{Name: d.Name})
	}
	return w
}

// target is the clock that a policy should have under load, 0 where turbo makes
// that a matter of luck.
func target(p board.Policy) float64 {
	if !p.Steady() {
		return 0
	}
	return float64(p.MaxKHz)
}

// clockOf is the clock that the policy of that name should have, 0 where it is not known.
func clockOf(policies []board.Policy, name string) float64 {
	for _, p := range policies {
		if p.Name == name {
			return target(p)
		}
	}
	return 0
}

// watch begins to look; stop ends it. A machine that tells nothing is left alone.
func (m Machine) watch(ctx context.Context, kind string, window time.Duration, limits Limits, before []board.Policy) *watch {
	w := m.newWatch(kind, limits, before)
	w.ctx = ctx
	if len(w.policies)+len(w.zones)+len(w.coolings)+len(w.devices)+len(w.supplies)+len(w.alarms)+len(w.fans) == 0 && w.silent {
		return w
	}
	w.done = make(chan struct{})
	ctx, w.cancel = context.WithCancel(ctx)
	go func() {
		defer close(w.done)
		tick := time.NewTicker(min(mostLook, max(leastLook, window/looksPerWindow)))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				w.look(ctx, now)
			}
		}
	}()
	return w
}

// stop ends the looking and returns what was seen. A window that was too short
// for a look is looked at as it ends.
func (w *watch) stop() conditions {
	if w.done == nil {
		return w.seen
	}
	w.cancel()
	<-w.done
	if w.seen.looks == 0 {
		w.look(w.ctx, time.Now())
	}
	return w.seen
}

// look looks once.
func (w *watch) look(ctx context.Context, now time.Time) {
	w.seen.looks++
	slow := now.Sub(w.slow) >= slowLook
	if slow {
		w.slow = now
	}
	for i, p := range w.policies {
		if !slow && !p.Steady() {
			continue
		}
		c := &w.seen.clocks[i]
		cur, allowed := w.source.Now(p)
		w.clock(c, float64(cur))
		if allowed > 0 {
			c.CapKHz = min(c.CapKHz, float64(allowed))
		}
	}
	for i, d := range w.devices {
		w.clock(&w.seen.clocks[len(w.policies)+i], float64(w.source.Hz(d))/1000)
	}
	for _, c := range w.coolings {
		w.cool(c.Type, w.source.State(c))
	}
	if slow {
		w.lookSlowly()
	}
	if !w.silent && now.Sub(w.asked) >= firmwareLook {
		w.asked = now
		w.ask(ctx)
	}
}

// lookSlowly looks at what may be slow to answer.
func (w *watch) lookSlowly() {
	for _, z := range w.zones {
		if c := w.source.Celsius(z); c != nil {
			w.seen.hottest = most(w.seen.hottest, *c)
		}
	}
	for _, p := range w.supplies {
		if v := w.source.Volts(p); v != nil {
			w.seen.volts = least(w.seen.volts, *v)
		}
	}
	for i, a := range w.alarms {
		if w.source.Raised(a) {
			w.seen.overs[i].Looks++
		}
	}
	for i, f := range w.fans {
		if rpm := w.source.RPM(f); rpm != nil {
			seen := &w.seen.fans[i]
			if seen.Name == "" {
				*seen = wire.Fan{Name: f.Name, MinRPM: *rpm, MaxRPM: *rpm}
			}
			seen.MinRPM, seen.MaxRPM = min(seen.MinRPM, *rpm), max(seen.MaxRPM, *rpm)
		}
	}
}

// clock adds a look at a clock; 0 is none.
func (w *watch) clock(c *wire.Clock, khz float64) {
	if khz <= 0 {
		return
	}
	c.Looks++
	c.MeanKHz += (khz - c.MeanKHz) / float64(c.Looks)
	if c.MinKHz == 0 || khz < c.MinKHz {
		c.MinKHz = khz
	}
	if khz < w.limits.FreqTarget*c.TargetKHz {
		c.Low++
	}
}

// cool notes the highest state of a device that slows something down. Devices
// of one type are one entry.
func (w *watch) cool(kind string, state int64) {
	if state <= 0 {
		return
	}
	for i := range w.seen.cooling {
		if w.seen.cooling[i].Type == kind {
			w.seen.cooling[i].State = max(w.seen.cooling[i].State, state)
			return
		}
	}
	w.seen.cooling = append(w.seen.cooling, wire.Cooling{Type: kind, State: state})
}

// ask asks a Raspberry Pi's firmware, whose caps the kernel's clock does not show.
func (w *watch) ask(ctx context.Context) {
	bits, err := w.source.Throttle(ctx)
	if err != nil {
		w.failed++
		if answered := w.seen.bits != nil; ctx.Err() == nil && (!answered || w.failed == mostSilences) {
			w.silent, w.seen.dumb = true, answered
		}
		return
	}
	w.failed = 0
	if w.seen.bits == nil {
		w.seen.bits = new(board.Throttle)
	}
	*w.seen.bits |= bits.Now()
	if hz, err := w.source.ArmClock(ctx); err == nil {
		w.arm(float64(hz) / 1000)
	}
	if w.kind != board.Pi5 {
		return
	}
	if v, err := w.source.InputVolts(ctx); err == nil {
		w.seen.volts = least(w.seen.volts, v)
	}
}

// arm adds the firmware's clock beside the kernel's of the first policy.
func (w *watch) arm(khz float64) {
	const name = "arm"
	last := len(w.seen.clocks) - 1
	if last < 0 || w.seen.clocks[last].Name != name {
		c := wire.Clock{Name: name}
		if len(w.policies) > 0 {
			p := w.policies[0]
			c.CPUs, c.Governor, c.Locked = p.CPUs, p.Governor, p.Locked()
			c.TargetKHz, c.CapKHz = target(p), target(p)
		}
		w.seen.clocks = append(w.seen.clocks, c)
		last++
	}
	w.clock(&w.seen.clocks[last], khz)
}

func most(a *float64, b float64) *float64 {
	if a == nil || b > *a {
		return &b
	}
	return a
}

func least(a *float64, b float64) *float64 {
	if a == nil || b < *a {
		return &b
	}
	return a
}

// fill adds what was seen to the evidence.
func (c conditions) fill(e *wire.Evidence) {
	e.Looks, e.Cooling, e.HottestC, e.SupplyV = c.looks, c.cooling, c.hottest, c.volts
	for _, o := range c.overs {
		if o.Looks > 0 {
			e.OverCurrent = append(e.OverCurrent, o)
		}
	}
	for _, f := range c.fans {
		if f.Name != "" {
			e.Fans = append(e.Fans, f)
		}
	}
	for _, clock := range c.clocks {
		if clock.Looks > 0 {
			e.Clocks = append(e.Clocks, clock)
		}
	}
	if c.bits != nil {
		v := uint32(*c.bits)
		if e.ThrottleBits != nil {
			v |= *e.ThrottleBits
		}
		e.ThrottleBits = &v
	}
}
