package power

import (
	"bufio"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// odpmChannel is one rail of an on-device power monitor: µJ since some moment,
// as they were DurationMS after another.
type odpmChannel struct {
	Rail       string
	EnergyUJ   uint64
	DurationMS uint64
}

// odpmMax bounds the rails of a monitor; the chips have 8 or 12.
const odpmMax = 64

var (
	odpmTime = regexp.MustCompile(`^(?:t=)?([0-9]{1,19})$`)
	odpmRail = regexp.MustCompile(`^CH[0-9]{1,3}(?:\(T=([0-9]{1,19})\))?\[([^\[\]]{1,64})\], ?([0-9]{1,20})$`)
)

// parseODPM reads an energy_value file of drivers/iio/power/odpm.c: a line of
// the time since boot in ms ("t=349894", early kernels "349894") and a line a
// channel ("CH0(T=349894)[S10M_VDD_TPU], 5578756", early kernels without the
// parentheses), energies in µW·s.
func parseODPM(text string) ([]odpmChannel, error) {
	var channels []odpmChannel
	var now uint64
	seen := map[string]bool{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		if m := odpmTime.FindStringSubmatch(line); m != nil {
			now, _ = strconv.ParseUint(m[1], 10, 64) // 19 digits always fit
			continue
		}
		m := odpmRail.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("line %d: %q is no channel of an energy_value file", n, clip(line))
		}
		c := odpmChannel{Rail: m[2], DurationMS: now}
		var err error
		if c.EnergyUJ, err = strconv.ParseUint(m[3], 10, 64); err != nil {
			return nil, fmt.Errorf("line %d: energy of %s: %w", n, c.Rail, err)
		}
		if m[1] != "" {
			c.DurationMS, _ = strconv.ParseUint(m[1], 10, 64)
		}
		if seen[c.Rail] || len(channels) == odpmMax {
			return nil, fmt.Errorf("line %d: rail %s comes twice, or there are more than %d", n, c.Rail, odpmMax)
		}
		seen[c.Rail] = true
		channels = append(channels, c)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(channels) == 0 {
		return nil, fmt.Errorf("no channel in %q", clip(text))
	}
	return channels, nil
}

// ODPM reads the on-device power monitors of Pixel phones (Tensor): counters that
// the chip itself integrates, for rails between the battery and the parts.
type ODPM struct {
	what  Description
	paths []string
	rails []odpmRailState
}

type odpmRailState struct {
	device int
	rail   string
	first  uint64 // µJ at opening
	last   odpmChannel
}

// OpenODPM reads the monitors below root. Rails that begin with L are linear
// regulators, fed from a switching one that is measured itself: they are no part
// of the total. The display and the radios are in it.
func OpenODPM(root string, facts Facts) (Meter, error) {
	dirs := iioDirs(root, "energy_value")
	if len(dirs) == 0 {
		return nil, &Unavailable{Reason: "the kernel has no on-device power monitor"}
	}
	m := &ODPM{what: Description{Source: "odpm", Scope: "module", Total: Total{Gain: 1}, Settings: map[string]string{}}}
	var names []string
	for i, dir := range dirs {
		path := filepath.Join(dir, "energy_value")
		m.paths = append(m.paths, path)
		channels, err := readODPM(path)
		if err != nil {
			return nil, opening("odpm", err)
		}
		at := filepath.Base(dir)
		for _, file := range []string{"name", "sampling_rate", "enabled_rails"} {
			if s := optAttr(filepath.Join(dir, file)); s != "" {
				m.what.Settings[at+"."+file] = strings.ReplaceAll(clip(s), "\n", " ")
			}
		}
		m.what.Cycle = max(m.what.Cycle, odpmCycle(optAttr(filepath.Join(dir, "sampling_rate"))))
		for _, c := range channels {
			m.rails = append(m.rails, odpmRailState{device: i, rail: c.Rail, first: c.EnergyUJ, last: c})
			m.what.Rails = append(m.what.Rails, Rail{Name: c.Rail, Counter: true, Budget: odpmBudget})
			names = append(names, c.Rail)
		}
	}
	return m, m.total(facts, names)
}

// total marks the rails of the total.
func (m *ODPM) total(facts Facts, names []string) error {
	in := func(name string) bool { return !strings.HasPrefix(name, "L") }
	m.what.TotalRule = "sum of the switching regulators and system supplies; linear regulators (L...) are fed from them"
	if len(facts.TotalRails) > 0 {
		r, unavailable := ruleOf(facts, nil, names)
		if unavailable != nil {
			return unavailable
		}
		m.what.TotalRule, m.what.Scope = r.words, r.scope
		in = func(name string) bool { return slices.Contains(r.rails, name) }
	}
	for i := range m.what.Rails {
		m.what.Rails[i].InTotal = in(m.what.Rails[i].Name)
	}
	return nil
}

// odpmBudget: no data sheet is public; 5 % is taken.
var odpmBudget = Budget{GainRel: 0.05}

// odpmCycle is how old the driver lets its copy of the registers grow: about 20
// samples of the chip (20 ms at 1 kHz, 2.6 s at 7.6 Hz).
func odpmCycle(rate string) time.Duration {
	hz, err := strconv.ParseFloat(rate, 64)
	if err != nil || !(hz >= 0.1 && hz <= 1e6) {
		return 0
	}
	return time.Duration(20 / hz * float64(time.Second))
}

func readODPM(path string) ([]odpmChannel, error) {
	text, err := readAttr(path)
	if err != nil {
		return nil, err
	}
	channels, err := parseODPM(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return channels, nil
}

// Describe says what is measured and how.
func (m *ODPM) Describe() Description { return m.what }

// Close has nothing to give back.
func (m *ODPM) Close() error { return nil }

// Read writes the joules since the meter was opened. A counter that the driver
// has not read anew is stale.
func (m *ODPM) Read(dst []Value) error {
	if len(dst) != len(m.rails) {
		return fmt.Errorf("reading odpm: %d values for %d rails", len(dst), len(m.rails))
	}
	now := make(map[string]odpmChannel, len(m.rails))
	for i, path := range m.paths {
		channels, err := readODPM(path)
		if err != nil {
			return fmt.Errorf("reading odpm: %w", err)
		}
		for _, c := range channels {
			now[strconv.Itoa(i)+c.Rail] = c
		}
	}
	for i := range m.rails {
		r := &m.rails[i]
		c, ok := now[strconv.Itoa(r.device)+r.rail]
		if !ok {
			dst[i] = missing
			continue
		}
		if c.EnergyUJ < r.last.EnergyUJ {
			return fmt.Errorf("reading odpm: the counter of %s went back from %d to %d µJ: the monitor was reset", r.rail, r.last.EnergyUJ, c.EnergyUJ)
		}
		dst[i] = Value{Joules: float64(c.EnergyUJ-r.first) * 1e-6, Watts: math.NaN(), Volts: math.NaN(), Amps: math.NaN()}
		if c == r.last {
			dst[i].Flags |= Stale
		} else if ms := c.DurationMS - r.last.DurationMS; ms > 0 && c.DurationMS > r.last.DurationMS {
			dst[i].Watts = float64(c.EnergyUJ-r.last.EnergyUJ) * 1e-3 / float64(ms)
		}
		r.last = c
	}
	return nil
}
