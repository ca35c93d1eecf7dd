package board

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Zone is a thermal zone.
type Zone struct {
	Type  string   `json:"type"`
	TempC *float64 `json:"temp_c"` // nil while the unit is gated
	path  string
}

// Cooling is a device that cools: by a fan, or by capping a clock.
type Cooling struct {
	Type  string `json:"type"`
	State int64  `json:"state"` // 0 = not cooling
	Max   int64  `json:"max"`
	path  string
}

const zoneFiles = "sys/class/thermal/thermal_zone*/temp"

// Hottest returns the temperature in °C of the hottest thermal zone below root,
// nil where no zone can be read.
func Hottest(root string) *float64 {
	s := Source{Root: root}
	var hottest *float64
	for _, z := range s.Zones() {
		if z.TempC != nil && (hottest == nil || *z.TempC > *hottest) {
			hottest = z.TempC
		}
	}
	return hottest
}

// noTemperatures are zones that tell none: PMIC-Die of a Jetson Nano always says
// 100 °C, the others tell a battery's current, voltage and charge.
var noTemperatures = []string{"PMIC-Die", "bcl", "vbat", "ibat", "socd"}

// celsius reads a zone. Zones of gated units return errors and are nil, as are
// readings that no working silicon has.
func (s Source) celsius(path string) *float64 {
	milli, err := strconv.ParseFloat(s.text(path), 64)
	if err != nil || !(milli >= -50e3 && milli <= 200e3) {
		return nil
	}
	c := milli / 1000
	return &c
}

// Zones lists the thermal zones.
func (s Source) Zones() []Zone {
	var out []Zone
	for _, path := range s.glob(zoneFiles) {
		kind := s.text(filepath.Dir(path), "type")
		if !slices.ContainsFunc(noTemperatures, func(part string) bool { return strings.Contains(kind, part) }) {
			out = append(out, Zone{Type: kind, TempC: s.celsius(path), path: path})
		}
	}
	return out
}

// Celsius reads zone z again; nil while it is gated.
func (s Source) Celsius(z Zone) *float64 { return s.celsius(z.path) }

// Coolings lists the cooling devices.
func (s Source) Coolings() []Cooling {
	var out []Cooling
	for _, path := range s.glob("sys/class/thermal/cooling_device*/cur_state") {
		c := Cooling{Type: s.text(filepath.Dir(path), "type"), path: path}
		n, top := s.number(path), s.number(filepath.Dir(path), "max_state")
		if n == nil {
			continue
		}
		if c.State = *n; top != nil {
			c.Max = *top
		}
		out = append(out, c)
	}
	return out
}

// State reads the state of c again; 0 where it does not answer.
func (s Source) State(c Cooling) int64 {
	if n := s.number(c.path); n != nil {
		return *n
	}
	return 0
}

// Caps says whether the device cools by slowing down the CPU, the GPU or the
// memory. Fans and radios do not.
func (c Cooling) Caps() bool {
	t := strings.ToLower(c.Type)
	for _, part := range []string{"fan"} {
		if strings.Contains(t, part) {
			return false
		}
	}
	for _, part := range []string{"cpufreq", "devfreq", "cpu", "gpu", "processor"} {
		if strings.Contains(t, part) {
			return true
		}
	}
	return false
}
