package board

import (
	"path/filepath"
	"strings"
)

// Alarm says whether a rail's current was above a limit of the module's INA3221 since
// it was last asked (drivers/hwmon/ina3221.c). A Jetson slows itself down by it.
type Alarm struct {
	Rail  string
	Limit string // "warning", of the average, or "critical", of one conversion
	path  string
}

// Alarms lists the alarms of a Jetson's own sensor. A channel without a label is
// wired by the user, or to nothing.
func (s Source) Alarms(kind Kind) []Alarm {
	if !kind.Jetson() {
		return nil
	}
	var out []Alarm
	for _, dir := range s.glob("sys/class/hwmon/hwmon*") {
		if s.text(dir, "name") != "ina3221" {
			continue
		}
		for _, n := range []string{"1", "2", "3"} {
			rail := s.text(dir, "in"+n+"_label")
			if rail == "" || strings.Contains(rail, "NC") {
				continue
			}
			for _, a := range []Alarm{{rail, "warning", "max"}, {rail, "critical", "crit"}} {
				a.path = filepath.Join(dir, "curr"+n+"_"+a.path+"_alarm")
				if s.number(a.path) != nil {
					out = append(out, a)
				}
			}
		}
	}
	return out
}

// Raised asks an alarm, and clears it where the limit is no longer exceeded. Every other
// reading of the chip clears it too: one that was not raised may have been.
func (s Source) Raised(a Alarm) bool {
	n := s.number(a.path)
	return n != nil && *n != 0
}
