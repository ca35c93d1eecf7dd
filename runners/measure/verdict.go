package measure

import (
	"fmt"
	"strings"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// Limits are what a valid trial must keep. Shares of CPU time are of one core
// over the window.
type Limits struct {
	// ForeignCPU and StealCPU: the kernel counts CPU time in ticks of 10 ms by
	// sampling, so Ticks of them are allowed on top; a short window is judged
	// more mildly than a long one.
	ForeignCPU, StealCPU float64
	Ticks                float64
	// PSICPU is the share of the window in which some task waited for a
	// processor. Own threads wait for each other where every core has a worker,
	// so it must be well above what a busy neighbour could hide in.
	PSICPU float64
	// PSIMemory and PSIIO are shares in which all tasks stalled.
	PSIMemory, PSIIO float64
	// FreqRel is the least clock after the window relative to before.
	FreqRel float64
	// Readings is the least number of an energy sensor's readings in a window.
	Readings int
}

// DefaultLimits are those of a long window in the field (foreign CPU 2 % of a
// core, no memory stall), and mild enough in a window of 0.5 s that the
// housekeeping of an idle machine passes.
var DefaultLimits = Limits{
	ForeignCPU: 0.02, StealCPU: 0.02, Ticks: 4,
	PSICPU: 0.15, PSIMemory: 0.01, PSIIO: 0.05,
	FreqRel: 0.95, Readings: 30,
}

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
	blind    string // why the energy sensor was lost, empty = it was not
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
	if e.FreqRel != nil && *e.FreqRel < l.FreqRel {
		fail(wire.Throttled, "the clock fell to %.1f %%, the limit is %.1f %%", 100**e.FreqRel, 100*l.FreqRel)
	}
	if !f.settled {
		fail(wire.Unsettled, "latency had not settled after %.1f s of warm-up; a longer --warmup-limit may help", f.warmupS)
	}
	if f.blind != "" {
		fail(wire.Sensor, "the energy sensor was lost: %s", f.blind)
	}
	if s := f.energy; s != nil && s.Gaps > 0 {
		fail(wire.Sensor, "the energy sensor's readings have %d gaps", s.Gaps)
	}
	if s := f.energy; s != nil && s.Readings < l.Readings {
		fail(wire.Sensor, "%d readings of the energy sensor, at least %d are needed", s.Readings, l.Readings)
	}
	if verdict == "" {
		verdict = wire.Valid
	}
	return verdict, strings.Join(reasons, "; "), f.doubts()
}

// doubts are warnings for what the machine does not tell.
func (f facts) doubts() []wire.Warning {
	var out []wire.Warning
	warn := func(code, text string) { out = append(out, wire.Warning{Code: code, Text: text}) }
	e := f.evidence
	if e.ForeignCPU == nil {
		warn("cpu-unknown", "the machine does not tell other processes' CPU time (no /proc/stat)")
	}
	if e.PSICPU == nil {
		warn("psi-unknown", "the kernel does not tell pressure: built without PSI, or start it with psi=1")
	}
	if f.threads > f.cores {
		warn("oversubscribed", fmt.Sprintf("%d threads on %d cores wait for each other", f.threads, f.cores))
	}
	return out
}
