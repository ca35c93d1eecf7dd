package board

import (
	"path/filepath"
	"strconv"
)

// Hottest returns the temperature in °C of the hottest thermal zone below root,
// nil where no zone can be read. Zones of gated units return errors and are
// left out, as are readings that no working silicon has.
func Hottest(root string) *float64 {
	paths, err := filepath.Glob(filepath.Join(root, "sys/class/thermal/thermal_zone*/temp"))
	if err != nil {
		return nil // the pattern is constant
	}
	var hottest *float64
	for _, path := range paths {
		milli, err := strconv.ParseFloat(text("", path), 64)
		if err != nil || milli < -50e3 || milli > 200e3 {
			continue
		}
		if c := milli / 1000; hottest == nil || c > *hottest {
			hottest = &c
		}
	}
	return hottest
}
