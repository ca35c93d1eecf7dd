package board

import (
	"errors"

	"github.com/seed-c6f48606/harness/targets/power"
)

// Sensor is an energy sensor of the board and whether it can be used.
type Sensor struct {
	Source string   `json:"source,omitempty"` // kind, such as "hwmon-ina3221"; empty = no known sensor
	Usable bool     `json:"usable"`
	Scope  string   `json:"scope,omitempty"`
	Rails  []string `json:"rails,omitempty"`
	// Why says why it is chosen or not, Mend what would make it usable.
	Why       string   `json:"why"`
	Mend      string   `json:"mend,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	Simulated bool     `json:"simulated,omitempty"`
}

// sensors lists the board's sensors, the best first. Where there is none, the
// only entry says why.
func (s Source) sensors() []Sensor {
	var out []Sensor
	for _, f := range power.Find(s.Root, power.Facts{}) {
		d := f.Description
		one := Sensor{
			Source: f.Source, Usable: f.Open != nil, Scope: d.Scope, Why: f.Why, Mend: mend(f.Err), Warnings: f.Warnings, Simulated: d.Simulated,
		}
		for _, r := range d.Rails {
			one.Rails = append(one.Rails, r.Name)
		}
		out = append(out, one)
	}
	if len(out) > 0 {
		return out
	}
	m, err := power.OpenBest(s.Root)
	if err != nil {
		why := err.Error()
		if u := (*power.Unavailable)(nil); errors.As(err, &u) {
			why = u.Reason
		}
		return []Sensor{{Why: why, Mend: mend(err)}}
	}
	m.Close() //nolint:errcheck // it came between the two looks and is not used
	return nil
}

func mend(err error) string {
	if u := (*power.Unavailable)(nil); errors.As(err, &u) {
		return u.Mend
	}
	return ""
}
