package measure

import (
	"fmt"
	"strings"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// Limits are what a valid trial must keep.
type Limits wire.Limits

// DefaultLimits judge a trial whose request names none.
var DefaultLimits = Limits(wire.DefaultLimits())

// userTick is the kernel's unit of CPU time in seconds.
const userTick = 1.0 / userHZ

// evidence is what changed between two snapshots around a window of that many
// seconds, with the clock's time of a step before and after.
func evidence(before, after snapshot, spinBefore, spinAfter float64) wire.Evidence {
	elapsed := after.at.Sub(before.at).Seconds()
	e := wire.Evidence{
		OwnCPUS: after.own - before.own, ControllerCPUS: max(0, after.others-before.others),
		StealCPU: share(before.steal, after.steal, elapsed),
		PSICPU:   share(before.psiCPU, after.psiCPU, elapsed), PSIMemory: share(before.psiMemory, after.psiMemory, elapsed),
		PSIIO:         share(before.psiIO, after.psiIO, elapsed),
		ThrottleCount: difference(before.throttles, after.throttles),
		SwapPages:     difference(before.swaps, after.swaps), OOMKills: difference(before.ooms, after.ooms),
		Undervolts:  plus(difference(before.undervolts, after.undervolts), before.alarms, after.alarms),
		TempBeforeC: before.tempC, TempAfterC: after.tempC, Load1: before.load1,
		ThrottleBits: throttleBits(before.bits, after.bits), SupplyChange: supplyChange(before.battery, after.battery),
		ClockJumpS: jump(before.at, after.at, difference(before.btime, after.btime)),
	}
	if before.busy != nil && after.busy != nil && elapsed > 0 {
		foreign := max(0, *after.busy-*before.busy-e.OwnCPUS-e.ControllerCPUS) / elapsed
		e.ForeignCPU = &foreign
	}
	if spinBefore > 0 && spinAfter > 0 {
		rel := spinBefore / spinAfter
		e.FreqRel, e.SpinNS = &rel, min(spinBefore, spinAfter)
	}
	return e
}

func share(before, after *float64, elapsed float64) *float64 {
	if before == nil || after == nil || elapsed <= 0 {
		return nil
	}
	v := max(0, *after-*before) / elapsed
	return &v
}

func difference(before, after *int64) *int64 {
	if before == nil || after == nil {
		return nil
	}
	v := *after - *before
	return &v
}

// plus adds what is known; nil if nothing is.
func plus(terms ...*int64) *int64 {
	var sum *int64
	for _, t := range terms {
		switch {
		case t == nil:
		case sum == nil:
			v := *t
			sum = &v
		default:
			*sum += *t
		}
	}
	return sum
}

// facts are what a verdict is decided from, beside the evidence.
type facts struct {
	evidence wire.Evidence
	windowS  float64
	settled  bool
	warmupS  float64
	rebooted bool
	threads  int
	cores    int
	energy   *wire.Energy
	blind    string   // why the energy sensor was lost, empty = it was not
	unready  []string // why the board was not ready for a trial
	capped   []string // clocks that something holds below the hardware's
	dumb     bool     // a Pi's firmware stopped answering during the window
	pi       bool     // a Raspberry Pi, whose firmware should tell of throttling
	emulated bool     // the instructions are, on a host with clocks of its own
}

// judge returns the gravest verdict, with the reasons for all that are not
// valid, and warnings for what could not be judged.
func (l Limits) judge(f facts) (wire.Verdict, string, []wire.Warning) {
	var verdict wire.Verdict
	var reasons []string
	fail := func(v wire.Verdict, format string, args ...any) {
		if verdict == "" {
			verdict = v
		}
		reasons = append(reasons, fmt.Sprintf(format, args...))
	}
	e := f.evidence
	if f.rebooted {
		fail(wire.Faulted, "the boot id changed")
	}
	if e.ThrottleCount != nil && *e.ThrottleCount > 0 {
		fail(wire.Throttled, "the thermal throttle counters rose by %d", *e.ThrottleCount)
	}
	if e.Undervolts != nil && *e.Undervolts > 0 {
		fail(wire.Undervolted, "the supply sagged %d times", *e.Undervolts)
	}
	l.judgeConditions(f, fail)
	allowed := l.Ticks * userTick / f.windowS
	over := func(share *float64, limit float64, what string) {
		if share != nil && *share > limit {
			fail(wire.Contended, "%s: %.1f %%, the limit is %.1f %%", what, 100**share, 100*limit)
		}
	}
	over(e.ForeignCPU, l.ForeignCPU+allowed, "other processes' share of a core")
	over(e.StealCPU, l.StealCPU+allowed, "the hypervisor's share of a core")
	if f.threads <= f.cores {
		over(e.PSICPU, l.PSICPU, "time in which a task waited for a core")
	}
	over(e.PSIMemory, l.PSIMemory, "time stalled for memory")
	over(e.PSIIO, l.PSIIO, "time stalled for I/O")
	if e.SwapPages != nil && *e.SwapPages > 0 {
		fail(wire.Contended, "%d pages were swapped", *e.SwapPages)
	}
	if e.OOMKills != nil && *e.OOMKills > 0 {
		fail(wire.Contended, "the kernel killed %d processes for memory", *e.OOMKills)
	}
	// After contention: a core that is shared makes a slow clock of a good one.
	switch {
	case e.FreqRel == nil || *e.FreqRel >= l.FreqRel:
	case f.emulated:
		// What the additions show is the host's clock or its other work, not the board's.
		fail(wire.Contended, "the host of the emulator slowed down: its clock fell to %.1f %%, the limit is %.1f %%", 100**e.FreqRel, 100*l.FreqRel)
	default:
		fail(wire.Throttled, "the clock fell to %.1f %%, the limit is %.1f %%", 100**e.FreqRel, 100*l.FreqRel)
	}
	if !f.settled {
		fail(wire.Unsettled, "latency had not settled after %.1f s of warm-up; a longer --warmup-limit may help", f.warmupS)
	}
	for _, why := range f.unready {
		fail(wire.Unsettled, "%s", why)
	}
	if f.blind != "" {
		fail(wire.Sensor, "the energy sensor was lost: %s", f.blind)
	}
	if f.energy != nil {
		l.judgeSensor(f.energy, func(format string, args ...any) { fail(wire.Sensor, format, args...) })
	}
	if verdict == "" {
		verdict = wire.Valid
	}
	return verdict, strings.Join(reasons, "; "), f.doubts(l)
}

// judgeSensor refuses an energy whose readings do not carry it.
func (l Limits) judgeSensor(s *wire.Energy, fail func(format string, args ...any)) {
	if s.Gaps > 0 {
		fail("the energy sensor's readings have %d gaps", s.Gaps)
	}
	if s.Readings < l.Readings {
		fail("%d readings of the energy sensor, at least %d are needed", s.Readings, l.Readings)
	}
	if s.Saturated > 0 {
		fail("%d readings at the end of the energy sensor's range: use a smaller shunt or a wider range", s.Saturated)
	}
	if over := s.Stale - s.StaleDue; over > l.Stale {
		fail("%.0f %% of the energy sensor's readings repeat the one before, %.0f %% may", 100*s.Stale, 100*(s.StaleDue+l.Stale))
	}
	if s.Aliased {
		fail("the energy sensor reads in the rhythm of the inferences, at the same part of each (concentration %.2f): use another batch or averaging", s.Concentration)
	}
}

// doubts are warnings for what the machine does not tell.
func (f facts) doubts(l Limits) []wire.Warning {
	var out []wire.Warning
	warn := func(code, text string) { out = append(out, wire.Warning{Code: code, Text: text}) }
	e := f.evidence
	if e.ForeignCPU == nil {
		warn("cpu-unknown", "the machine does not tell other processes' CPU time (no /proc/stat)")
	}
	if e.PSICPU == nil {
		warn("psi-unknown", "the kernel does not tell pressure: built without PSI, or start it with psi=1")
	}
	f.conditionDoubts(l, warn)
	if f.threads > f.cores {
		warn("oversubscribed", fmt.Sprintf("%d threads on %d cores wait for each other", f.threads, f.cores))
	}
	if f.energy != nil {
		l.sensorDoubts(f.energy, warn)
	}
	return out
}

// sensorDoubts are warnings for what an energy sensor's maker does not tell, and
// for what reading it costs.
func (l Limits) sensorDoubts(s *wire.Energy, warn func(code, text string)) {
	if s.ErrorRel == 0 {
		warn("sensor-error-unknown", "the energy sensor's maker states no limits of error: the interval is of the integration alone")
	}
	if s.SamplerCPU != nil && *s.SamplerCPU > l.SamplerCPU {
		warn("sampler-cpu", fmt.Sprintf("reading the energy sensor took %.1f %% of a core", 100**s.SamplerCPU))
	}
}
