package board

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// identity looks whether this is the board that the user means: one address with
// another board behind it makes every comparison one of two boards.
func (d *diagnosis) identity(f Facts, w Want) {
	// A phone that hides its make, and a board whose make is not known, are Generic.
	if w.Kind == "" || w.Kind == Generic || w.Kind == f.Kind || w.Kind == Phone && f.Kind == Generic {
		return
	}
	is := f.Model
	if is == "" {
		is = "without a model's name"
	}
	d.add(Bad, "this is another board than the inventory says", "correct address: or board: of the target in the inventory", "%s (%s), the inventory says %s", f.Kind, is, w.Kind)
}

// wishes looks at the governor and the fan that the user wants.
func (d *diagnosis) wishes(f Facts, w Want) {
	if w.Governor != "" {
		var other []string
		for _, p := range f.Policies {
			if p.Governor != w.Governor {
				other = append(other, p.Name+" has "+p.Governor)
			}
		}
		if len(other) > 0 {
			d.add(Warn, "the governor is not as wanted", "echo "+w.Governor+" | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor",
				"%s, wanted is %s", strings.Join(other, ", "), w.Governor)
		}
	}
	if w.Fan == "" || w.Fan == "auto" {
		return
	}
	at := slices.IndexFunc(f.Coolings, func(c Cooling) bool { return strings.Contains(strings.ToLower(c.Type), "fan") })
	if at < 0 {
		d.add(Note, "no fan tells its state", "take fan: out of the inventory, or look at the fan yourself", "no cooling device is a fan, wanted is %s", w.Fan)
		return
	}
	c := f.Coolings[at]
	if want := fanState(w.Fan, c.Max); c.State != want {
		mend := "for d in /sys/class/thermal/cooling_device*; do if grep -qi fan $d/type; then echo " + strconv.FormatInt(want, 10) + " | sudo tee $d/cur_state; fi; done"
		if f.Kind.Jetson() && want == c.Max {
			mend = "sudo jetson_clocks --fan"
		}
		d.add(Warn, "the fan is not as wanted", mend, "%s is at %d of %d, wanted is %s", c.Type, c.State, c.Max, w.Fan)
	}
}

// fanState is a wish as the state of a cooling device with states from 0 to top.
func fanState(wish string, top int64) int64 {
	percent, err := strconv.ParseFloat(strings.TrimSuffix(wish, "%"), 64)
	if err != nil || percent > 100 {
		percent = 100 // max
	}
	return int64(math.Round(max(0, percent) / 100 * float64(top)))
}
