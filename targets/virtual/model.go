package virtual

import (
	"math"
	"math/rand/v2"
)

// Bits of vcgencmd get_throttled; the same 16 higher have stood since boot.
const (
	bitUndervolt = 1 << 0
	bitCapped    = 1 << 1
	bitThrottled = 1 << 2
)

const (
	// forcedC is added to the ambient while the throttle fault stands: more than
	// any kind needs to throttle at rest.
	forcedC = 90
	// leastClock is as far as thermal throttling goes.
	leastClock = 0.4
	// clockSlope is how fast throttling takes clock away and gives it back, 1/s.
	clockSlope = 0.5
	// hysteresisC is how far the temperature must fall before clock comes back.
	hysteresisC = 5
	// loadTauS smooths the load, which the kernel counts in ticks of 10 ms.
	loadTauS = 0.1
	// powerLaw: power goes with clock times voltage squared, and the voltage falls
	// less than the clock does.
	powerLaw = 2.2
	// lowV is where the supervisor of a 5 V input tells of under-voltage. No kind's
	// own cable gets it there at full load.
	lowV = 4.63
	// thinOhms is what a thin cable adds to the supply's resistance: full load takes
	// a Raspberry Pi below lowV, rest and a single thread do not.
	thinOhms = 0.4
)

// The fit of a Pi 5's power at its input to the sum of its PMIC's rails.
const pmicGain, pmicOffsetW = 1.1451, 0.5879

// model is the physics of a board. Given the same spec, seed and steps it gives
// the same figures.
type model struct {
	spec    spec
	errors  []sensorError // a rail each
	fit     float64       // relative error of the PMIC's fit on this board
	noise   *rand.Rand
	heated  bool    // the throttle fault stands
	sagging bool    // the undervolt fault stands
	thin    bool    // the cable fault stands
	mode    float64 // share of clock that the power mode allows
	// governor is the cpufreq governor of all policies.
	governor string

	seconds  float64 // since boot
	load     float64 // share of the processors, 0-1
	busyS    float64 // processor time since boot
	stalledS float64 // time since boot in which a task waited for a core
	clock    float64 // share of the greatest clock
	capped   float64 // share that throttling leaves
	tempC    float64
	watts    []float64 // a rail each
	inputV   float64
	inputW   float64
	energyJ  float64 // at the input since Start
	bits     uint32
	sticky   uint32
	sags     float64 // counts of under-voltage, in parts
	overs    float64 // counts of over-current, in parts
	oomKills int
	bootID   string
	// btime is the boot's time in seconds of the real-time clock. A kernel derives
	// it from that clock, so that it moves where the clock is set.
	btime int64
}

// sensorError is what a sensor's rail reads wrong: relative, and in amperes.
type sensorError struct{ gain, offsetA float64 }

// newModel starts a board that has been idle for long.
func newModel(s spec, seed uint64) *model {
	m := &model{spec: s, noise: rand.New(rand.NewPCG(seed, 0x6861726e657373)), mode: 1, governor: "performance", capped: 1}
	m.fit = 0.08 * m.uniform()
	for range s.rails {
		// Limits of an INA3221 with a shunt of 1 %, the worst of the sensors.
		m.errors = append(m.errors, sensorError{gain: 0.0025*m.uniform() + 0.01*m.uniform(), offsetA: 0.004 * m.uniform()})
	}
	m.watts = make([]float64, len(s.rails))
	m.electric()
	m.tempC = m.target()
	return m
}

// uniform is in -1..1.
func (m *model) uniform() float64 { return 2*m.noise.Float64() - 1 }

// boot forgets what a restart forgets.
func (m *model) boot(id string) {
	m.bootID, m.seconds, m.load, m.busyS, m.stalledS = id, 0, 0, 0, 0
	m.bits, m.sticky, m.sags, m.overs, m.oomKills = 0, 0, 0, 0, 0
	m.capped = 1
}

// activity is what the board's processes did in a step.
type activity struct {
	cpuS    float64 // processor time
	wantedS float64 // the same with what they waited for a processor of the host's
	active  int     // processes that had or wanted some
}

// step moves the board on by dt seconds.
func (m *model) step(dt float64, a activity) {
	if dt <= 0 {
		return
	}
	m.seconds += dt
	// A state stands until the next, so the energy is known to whoever saw the states.
	m.energyJ += m.inputW * dt
	m.busyS += a.cpuS
	// What the processes wanted is what they would have had on the board: the host
	// may have fewer processors, and other work.
	now := a.wantedS / dt / float64(m.spec.cores())
	m.load += (min(1, now) - m.load) * (1 - math.Exp(-dt/loadTauS))
	if a.active > m.spec.cores() {
		m.stalledS += dt
	}
	m.electric()
	m.tempC += (m.target() - m.tempC) * (1 - math.Exp(-dt/m.spec.thermal.tauS))
	m.throttle(dt)
}

// electric sets the rails from load and clock.
func (m *model) electric() {
	m.clock = m.mode * m.capped * m.governed()
	sum := 0.0
	for i, r := range m.spec.rails {
		m.watts[i] = r.idle + r.full*m.load*math.Pow(m.clock, powerLaw)
		if !r.inInput {
			sum += m.watts[i]
		}
	}
	m.inputW = sum
	if m.spec.sensor == sensorPMIC {
		m.inputW = (pmicGain*sum + pmicOffsetW) * (1 + m.fit)
	}
	ohms := m.spec.supply.ohms
	if m.thin {
		ohms += thinOhms
	}
	m.inputV = m.spec.supply.volts - ohms*m.inputW/m.spec.supply.volts
	if m.sagging {
		m.inputV = m.spec.supply.sagV
	}
}

// governed is the share of the clock that the governor asks for.
func (m *model) governed() float64 {
	last := m.spec.clusters[len(m.spec.clusters)-1]
	least := float64(last.minKHz) / float64(last.maxKHz)
	switch m.governor {
	case "performance":
		return 1
	case "powersave":
		return least
	}
	return least + (1-least)*min(1, 1.25*m.load)
}

// target is the temperature that the present power leads to.
func (m *model) target() float64 {
	t := m.spec.thermal
	_, full := m.spec.watts()
	sum := 0.0
	for i, r := range m.spec.rails {
		if !r.inInput {
			sum += m.watts[i]
		}
	}
	c := t.ambientC + t.riseC*sum/full
	if m.heated {
		c += forcedC
	}
	return c
}

// throttle moves the clock by temperature, and notes what hardware notes.
func (m *model) throttle(dt float64) {
	switch t := m.spec.thermal.throttleC; {
	case m.tempC >= t:
		m.capped = max(leastClock, m.capped-clockSlope*dt)
	case m.tempC < t-hysteresisC:
		m.capped = min(1, m.capped+clockSlope*dt)
	}
	m.bits = 0
	if m.capped < 1 {
		m.bits |= bitCapped | bitThrottled
		m.overs += 2 * dt
	}
	if m.sagging || m.spec.supply.fiveVolts() && m.inputV < lowV {
		m.bits |= bitUndervolt
		m.sags += 5 * dt
	}
	m.sticky |= m.bits
}

// reading is what a sensor tells of a rail: volts and amperes with its errors,
// a little noise, and its resolution. lsbA 0 is fine resolution.
func (m *model) reading(i int, lsbV, lsbA float64) (volts, amps float64) {
	volts = m.railVolts(i)
	e := m.errors[i]
	amps = m.watts[i]/volts*(1+e.gain+0.003*m.uniform()) + e.offsetA
	return quantize(volts, lsbV), quantize(max(0, amps), lsbA)
}

// railVolts is a rail's voltage: the input's own sags, the others are regulated.
func (m *model) railVolts(i int) float64 {
	if r := m.spec.rails[i]; r.volts != m.spec.supply.volts {
		return r.volts
	}
	return m.inputV
}

func quantize(v, lsb float64) float64 {
	if lsb == 0 {
		return v
	}
	return math.Round(v/lsb) * lsb
}
