package measure

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seed-c6f48606/harness/targets/board"
)

// Files that tell of hardware that slows itself down. The counts are since boot:
// only the difference of two readings is meant.
const (
	// x86: each core repeats its package's count.
	x86Throttles = "sys/devices/system/cpu/cpu*/thermal_throttle/*_throttle_count"
	// Jetson's soctherm: average and momentary over-current, and under-voltage.
	jetsonCurrents = "sys/class/hwmon/hwmon*/oc[23]_event_cnt"
	jetsonVoltage  = "sys/class/hwmon/hwmon*/oc1_event_cnt"
	// Raspberry Pi's firmware alarm, hwmon name rpi_volt: whether the supply
	// sagged in the two seconds before it was asked last (raspberrypi-hwmon.c).
	piVoltage = "sys/class/hwmon/hwmon*/in0_lcrit_alarm"
)

// throttles sums the counters of throttling; nil where there is none.
func (m Machine) throttles() *int64 { return m.add(m.add(nil, x86Throttles), jetsonCurrents) }

// undervolts sums the counters of a sagging supply, and alarms counts the alarms
// that stand; nil where there is neither.
func (m Machine) undervolts() (events, alarms *int64) {
	paths, err := filepath.Glob(filepath.Join(m.Root, piVoltage))
	if err != nil {
		return nil, nil // the pattern is constant
	}
	for _, path := range paths {
		if name, err := os.ReadFile(filepath.Join(filepath.Dir(path), "name")); err == nil && strings.TrimSpace(string(name)) == "rpi_volt" {
			alarms = addFile(alarms, path)
		}
	}
	return m.add(nil, jetsonVoltage), alarms
}

// add adds the counters that match a pattern to sum.
func (m Machine) add(sum *int64, pattern string) *int64 {
	paths, err := filepath.Glob(filepath.Join(m.Root, pattern))
	if err != nil {
		return sum // the patterns are constant
	}
	for _, path := range paths {
		sum = addFile(sum, path)
	}
	return sum
}

// addFile adds the number in a file, if it can be read, to sum.
func addFile(sum *int64, path string) *int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		return sum
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return sum
	}
	if sum != nil {
		n += *sum
	}
	return &n
}

// throttleBits asks a Raspberry Pi's firmware for its bits; nil on other
// machines, which are not asked.
func (m Machine) throttleBits() *board.Throttle {
	s := board.At(m.Root)
	if !s.Kind().Pi() {
		return nil
	}
	t, err := s.Throttle(context.Background()) // bounded by the tool's own limit
	if err != nil {
		return nil
	}
	return &t
}

// askHeat asks an Android phone for its thermal status. The question has a service
// of the phone work, so that it is put outside of the window.
func (t *trial) askHeat(ctx context.Context) {
	if board.Kind(t.env.Kind) != board.Phone {
		return
	}
	if s := board.At(t.session.machine.Root).ThermalStatus(ctx); s != nil && (t.heat == nil || *s > *t.heat) {
		t.heat = s
	}
}

// batteryStatus is Charging, Discharging, ... or empty without a battery.
func (m Machine) batteryStatus() string {
	if b := board.At(m.Root).Battery(); b != nil {
		return b.Status
	}
	return ""
}

// throttleBits are the bits that stood at either end and, shifted, those that
// were set for good in between.
func throttleBits(before, after *board.Throttle) *uint32 {
	if before == nil || after == nil {
		return nil
	}
	now := before.Now() | after.Now()
	since := after.Since() &^ before.Since()
	v := uint32(now | since<<16)
	return &v
}
