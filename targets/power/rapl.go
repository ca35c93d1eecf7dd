package power

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Unavailable is why a machine has no energy sensor.
type Unavailable struct {
	Reason string
	Mend   string // what would make it available; may be empty
}

func (u *Unavailable) Error() string {
	if u.Mend == "" {
		return "energy is unavailable: " + u.Reason
	}
	return "energy is unavailable: " + u.Reason + "; " + u.Mend
}

// RAPL reads the running average power limit counters of Intel and AMD
// processors through the kernel's powercap tree
// (Documentation/power/powercap/powercap.rst; Intel SDM vol. 3B, 15.10).
// A package contains its core and uncore domains, which are therefore not read;
// dram and psys are read beside the package but are no part of the total.
type RAPL struct {
	mu    sync.Mutex
	zones []zone
}

// zone is one powercap domain and its counter so far.
type zone struct {
	rail    Rail
	path    string // of energy_uj
	wrapsAt uint64 // µJ
	last    uint64
	sum     uint64 // µJ since the meter was opened
}

const (
	raplSource = "rapl"
	raplPrefix = "intel-rapl:"
	// raplCycle is how often the processor updates its counters (SDM vol. 3B, 15.10.3).
	raplCycle = time.Millisecond
)

// OpenRAPL finds the domains below root, which is "/" on a real machine. Where
// no package domain can be read the error is an *Unavailable.
func OpenRAPL(root string) (*RAPL, error) {
	dir := filepath.Join(root, "sys/class/powercap")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing RAPL domains: %w", err)
	}
	var r RAPL
	for _, e := range entries {
		// intel-rapl-mmio:0 is the same package behind another door.
		id, ok := strings.CutPrefix(e.Name(), raplPrefix)
		if !ok {
			continue
		}
		rail, ok, err := railOf(filepath.Join(dir, e.Name()), id)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		z, err := openZone(filepath.Join(dir, e.Name()), rail)
		if errors.Is(err, fs.ErrPermission) {
			return nil, &Unavailable{
				Reason: "only root may read " + filepath.Join(dir, e.Name(), "energy_uj"),
				Mend:   `let a group read it by a udev rule: SUBSYSTEM=="powercap", RUN+="/bin/chgrp -R power /sys%p", RUN+="/bin/chmod -R g+r /sys%p"`,
			}
		}
		if err != nil {
			return nil, err
		}
		r.zones = append(r.zones, z)
	}
	if !slices.ContainsFunc(r.zones, func(z zone) bool { return z.rail.InTotal }) {
		return nil, &Unavailable{
			Reason: "the kernel shows no RAPL package domain",
			Mend:   "a virtual machine has none; on x86 hardware load intel_rapl_msr (AMD: kernel 5.8 or later)",
		}
	}
	return &r, nil
}

// railOf tells what domain id ("0", "0:1") at dir is, and whether it is read.
func railOf(dir, id string) (Rail, bool, error) {
	name, err := readString(filepath.Join(dir, "name"))
	if err != nil {
		return Rail{}, false, fmt.Errorf("reading the name of a RAPL domain: %w", err)
	}
	parent, _, nested := strings.Cut(id, ":")
	switch {
	case !nested:
		return Rail{Name: name, InTotal: strings.HasPrefix(name, "package"), Counter: true}, true, nil
	case name == "dram":
		return Rail{Name: "dram-" + parent, Counter: true}, true, nil
	}
	return Rail{}, false, nil
}

func openZone(dir string, rail Rail) (zone, error) {
	wraps, err := readUint(filepath.Join(dir, "max_energy_range_uj"))
	if err != nil {
		return zone{}, fmt.Errorf("reading the range of RAPL domain %s: %w", rail.Name, err)
	}
	z := zone{rail: rail, path: filepath.Join(dir, "energy_uj"), wrapsAt: wraps}
	if z.last, err = readUint(z.path); err != nil {
		return zone{}, fmt.Errorf("reading the energy of RAPL domain %s: %w", rail.Name, err)
	}
	return z, z.check(z.last)
}

// check refuses a reading beyond the counter's range, whose next turn would
// come out as an absurd energy.
func (z *zone) check(now uint64) error {
	if now > z.wrapsAt {
		return fmt.Errorf("reading the energy of RAPL domain %s: %d µJ are beyond its range of %d", z.rail.Name, now, z.wrapsAt)
	}
	return nil
}

// Describe lists the rails in the order of Read. Their budgets are empty: the
// maker states no limits of error for these counters.
func (r *RAPL) Describe() Description {
	d := Description{
		Source: raplSource, Scope: "SoC-package",
		TotalRule: "sum of the package domains", Total: Total{Gain: 1},
		Cycle: raplCycle,
	}
	for i := range r.zones {
		d.Rails = append(d.Rails, r.zones[i].rail)
	}
	return d
}

// Close does nothing: the counters run on.
func (r *RAPL) Close() error { return nil }

// Read writes the joules since the meter was opened, a rail each, to dst. It
// must be called before a counter turns over twice: at 100 W that takes over
// 40 minutes.
func (r *RAPL) Read(dst []Value) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(dst) != len(r.zones) {
		return fmt.Errorf("reading RAPL: %d values for %d rails", len(dst), len(r.zones))
	}
	for i := range r.zones {
		z := &r.zones[i]
		now, err := readUint(z.path)
		if err != nil {
			return fmt.Errorf("reading the energy of RAPL domain %s: %w", z.rail.Name, err)
		}
		if err := z.check(now); err != nil {
			return err
		}
		z.sum += elapsed(z.last, now, z.wrapsAt)
		z.last = now
		dst[i] = Value{Joules: float64(z.sum) / 1e6, Volts: math.NaN(), Amps: math.NaN()}
	}
	return nil
}

// elapsed is the energy between two readings of a counter that starts again
// from 0 after wrapsAt.
func elapsed(before, after, wrapsAt uint64) uint64 {
	if after >= before {
		return after - before
	}
	return wrapsAt - before + after
}

func readString(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.Trim(string(b), "\x00\n\t "), err
}

func readUint(path string) (uint64, error) {
	s, err := readString(path)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}
