package measure

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/power"
)

// began is the zero of the runner's clock as the controller sees it.
var began = time.Now()

// SinceStart is a moment on the clock of wire.TimeResult and wire.Span.
func SinceStart(t time.Time) time.Duration { return t.Sub(began) }

func span(from, to time.Time) wire.Span { return wire.Span{From: SinceStart(from), To: SinceStart(to)} }

// Outside reads the energy of a trial by a meter that hangs on the controller,
// for a board that has no sensor of its own.
type Outside struct {
	meter  power.Meter
	ctl    *power.Controller
	period time.Duration
	ask    power.Exchange
}

// StartOutside begins to read for a trial with a window of that length, and
// compares the clocks by the runner's, as wire.Client.Time tells it. The caller
// asks for idle windows in the trial, without which there is no net energy, and
// closes the meter.
func StartOutside(ctx context.Context, m power.Meter, window time.Duration, seed uint64, clock func(context.Context) (wire.TimeResult, error)) (*Outside, error) {
	o := &Outside{meter: m, period: power.PollPeriod(m.Describe(), window, windowReads)}
	o.ask = func(ctx context.Context) (heard, answered time.Duration, err error) {
		t, err := clock(ctx)
		return t.Heard, t.Answered, err
	}
	var err error
	if o.ctl, err = power.StartController(ctx, m, o.period, seed, o.ask); err != nil {
		return nil, fmt.Errorf("starting the energy sensor at the controller: %w", err)
	}
	return o, nil
}

// Stop ends the reading without a result.
func (o *Outside) Stop() error { return o.ctl.Stop() }

// Finish compares the clocks again, ends the reading and puts the energy into the
// trial's result; readings that do not carry it make a valid trial one of verdict
// Sensor, as a sensor on the board would.
func (o *Outside) Finish(ctx context.Context, res *wire.MeasureResult, l Limits) {
	e, err := o.energy(ctx, res)
	var reasons []string
	if err != nil {
		res.EnergyReason = "the energy sensor was lost: " + err.Error()
		reasons = append(reasons, res.EnergyReason)
	} else {
		res.Energy, res.EnergyReason = e, ""
		l.judgeSensor(e, func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) })
		l.sensorDoubts(e, func(code, text string) {
			res.Warnings = append(res.Warnings, wire.Warning{Code: code, Text: text})
		})
	}
	if len(reasons) == 0 {
		return
	}
	if res.Verdict == wire.Valid {
		res.Verdict = wire.Sensor
	}
	if res.Reason != "" {
		reasons = append([]string{res.Reason}, reasons...)
	}
	res.Reason = strings.Join(reasons, "; ")
}

func (o *Outside) energy(ctx context.Context, res *wire.MeasureResult) (*wire.Energy, error) {
	defer o.ctl.Stop() //nolint:errcheck // Mark has told
	if err := o.ctl.Sync(ctx, o.ask); err != nil {
		return nil, err
	}
	if err := o.ctl.Mark(); err != nil {
		return nil, err
	}
	work, err := o.ctl.Window(res.Work.From, res.Work.To)
	if err != nil {
		return nil, err
	}
	var idle []power.Window
	d := o.meter.Describe()
	for _, s := range res.Idle {
		g := guard(d, s.To-s.From)
		w, err := o.ctl.Window(s.From+g, s.To-g)
		if err != nil {
			return nil, err
		}
		idle = append(idle, w)
	}
	e := account(d, o.period, work, idle)
	starts := make([]time.Duration, len(res.Samples))
	for i, x := range res.Samples {
		starts[i] = res.Work.From + time.Duration(x.TimeS*float64(time.Second))
	}
	r, n := o.ctl.Concentration(starts)
	e.Concentration, e.Aliased = r, power.Aliased(r, n)
	return &e, nil
}
