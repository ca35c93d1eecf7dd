package measure

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/board"
)

const (
	// DefaultWindow and DefaultInferences are a window's least length, without an
	// energy sensor, and its least number of inferences.
	DefaultWindow     = 500 * time.Millisecond
	DefaultInferences = 20
	maxDuration       = time.Hour
)

// Measure runs one trial: tokenize, warm up, idle, work, idle, judge. Errors are
// *wire.Error; a trial that cannot be trusted is none, it has its verdict.
func (s *Session) Measure(ctx context.Context, req wire.Measure, progress Progress) (wire.MeasureResult, error) {
	t, err := s.newTrial(ctx, req, progress)
	if err != nil {
		return wire.MeasureResult{}, wire.Wrap(wire.Harness, err)
	}
	defer t.sensor.close() //nolint:errcheck // readEnergy has told of it
	if err := t.run(ctx, progress); err != nil {
		return wire.MeasureResult{}, wire.Wrap(wire.Target, fmt.Errorf("measuring: %w", err))
	}
	return t.result(), nil
}

// trial is one measurement in progress.
type trial struct {
	session *Session
	req     wire.Measure
	work    *workload
	pace    pace
	idle    time.Duration
	pids    []int

	sensor       sensor
	noEnergy     string // why there is none
	blind        string // why the sensor was lost on the way
	env          wire.Environment
	warm         warmth
	window       window
	rests        []wire.Span
	before       snapshot
	after        snapshot
	spin, unspun float64 // clock before and after
	peakRSS      int64
	energy       *wire.Energy
	profile      bytes.Buffer
	roof         *Ceilings // of the machine, right after the window; nil = not measured

	limits  Limits
	seen    conditions // during the window
	heat    *int       // an Android phone's thermal status, the highest that was seen
	unready []string   // why the board was not ready
	cooledS float64
}

func (s *Session) newTrial(ctx context.Context, req wire.Measure, progress Progress) (*trial, error) {
	if err := checkMeasure(&req); err != nil {
		return nil, err
	}
	t := &trial{session: s, req: req, pids: append(slices.Clone(req.Own), os.Getppid())}
	slices.Sort(t.pids)
	t.pids = slices.DeleteFunc(slices.Compact(t.pids), func(pid int) bool { return pid == os.Getpid() })
	progress("tokenize", 0, 0)
	items, err := readItems(req.Items)
	if err != nil {
		return nil, err
	}
	all, err := s.tokenize(ctx, items)
	if err != nil {
		return nil, err
	}
	t.work = newWorkload(s.engine, newQueue(all, req.Seed), req.Batch, req.Threshold)
	t.env = s.machine.Environment(ctx)
	if t.limits = DefaultLimits; req.Limits != nil {
		t.limits = Limits(*req.Limits)
	}
	if req.NoEnergy {
		t.noEnergy = "it was not asked for (harness sweep --energy reads the sensor, in windows of 10 s)"
	} else {
		t.sensor.meter, t.noEnergy, _ = s.machine.openMeter()
	}
	t.idle = req.IdleWindow
	t.pace = pace{window: req.Window, least: req.MinInferences, most: req.MaxInferences, together: req.Scenario == wire.Offline}
	if t.pace.least == 0 {
		t.pace.least = DefaultInferences
	}
	if t.sensor.meter != nil && t.idle == 0 {
		t.idle = energyIdle
	}
	if t.pace.window == 0 {
		t.pace.window = DefaultWindow
		if t.sensor.meter != nil {
			t.pace.window = t.sensor.window()
		}
	}
	return t, nil
}

// checkMeasure refuses what cannot be measured and fills in the scenario.
func checkMeasure(req *wire.Measure) error {
	if err := checkRequest(req.Batch, req.Threshold); err != nil {
		return err
	}
	switch req.Scenario {
	case "":
		req.Scenario = wire.SingleStream
	case wire.SingleStream, wire.Offline:
	default:
		return &wire.Error{
			Kind: wire.Unsupported, Text: fmt.Sprintf("scenario %q", req.Scenario),
			Mend: "use " + wire.SingleStream + " or " + wire.Offline,
		}
	}
	for name, d := range map[string]time.Duration{"window": req.Window, "idle window": req.IdleWindow, "warm-up limit": req.WarmupLimit} {
		if d < 0 || d > maxDuration {
			return &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("%s %v: use 0 (the default) to %v", name, d, maxDuration)}
		}
	}
	if req.Limits != nil {
		if err := req.Limits.Validate(); err != nil {
			return &wire.Error{Kind: wire.Harness, Text: err.Error()}
		}
	}
	if req.MinInferences < 0 || req.MaxInferences < 0 {
		return &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("inferences from %d to %d: use 0 for no bound", req.MinInferences, req.MaxInferences)}
	}
	return nil
}

// thermometer tells the hottest zone to a warm-up that must leave the temperature
// steady, since power follows it; nil where no energy is read.
func (t *trial) thermometer() func() *float64 {
	if t.sensor.meter == nil && !t.req.Outside {
		return nil
	}
	return func() *float64 { return board.Hottest(t.session.machine.Root) }
}

func (t *trial) run(ctx context.Context, progress Progress) error {
	if err := t.ready(ctx, progress); err != nil {
		return err
	}
	progress("warm-up", 0, 0)
	policies := t.session.machine.policies() // a cap that begins in the warm-up counts
	var err error
	if t.warm, err = t.work.warmUp(ctx, defaultSettling.within(t.limits), t.req.WarmupLimit, t.thermometer()); err != nil {
		return fmt.Errorf("warming up: %w", err)
	}
	if t.sensing() {
		t.lose(t.sensor.start(t.pace.window, t.req.Seed))
	}
	if err := t.rest(ctx, progress); err != nil {
		return err
	}
	progress("work", 0, 0)
	t.pace.expected = t.pace.expect(t.warm.runs, t.warm.seconds)
	runtime.GC()
	t.spin = clock()
	t.askHeat(ctx)
	t.before = t.session.machine.snapshot(t.pids)
	watch := t.session.machine.watch(ctx, t.env.Kind, t.pace.window, t.limits, policies)
	if t.req.CPUProfile {
		if err := pprof.StartCPUProfile(&t.profile); err != nil {
			return fmt.Errorf("profiling: %w", err)
		}
	}
	t.window, err = t.work.run(ctx, t.pace)
	if t.req.CPUProfile {
		pprof.StopCPUProfile()
	}
	t.seen = watch.stop()
	t.after = t.session.machine.snapshot(t.pids)
	if err != nil {
		return fmt.Errorf("after %d inferences: %w", len(t.window.samples), err)
	}
	t.unspun = clock()
	t.askHeat(ctx)
	t.peakRSS = t.session.machine.peakRSS()
	if err := t.rest(ctx, progress); err != nil {
		return err
	}
	t.readEnergy()
	return t.measureRoof(ctx)
}

// sensing says whether there is an energy sensor that has not failed.
func (t *trial) sensing() bool { return t.sensor.meter != nil && t.blind == "" }

// lose notes that the sensor failed. The trial goes on: its times are good, and
// its verdict will tell.
func (t *trial) lose(err error) {
	if err != nil && t.blind == "" {
		t.blind = err.Error()
		t.noEnergy = "the energy sensor was lost: " + t.blind
	}
}

// rest is an idle window, read by the sensor if there is one.
func (t *trial) rest(ctx context.Context, progress Progress) error {
	if t.idle == 0 {
		return nil
	}
	progress("idle", 0, 0)
	from := time.Now()
	if err := Sleep(ctx, t.idle); err != nil {
		return err
	}
	to := time.Now()
	t.rests = append(t.rests, span(from, to))
	if t.sensing() {
		t.lose(t.sensor.rest(from, to))
	}
	return nil
}

func (t *trial) readEnergy() {
	if !t.sensing() {
		return
	}
	e, err := t.sensor.energy(&t.window)
	if err == nil {
		err = t.sensor.stop()
	}
	if err != nil {
		t.lose(err)
		return
	}
	t.energy = e
}

func (t *trial) result() wire.MeasureResult {
	w := &t.window
	ev := evidence(t.before, t.after, t.spin, t.unspun)
	ev.LatencyDrift, ev.CooledS = t.warm.drift, t.cooledS
	ev.ThermalStatus = t.heat
	t.seen.fill(&ev)
	t.fillRoof(&ev)
	verdict, reason, warnings := t.limits.judge(facts{
		evidence: ev, windowS: t.after.at.Sub(t.before.at).Seconds(), settled: t.warm.settled, warmupS: t.warm.seconds,
		rebooted: t.before.bootID != t.after.bootID, threads: t.session.loaded.Threads, cores: t.env.Cores, energy: t.energy,
		blind: t.blind, unready: t.unready, pi: board.Kind(t.env.Kind).Pi(), emulated: t.env.Virtual == board.Emulated,
		capped: t.seen.capped, dumb: t.seen.dumb,
	})
	if n := len(w.samples); n < t.pace.least && (t.pace.most == 0 || n < t.pace.most) {
		warnings = append(warnings, wire.Warning{
			Code: "few-inferences", Text: fmt.Sprintf("%d inferences in %.1f s, %d were asked for", n, w.seconds(), t.pace.least),
		})
	}
	return wire.MeasureResult{
		Verdict: verdict, Reason: reason, Warnings: warnings,
		Scenario: t.req.Scenario, Batch: t.req.Batch, Threshold: t.req.Threshold, Threads: t.session.loaded.Threads,
		Samples: w.samples, WindowS: w.seconds(), Items: w.items, Tokens: w.tokens,
		WarmupS: t.warm.seconds, WarmupInferences: t.warm.runs,
		PeakRSSBytes: t.peakRSS, ModelBytes: t.session.loaded.ModelBytes,
		DenseMAC: w.dense, ExecutedMAC: w.executed, SkipRate: w.skipRate(),
		Work: span(w.from, w.to), Idle: t.rests, Energy: t.energy, EnergyReason: t.noEnergy, Evidence: ev, Env: t.env,
		CPUProfile: t.profile.Bytes(),
	}
}
