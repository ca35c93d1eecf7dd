package power

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// attrLimit bounds what is read of one file of sysfs or procfs; the kernel's own
// limit of an attribute is a page.
const attrLimit = 64 << 10

// readAttr reads a small text file without the line ends of sysfs and the NUL of
// a device tree string.
func readAttr(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, attrLimit+1))
	if err != nil {
		return "", err
	}
	if len(b) > attrLimit {
		return "", fmt.Errorf("%s: longer than %d bytes: not a sysfs attribute", path, attrLimit)
	}
	return strings.Trim(string(b), "\x00\n\t "), nil
}

// optAttr is readAttr where an absent or unreadable file says as much as an
// empty one.
func optAttr(path string) string {
	s, err := readAttr(path)
	if err != nil {
		return ""
	}
	return s
}

// parseAttr reads the whole number that a reading begins with; vendor kernels
// append units ("3200 ma").
func parseAttr(s string) (float64, error) {
	first, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	v, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number", clip(s))
	}
	return float64(v), nil
}

// clip keeps hostile text out of error messages.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}

// attr is a numeric file of sysfs and what 1 in it stands for, in V, A, W or J.
type attr struct {
	path string
	unit float64
}

func (a attr) read() (float64, error) {
	s, err := readAttr(a.path)
	if err != nil {
		return 0, err
	}
	v, err := parseAttr(s)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", a.path, err)
	}
	return v * a.unit, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// attrRail is a rail whose quantities are files of sysfs. An attr without a path
// is not there.
type attrRail struct {
	rail          Rail
	volts, amps   attr
	watts, joules attr
	// scale corrects current and power for a shunt that the driver has wrong.
	scale      float64
	maxV, maxA float64 // of the converter, 0 = unknown
}

// attrMeter reads rails from files of sysfs.
type attrMeter struct {
	what     Description
	rails    []attrRail
	warnings []string
}

func (m *attrMeter) Describe() Description { return m.what }

// Warnings are doubts about how the sensor is set up.
func (m *attrMeter) Warnings() []string { return m.warnings }

// Close has nothing to give back: sysfs is only read.
func (m *attrMeter) Close() error { return nil }

func (m *attrMeter) Read(dst []Value) error {
	if len(dst) != len(m.rails) {
		return fmt.Errorf("reading %s: %d values for %d rails", m.what.Source, len(dst), len(m.rails))
	}
	for i := range m.rails {
		v, err := m.rails[i].read()
		if err != nil && !passing(err) {
			return fmt.Errorf("reading rail %s: %w", m.rails[i].rail.Name, err)
		}
		if err != nil {
			v = missing
		}
		dst[i] = v
	}
	return nil
}

// missing is the value of a rail that could not be read.
var missing = Value{Watts: math.NaN(), Joules: math.NaN(), Volts: math.NaN(), Amps: math.NaN(), Flags: Missing}

func (r *attrRail) read() (Value, error) {
	v := Value{Watts: math.NaN(), Joules: math.NaN(), Volts: math.NaN(), Amps: math.NaN()}
	for _, q := range []struct {
		from  attr
		to    *float64
		scale float64
	}{
		// The current comes first: where the driver waits for a conversion, the
		// voltage, which moves least, is then the later one.
		{r.amps, &v.Amps, r.scale}, {r.volts, &v.Volts, 1}, {r.watts, &v.Watts, r.scale}, {r.joules, &v.Joules, r.scale},
	} {
		if q.from.path == "" {
			continue
		}
		x, err := q.from.read()
		if err != nil {
			return Value{}, err
		}
		*q.to = x * q.scale
	}
	if r.watts.path == "" {
		v.Watts = v.Volts * v.Amps
	}
	if r.maxA > 0 && math.Abs(v.Amps) >= r.maxA || r.maxV > 0 && v.Volts >= r.maxV {
		v.Flags |= Saturated
	}
	return v, nil
}

// passing reports errors that a later reading may not have: a disabled channel
// (ENODATA), a firmware that is not up (EAGAIN, ETIMEDOUT), a disturbed bus. A
// file that is gone or closed to the user stays so.
func passing(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case syscall.ENOENT, syscall.ENODEV, syscall.EACCES, syscall.EPERM, syscall.EISDIR, syscall.ENOTDIR, syscall.EMFILE, syscall.ENFILE:
		return false
	}
	return true
}
