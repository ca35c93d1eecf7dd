package power

import "time"

// Meter is an energy sensor of one or more rails. Its methods are called from one
// goroutine at a time.
type Meter interface {
	// Describe says what is measured and how. It does not change while the meter is open.
	Describe() Description
	// Read writes one value a rail, in the order of Describe's rails, to dst.
	Read(dst []Value) error
	// Close gives the sensor back in the state in which it was found.
	Close() error
}

// Description is what a meter measures, how, and how well.
type Description struct {
	// Source names the kind of sensor: rapl, hwmon-ina3221, ina226, pmic, ...
	Source string
	// Scope is what the total covers: SoC-package, module, board-5V, board-12V, battery or wall.
	Scope string
	// TotalRule says in words how the rails add up; Total says it in numbers.
	TotalRule string
	Total     Total
	Rails     []Rail
	// Cycle is the time in which the sensor makes a new reading of every rail;
	// polling faster gives the same ones again. 0 is unknown.
	Cycle time.Duration
	// Averaged is the stretch of time that a power reading is the mean over, with
	// the turns that other quantities and rails take within it: a Cycle for block
	// averages without dead time, one conversion of one that does not average.
	// 0 is unknown, and is taken for an instant.
	Averaged time.Duration
	// Simulated says that no hardware stands behind the readings.
	Simulated bool
	// Settings are the sensor's own, as found or as set: averaging, conversion
	// times, addresses.
	Settings map[string]string
}

// Total is Gain·Σ + OffsetW over the rails that are in the total.
type Total struct {
	Gain    float64
	OffsetW float64
	// RelError is the relative limit of error that the rule itself adds, as for a
	// fit; 0 for a plain sum.
	RelError float64
}

// Rail is one supply that a meter reads.
type Rail struct {
	Name string
	// InTotal says that the rail is a term of the meter's total. Rails that
	// contain others, or are contained, are not.
	InTotal bool
	// Counter says that the sensor itself integrates: Value.Joules is read, not
	// Value.Watts.
	Counter   bool
	ShuntUOhm float64 // 0 = there is none, or nobody says
	Budget    Budget
}

// Budget are the limits of a rail's systematic errors (data sheet, ±, taken as
// uniform within) and its resolution.
type Budget struct {
	GainRel  float64 // of the power, by the converter
	ShuntRel float64 // of the shunt
	OffsetA  float64 // of the current, A
	LSBA     float64 // one step of the current, A
	LSBV     float64 // one step of the bus voltage, V
	LSBW     float64 // one step of the power, W, where only power is told
}

// Value is one reading of one rail.
type Value struct {
	Watts  float64 // mean over the sensor's last conversion
	Joules float64 // of a Counter, since a fixed but arbitrary moment
	// Volts and Amps are NaN where the sensor does not tell.
	Volts, Amps float64
	Flags       Flag
}

// Flag is a doubt about a reading.
type Flag uint8

const (
	// Saturated: the converter was at the end of its range or its arithmetic overflowed.
	Saturated Flag = 1 << iota
	// Stale: the sensor had no new conversion since the last reading.
	Stale
	// Missing: the rail could not be read this time (switched off, gated).
	Missing
)
