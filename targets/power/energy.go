package power

import "math"

// Interval is a value with the ends of its 95 % interval.
type Interval struct{ Value, Lo, Hi float64 }

func around95(value float64, s spread) Interval {
	return Interval{Value: value, Lo: value - s.half(), Hi: value + s.half()}
}

// Half is the half-width.
func (i Interval) Half() float64 { return (i.Hi - i.Lo) / 2 }

// Energy is a window's energy with 95 % intervals, in joules.
//
// The model is that of the Guide to the Expression of Uncertainty in Measurement
// (JCGM 100:2008): contributions that are known by their limits ±a count as
// rectangular, with the variance a²/3 (4.3.7); those that the readings show count
// with their variance (4.2); all are added and covered by 1.96 standard deviations:
//
//	U = 1.96·√(Σ a²/3 + u²)
//
// With E the joules of a rail over the time T at a mean voltage V, G the total's
// gain and rails r in the total, the sensor contributes to the gross energy
//
//	a_gain   = G·Σ_r GainRel·|E|           one converter serves all rails: added, not squared (5.2.2)
//	a_shunt  = G·ShuntRel·|E|              of each rail
//	a_offset = G·OffsetA·V·T               of each rail
//	a_step   = G·½·T·√((LSBA·V)²+(LSBV·E/(V·T))²+LSBW²)   of each rail
//	a_rule   = RelError·|total|
//
// and the integration, from the readings y at the times x:
//
//	u_noise² = Σ h²·((1−c)·v + c·σ²)       h = x₂−x₁, d = y₂−y₁, c = Averaged/h, at most 1
//	a_edge   = (max−min)·(late+max(½·(h−Averaged), ¼·Averaged))   at either end, of the two readings on each side of it
//
// v is d²/2 where the load changes between every two readings (von Neumann's
// estimate, which trends do not inflate: Ann. Math. Statist. 12 (1941) 367) and
// d²/12 where it stepped once, at an unknown moment of h. 1−c is the part of the time that the sensor
// does not see (Cochran, Sampling Techniques, 3rd ed., 2.6), σ² the variance of
// readings of a steady load, late half the wait for a new reading, and the limit
// of the clocks' difference where two are involved. The integrals of rails that
// are read together err together: u_noise and a_edge of rails are added.
//
// Aliasing. The moments of reading are drawn at random, one in every period
// (stratified sampling; Cochran, 5.3): a load of the sampling period then has
// every phase alike, the trapezoid has no bias, and v shows the load's whole
// swing. That fails where the sensor converts only now and then by a clock of its
// own, and where the load itself keeps that clock's rhythm to a part in 10⁴; the
// first Series.Concentration sees.
//
// The net energy is gross − idle power·T. Gain and shunt act on the difference
// itself, an offset cancels but for the change of voltage, steps do not cancel,
// u_noise and a_edge of the idle windows enter multiplied by T/T_idle, and half the difference
// of the idle windows' powers is a limit of how far idle drifted between them.
//
// A counter's energy is the difference of two readings: no noise, and at either
// end a_edge = what a change of power between two readings leaves open, and half
// the counter's own period.
type Energy struct {
	Gross, Net Interval
	IdleW      float64
	// Rails are gross, in the order of the meter's.
	Rails []Interval
	// SensorJ is the gross energy's half-width by the sensor's limits alone.
	SensorJ float64
	// Stated is false where a rail of the total has no limits of error from its
	// maker: the intervals are then of the integration alone.
	Stated bool
}

// Energy states the window's energy by a meter, and its net over idle windows of
// the same meter, of which there may be none.
func (w Window) Energy(d Description, idle ...Window) Energy {
	if d.Total.Gain == 0 {
		d.Total.Gain = 1
	}
	e := Energy{Stated: true}
	rest := mean(idle)
	e.IdleW = rest.totalW
	scale := w.Seconds * d.Total.Gain
	var gross, net, sensor spread
	var gain, noise, edge, restNoise, restEdge float64
	for i, rail := range d.Rails {
		r := w.Rails[i]
		l := rail.Budget.limits(r.EnergyJ, r.MeanV, w.Seconds)
		var own spread
		for _, a := range []float64{l.gain, l.shunt, l.offset, l.step, r.EdgeJ} {
			own.limit(a)
		}
		own.standard(r.NoiseJ)
		e.Rails = append(e.Rails, around95(r.EnergyJ, own))
		if !rail.InTotal {
			continue
		}
		e.Stated = e.Stated && (rail.Budget.Stated() || d.Total.RelError > 0)
		g := d.Total.Gain
		for _, a := range []float64{l.shunt, l.offset, l.step} {
			sensor.limit(g * a)
		}
		gain += g * rail.Budget.GainRel * r.EnergyJ
		noise += g * r.NoiseJ
		edge += g * r.EdgeJ
		if len(idle) == 0 {
			continue
		}
		more := r.EnergyJ - rest.watts[i]*w.Seconds
		net.limit(g * rail.Budget.ShuntRel * more)
		if r.MeanV > 0 && rest.volts[i] > 0 {
			net.limit(g * rail.Budget.OffsetA * (r.MeanV - rest.volts[i]) * w.Seconds)
		}
		resting := rail.Budget.limits(rest.watts[i]*w.Seconds, rest.volts[i], w.Seconds)
		net.limit(g * math.Hypot(l.step, resting.step))
		restNoise += scale * rest.noiseW[i]
		restEdge += scale * rest.edgeW[i]
	}
	sensor.limit(gain)
	sensor.limit(d.Total.RelError * w.TotalJ)
	e.SensorJ = sensor.half()
	gross = sensor
	gross.standard(noise)
	gross.limit(edge)
	e.Gross = around95(w.TotalJ, gross)
	if len(idle) == 0 {
		e.Net = e.Gross
		return e
	}
	more := w.TotalJ - rest.totalW*w.Seconds
	gainRel := 0.0
	for _, rail := range d.Rails {
		if rail.InTotal {
			gainRel = max(gainRel, rail.Budget.GainRel)
		}
	}
	net.limit(gainRel * more)
	net.limit(d.Total.RelError * more)
	net.limit(rest.driftW * w.Seconds)
	net.standard(noise)
	net.limit(edge)
	net.standard(restNoise)
	net.limit(restEdge)
	e.Net = around95(more, net)
	return e
}

// resting is what the idle windows say together, weighed by their time.
type resting struct {
	totalW, driftW              float64
	watts, volts, noiseW, edgeW []float64 // a rail each
}

func mean(idle []Window) resting {
	if len(idle) == 0 {
		return resting{}
	}
	n := len(idle[0].Rails)
	m := resting{watts: make([]float64, n), volts: make([]float64, n), noiseW: make([]float64, n), edgeW: make([]float64, n)}
	seconds, lo, hi := 0.0, math.Inf(1), math.Inf(-1)
	for _, w := range idle {
		seconds += w.Seconds
		lo, hi = min(lo, w.MeanW()), max(hi, w.MeanW())
		m.totalW += w.TotalJ
		for i, r := range w.Rails {
			m.watts[i] += r.EnergyJ
			m.volts[i] += r.MeanV * w.Seconds
			m.noiseW[i] = math.Hypot(m.noiseW[i], r.NoiseJ)
			m.edgeW[i] = math.Hypot(m.edgeW[i], r.EdgeJ)
		}
	}
	m.totalW /= seconds
	m.driftW = (hi - lo) / 2
	for _, sums := range [][]float64{m.watts, m.volts, m.noiseW, m.edgeW} {
		for i := range sums {
			sums[i] /= seconds
		}
	}
	return m
}
