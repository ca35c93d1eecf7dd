package power

import (
	"fmt"
	"time"
)

// INA226 and INA3221 have the same configuration fields.
var (
	inaAverages = [8]int{1, 4, 16, 64, 128, 256, 512, 1024}
	inaTimes    = [8]time.Duration{ // typical; at most 10 % longer
		140 * time.Microsecond, 204 * time.Microsecond, 332 * time.Microsecond, 588 * time.Microsecond,
		1100 * time.Microsecond, 2116 * time.Microsecond, 4156 * time.Microsecond, 8244 * time.Microsecond,
	}
)

const (
	inaReset      = 1 << 15
	inaContinuous = 7 // shunt and bus, continuously
	inaMode       = 7
)

// inaPlan is how a chip converts: codes of the averaging and of the conversion
// times of bus and shunt voltage.
type inaPlan struct{ average, bus, shunt int }

func inaPlanOf(config uint16) inaPlan {
	return inaPlan{average: int(config >> 9 & 7), bus: int(config >> 6 & 7), shunt: int(config >> 3 & 7)}
}

// bits is the plan in the configuration register, for both voltages continuously.
func (p inaPlan) bits() uint16 {
	return uint16(p.average)<<9 | uint16(p.bus)<<6 | uint16(p.shunt)<<3 | inaContinuous
}

// cycle is the time in which every one of the channels is converted as often as
// the averaging asks.
func (p inaPlan) cycle(channels int) time.Duration {
	return time.Duration(channels*inaAverages[p.average]) * (inaTimes[p.bus] + inaTimes[p.shunt])
}

func (p inaPlan) String() string {
	return fmt.Sprintf("average of %d, shunt %v, bus %v", inaAverages[p.average], inaTimes[p.shunt], inaTimes[p.bus])
}

// planINA finds the plan whose cycle covers a polling period, so that no part of a
// load falls between two readings: at least the period, and at most 8 % more so that
// few polls find nothing new. Among those it wants most of the time on the shunt,
// whose voltage changes with the load where the bus voltage hardly does, and many
// short conversions rather than few long ones, which resist aliasing.
func planINA(period time.Duration, channels int) inaPlan {
	const (
		slack = 0.08
		// An average four times longer is worth this share of the time on the shunt.
		spread = 0.004
	)
	best, longest := inaPlan{}, inaPlan{average: 7, bus: 7, shunt: 7}
	found, near, score := false, false, 0.0
	for n := range 512 {
		p := inaPlanOf(uint16(n << 3))
		cycle := p.cycle(channels)
		if cycle < period {
			continue
		}
		inside := float64(cycle) <= float64(period)*(1+slack)
		s := -float64(cycle)
		if inside {
			s = float64(inaTimes[p.shunt])/float64(inaTimes[p.shunt]+inaTimes[p.bus]) + spread*float64(p.average)
		}
		if !found || inside && !near || inside == near && s > score {
			best, found, near, score = p, true, inside, s
		}
	}
	if !found {
		return longest
	}
	return best
}
