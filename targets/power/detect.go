package power

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Found is an energy sensor that a machine shows, whether it can be used or not.
type Found struct {
	// Source names the kind of sensor, as in Description.
	Source string
	// Description is what it measures; zero where Err says why it cannot.
	Description Description
	// Open opens it; nil where Err is set.
	Open func() (Meter, error)
	// Err is why it cannot be used: mostly an *Unavailable, with what mends it.
	Err error
	// Why says why it is the one that OpenBest chooses, or why not.
	Why string
	// Warnings are doubts about how it is set up.
	Warnings []string
}

// warner is a meter that has doubts about how its sensor is set up.
type warner interface{ Warnings() []string }

// source is a kind of sensor: how to see whether a machine has it, and how to
// open it.
type source struct {
	name  string
	what  string // in words
	trace func(root string) bool
	open  func(root string, facts Facts) (Meter, error)
}

// sources in the order of preference: measured rails of the module or board,
// then what is fitted or modelled, then what covers a part only or needs the
// charger unplugged.
var sources = []source{
	{"hwmon-ina3221", "rails of the module, measured", func(root string) bool { return len(hwmonOf(root, isINA3221)) > 0 }, OpenHwmonINA3221},
	{"hwmon-ina2xx", "a supply, measured", func(root string) bool { return len(hwmonOf(root, isINA2xx)) > 0 }, OpenHwmonINA2xx},
	{"hwmon", "monitors named in the inventory", hasHwmonPower, OpenHwmonPower},
	{"iio-ina3221x", "rails of the module, measured", func(root string) bool { return len(iioDirs(root, "rail_name_0")) > 0 }, OpenIIO},
	{"pmic", "the board's rails, with a fit for the rest", hasPMIC, OpenPMIC},
	{"odpm", "rails behind the battery, counted", func(root string) bool { return len(iioDirs(root, "energy_value")) > 0 }, OpenODPM},
	{"rapl", "the processor package, counted", hasRAPL, func(root string, _ Facts) (Meter, error) { return meterOf(OpenRAPL(root)) }},
	{"battery", "the battery's slow gauge", func(root string) bool { return len(batteryDirs(root)) > 0 }, OpenBattery},
	{"termux-battery", "the battery's slow gauge, by a command", func(root string) bool { return termuxCommand(root) != "" }, OpenTermux},
	{"dumpsys-battery", "the battery's charge counter, by a command", func(root string) bool { return dumpsysCommand(root) != "" }, OpenDumpsys},
}

// meterOf keeps a nil pointer from becoming a meter.
func meterOf[M interface {
	Meter
	comparable
}](m M, err error) (Meter, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

func hasHwmonPower(root string) bool {
	for _, d := range hwmonOf(root, func(chip string) bool { return !isINA3221(chip) && !isINA2xx(chip) }) {
		if len(channels(d.path, "power"))+len(channels(d.path, "energy")) > 0 {
			return true
		}
	}
	return false
}

func hasPMIC(root string) bool {
	return exists(filepath.Join(root, "dev/vcio")) || program(root, "vcgencmd", "usr/bin", "opt/vc/bin") != ""
}

func hasRAPL(root string) bool {
	paths, _ := filepath.Glob(filepath.Join(root, "sys/class/powercap", raplPrefix+"*"))
	return len(paths) > 0
}

// Find lists the sensors that the machine below root shows, those that can be
// used first and among them the best, each opened and read once.
func Find(root string, facts Facts) []Found {
	var usable, broken []Found
	for _, s := range sources {
		if !s.trace(root) {
			continue
		}
		f := Found{Source: s.name}
		m, err := s.start(root, facts)
		if err != nil {
			f.Err, f.Why = err, reason(err)
			broken = append(broken, f)
			continue
		}
		f.Description = m.Describe()
		f.Source = f.Description.Source
		if w, ok := m.(warner); ok {
			f.Warnings = w.Warnings()
		}
		if err := m.Close(); err != nil {
			f.Warnings = append(f.Warnings, err.Error())
		}
		f.Open = func() (Meter, error) { return s.start(root, facts) }
		f.Why = "chosen: " + s.what
		if len(usable) > 0 {
			f.Why = fmt.Sprintf("%s is preferred to it: %s", usable[0].Source, strings.TrimPrefix(usable[0].Why, "chosen: "))
		}
		usable = append(usable, f)
	}
	return append(usable, broken...)
}

// reason is an error's cause without what mends it.
func reason(err error) string {
	if u := (*Unavailable)(nil); errors.As(err, &u) {
		return u.Reason
	}
	return err.Error()
}

// OpenBest opens the best sensor of the machine below root. Where there is none
// that can be used the error is an *Unavailable. A sensor that is there and fails
// otherwise is a fault: a lesser one in its place would make two trials of one
// board incomparable.
func OpenBest(root string) (Meter, error) { return OpenBestOf(root, Facts{}) }

// OpenBestOf is OpenBest with what the inventory says of the sensors.
func OpenBestOf(root string, facts Facts) (Meter, error) {
	var first *Unavailable
	for _, s := range sources {
		if !s.trace(root) {
			continue
		}
		m, err := s.start(root, facts)
		if err == nil {
			return m, nil
		}
		var u *Unavailable
		if !errors.As(err, &u) {
			return nil, err
		}
		if first == nil {
			first = u
		}
	}
	if first != nil {
		return nil, first
	}
	return nil, none(root, facts.compatible(root))
}

// none is why a machine shows no sensor at all.
func none(root string, compatible []string) error {
	board := "this board"
	if len(compatible) > 0 {
		board = compatible[0]
	}
	switch {
	case jetsonOf(compatible) != nil:
		_, err := OpenHwmonINA3221(root, Facts{})
		return err
	case isPi5(compatible):
		_, err := OpenPMIC(root, Facts{})
		return err
	case isPi(compatible):
		return &Unavailable{Reason: board + " has no sensor of current; the first Raspberry Pi with one is the 5", Mend: externalMend}
	case isQualcomm(compatible):
		return &Unavailable{Reason: board + " shows no rail monitor and no battery", Mend: externalMend}
	case len(compatible) > 0:
		return &Unavailable{Reason: board + " shows no sensor that is known here", Mend: externalMend}
	}
	_, err := OpenRAPL(root)
	return err
}
