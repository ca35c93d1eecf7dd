package power

import (
	"fmt"
	"math"
)

// judge lists what is doubtful.
func (c *Calibration) judge() {
	find := func(code, format string, args ...any) {
		c.Findings = append(c.Findings, Finding{code, fmt.Sprintf(format, args...)})
	}
	least, most := c.Steps[0], c.Steps[0]
	for _, s := range c.Steps {
		if s.Load < least.Load {
			least = s
		}
		if s.Load > most.Load {
			most = s
		}
		w := s.Window
		if w.Gaps > 0 {
			find("gaps", "%s: %d times longer than three periods without a reading", s.Name, w.Gaps)
		}
		if w.Saturated > 0 {
			find("saturated", "%s: %d readings at the end of the range: use a smaller shunt or a wider range", s.Name, w.Saturated)
		}
		if w.Missing > 0 {
			find("missing", "%s: %d values of the total could not be read", s.Name, w.Missing)
		}
		if w.StaleShare > w.StaleDue+0.25 {
			find("stale", "%s: %.0f %% of the readings repeat the one before, %.0f %% would do", s.Name, 100*w.StaleShare, 100*w.StaleDue)
		}
	}
	if least.Load < most.Load {
		rise, noise, step := most.Total.Value-least.Total.Value, 0.0, 0.0
		for i, r := range most.Rails {
			if c.Sensor.Rails[i].InTotal {
				noise = math.Hypot(noise, r.NoiseW)
				step += r.StepW
			}
		}
		switch {
		case rise <= 0:
			find("no-response", "the total is %.3g W at %s and %.3g W at %s: it does not follow the load; is it the rail of this board?",
				least.Total.Value, least.Name, most.Total.Value, most.Name)
		case rise < 5*step:
			find("coarse", "from %s to %s the total rises by %.3g W, fewer than 5 steps of %.3g W: use a larger shunt", least.Name, most.Name, rise, step)
		case rise < noise:
			find("noisy", "from %s to %s the total rises by %.3g W, less than a reading's noise of %.3g W: use long windows", least.Name, most.Name, rise, noise)
		}
	}
	c.compareParts(find)
}

// compareParts checks a total of one rail against the others: what is inside of
// it cannot take more.
func (c *Calibration) compareParts(find func(code, format string, args ...any)) {
	terms := 0
	for _, r := range c.Sensor.Rails {
		if r.InTotal {
			terms++
		}
	}
	if terms != 1 || len(c.Sensor.Rails) == 1 || c.Sensor.Source == raplSource {
		return // a sum has no parts; RAPL's other domains lie beside or around the package
	}
	for _, s := range c.Steps {
		upper := 0.0
		for i, r := range s.Rails {
			if !c.Sensor.Rails[i].InTotal && !math.IsNaN(r.MeanW.Half()) {
				upper += r.MeanW.Half()
			}
		}
		if s.PartsW-upper > s.Total.Hi {
			find("parts-exceed-total", "%s: the parts take %.3g W, the total they are in %.3g W: is a shunt's value wrong?", s.Name, s.PartsW, s.Total.Value)
		}
	}
}
