package power

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	// serialLine bounds a line, serialColumns the fields in it.
	serialLine    = 1024
	serialColumns = 64
)

// serialUnits are the units of columns, to V, A, W, J and s.
var serialUnits = map[string]struct {
	quantity byte
	unit     float64
}{
	"V": {'V', 1}, "mV": {'V', 1e-3}, "uV": {'V', 1e-6},
	"A": {'A', 1}, "mA": {'A', 1e-3}, "uA": {'A', 1e-6},
	"W": {'W', 1}, "mW": {'W', 1e-3}, "uW": {'W', 1e-6},
	"J": {'J', 1}, "mJ": {'J', 1e-3}, "uJ": {'J', 1e-6},
}

var serialTimes = map[string]float64{"t_s": 1, "t_ms": 1e-3, "t_us": 1e-6, "t_ns": 1e-9}

// serialColumn is a quantity's place in a line; unit 0 is none.
type serialColumn struct {
	at   int
	unit float64
}

// serialRail is a rail's columns.
type serialRail struct {
	name                       string
	volts, amps, watts, joules serialColumn
}

// serialHeader is what the columns of a stream are.
type serialHeader struct {
	text    string
	seconds float64 // a step of the time column
	columns int
	rails   []serialRail
}

// isHeader tells a header from a row and from a comment.
func isHeader(line string) bool { return strings.HasPrefix(line, "t_") }

// parseHeader reads a line that names the columns: the device's time first (t_s,
// t_ms, t_us or t_ns), then RAIL_UNIT with V, A, W or J, m and u before it. A
// rail needs W, J, or V and A: "t_us,5V_mV,5V_mA,core_W".
func parseHeader(line string) (serialHeader, error) {
	line = strings.TrimSpace(line)
	fields := strings.Split(line, ",")
	h := serialHeader{text: line, columns: len(fields)}
	if len(line) > serialLine || len(fields) > serialColumns {
		return h, fmt.Errorf("header of %d bytes and %d columns: the limits are %d and %d", len(line), len(fields), serialLine, serialColumns)
	}
	if h.seconds = serialTimes[strings.TrimSpace(fields[0])]; h.seconds == 0 {
		return h, fmt.Errorf("header %q: the first column must be the device's time: t_s, t_ms, t_us or t_ns", clip(line))
	}
	index := map[string]int{}
	for at, field := range fields[1:] {
		field = strings.TrimSpace(field)
		name, unit := "supply", field
		if i := strings.LastIndexByte(field, '_'); i >= 0 {
			name, unit = field[:i], field[i+1:]
		}
		u, ok := serialUnits[unit]
		if !ok || name == "" {
			return h, fmt.Errorf("header column %d: %q: give RAIL_UNIT with a unit of V, A, W or J, with m or u before it", at+2, clip(field))
		}
		i, ok := index[name]
		if !ok {
			i = len(h.rails)
			index[name] = i
			h.rails = append(h.rails, serialRail{name: name})
		}
		r := &h.rails[i]
		to := map[byte]*serialColumn{'V': &r.volts, 'A': &r.amps, 'W': &r.watts, 'J': &r.joules}[u.quantity]
		if to.unit != 0 {
			return h, fmt.Errorf("header column %d: %q comes twice", at+2, clip(field))
		}
		*to = serialColumn{at + 1, u.unit}
	}
	if len(h.rails) == 0 {
		return h, errors.New("the header names no rail")
	}
	for _, r := range h.rails {
		if r.joules.unit == 0 && r.watts.unit == 0 && (r.volts.unit == 0 || r.amps.unit == 0) {
			return h, fmt.Errorf("rail %s of the header has neither W nor J nor both V and A", r.name)
		}
	}
	return h, nil
}

// parse reads one row into values, a rail each, and returns the raw time.
func (h *serialHeader) parse(line string, values []Value) (float64, error) {
	fields := strings.Split(strings.TrimSpace(line), ",")
	if len(fields) != h.columns {
		return 0, fmt.Errorf("row of %d columns, the header has %d", len(fields), h.columns)
	}
	var numbers [serialColumns]float64
	for i, f := range fields {
		v, err := strconv.ParseFloat(strings.TrimSpace(f), 64)
		if err != nil || math.IsNaN(v) || math.Abs(v) > 1e18 {
			return 0, fmt.Errorf("column %d: %q is no number", i+1, clip(f))
		}
		numbers[i] = v
	}
	get := func(c serialColumn) float64 {
		if c.unit == 0 {
			return math.NaN()
		}
		return numbers[c.at] * c.unit
	}
	for i, r := range h.rails {
		v := Value{Volts: get(r.volts), Amps: get(r.amps), Watts: get(r.watts), Joules: get(r.joules)}
		if math.IsNaN(v.Watts) {
			v.Watts = v.Volts * v.Amps
		}
		values[i] = v
	}
	return numbers[0], nil
}

// serialSum integrates the rows of a stream over the device's own time.
type serialSum struct {
	rows   int
	at     float64 // s, of the last row, turns of the device's clock included
	raw    float64
	last   []Value
	joules []float64 // a rail each, since the first row
	breaks int       // times that the device's clock went back: it was reset
}

// turn32 is a microcontroller's 32-bit counter; at 1 µs it turns over every 72
// minutes.
const turn32 = 1 << 32

// add takes a row. The energy between two rows is the trapezoid's, or the
// difference of the device's own counter. Between a row and one with an earlier
// time there is none: the device was reset.
func (s *serialSum) add(h *serialHeader, raw float64, values []Value) {
	if s.rows == 0 {
		s.joules = make([]float64, len(values))
		s.last = make([]Value, len(values))
	}
	step := raw - s.raw
	if step < 0 && s.raw < turn32 && -step > turn32/2 {
		step += turn32
	}
	if s.rows > 0 && step >= 0 {
		s.at += step * h.seconds
		for i, v := range values {
			if counted := v.Joules - s.last[i].Joules; h.rails[i].joules.unit == 0 {
				s.joules[i] += step * h.seconds * (s.last[i].Watts + v.Watts) / 2
			} else if counted >= 0 {
				s.joules[i] += counted
			} else {
				s.breaks++
			}
		}
	} else if s.rows > 0 {
		s.breaks++
	}
	s.raw = raw
	s.rows++
	copy(s.last, values)
}
