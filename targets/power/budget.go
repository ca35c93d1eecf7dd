package power

import "math"

// Stated says whether the sensor's maker gives any limit of its systematic error.
func (b Budget) Stated() bool { return b.GainRel > 0 || b.ShuntRel > 0 || b.OffsetA > 0 }

// limits are the limits of a rail's systematic errors over a window, in joules.
type limits struct{ gain, shunt, offset, step float64 }

// limits are those of joules in seconds at a mean of volts. Without volts, as
// where a sensor tells only power, what is given in amperes cannot count.
func (b Budget) limits(joules, volts, seconds float64) limits {
	l := limits{
		gain:  b.GainRel * math.Abs(joules),
		shunt: b.ShuntRel * math.Abs(joules),
		step:  b.LSBW / 2 * seconds,
	}
	if volts > 0 {
		l.offset = b.OffsetA * volts * seconds
		amps := math.Abs(joules) / seconds / volts
		l.step = math.Hypot(l.step, seconds*math.Hypot(b.LSBA/2*volts, b.LSBV/2*amps))
	}
	return l
}

// coverage is the factor of a 95 % interval (JCGM 100:2008, table G.2, for a
// normal distribution).
const coverage = 1.96

// spread combines independent contributions to the error of one figure: limits
// of rectangular distributions, whose variance is a²/3 (JCGM 100:2008, 4.3.7),
// and standard errors.
type spread struct{ variance float64 }

func (s *spread) limit(a float64)    { s.variance += a * a / 3 }
func (s *spread) standard(u float64) { s.variance += u * u }

// half is the half-width of the 95 % interval.
func (s *spread) half() float64 { return coverage * math.Sqrt(s.variance) }
