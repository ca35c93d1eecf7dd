package virtual

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kinds of faults.
const (
	Throttle  = "throttle"  // the board is heated from outside until its clocks fall
	LinkDown  = "linkdown"  // the network link is silent
	Undervolt = "undervolt" // the supply sags
	Cable     = "cable"     // the supply's cable is thin: it sags by what the board takes
	Gap       = "gap"       // the power sensor does not answer
	Reboot    = "reboot"    // power is lost: every process ends, and after a while the board is back
	NoSpace   = "enospc"    // the home directory's file system is full
	OutOfMem  = "oom"       // the kernel kills the largest process
	HostKey   = "hostkey"   // the SSH server has another host key
	ClockJump = "clockjump" // the real-time clock is set
)

// faultKinds are the faults with how long each lasts by default: 0 = it happens
// at once and is over, forever = until the board stops.
var faultKinds = []faultKind{
	{Throttle, 10 * time.Second},
	{LinkDown, 5 * time.Second},
	{Undervolt, 2 * time.Second},
	{Cable, forever},
	{Gap, 2 * time.Second},
	{Reboot, 3 * time.Second},
	{NoSpace, forever},
	{OutOfMem, 0},
	{HostKey, 0},
	{ClockJump, time.Hour},
}

type faultKind struct {
	kind string
	last time.Duration
}

const (
	forever = time.Duration(1<<63 - 1)
	// faultsMax and faultTime bound what ParseFaults accepts.
	faultsMax = 64
	faultTime = 24 * time.Hour
)

// FaultKinds lists the names of the faults.
func FaultKinds() []string {
	var names []string
	for _, k := range faultKinds {
		names = append(names, k.kind)
	}
	return names
}

// Fault is something that goes wrong on a board.
type Fault struct {
	Kind string
	// At is when, from the start of the board.
	At time.Duration
	// For is how long; of ClockJump by how much the clock is set forward. 0 is
	// the kind's default.
	For time.Duration
}

// String is the form that ParseFaults reads.
func (f Fault) String() string {
	s := f.Kind
	if f.At != 0 {
		s += "@" + f.At.String()
	}
	if f.For != 0 {
		s += "+" + f.For.String()
	}
	return s
}

// ParseFaults reads a comma-separated list of NAME[@START][+LENGTH], such as
// throttle@10s,linkdown@20s+3s,undervolt. START counts from the start of the
// board.
func ParseFaults(list string) ([]Fault, error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	var faults []Fault
	for i, item := range strings.Split(list, ",") {
		if i >= faultsMax {
			return nil, fmt.Errorf("faults: more than %d", faultsMax)
		}
		f, err := parseFault(strings.TrimSpace(item))
		if err != nil {
			return nil, fmt.Errorf("fault %d, %.40q: %w", i+1, item, err)
		}
		faults = append(faults, f)
	}
	return faults, nil
}

func parseFault(item string) (Fault, error) {
	head, length, long := strings.Cut(item, "+")
	name, start, timed := strings.Cut(head, "@")
	f := Fault{Kind: name}
	var err error
	if timed {
		if f.At, err = parseTime(start); err != nil {
			return Fault{}, err
		}
	}
	if long {
		if f.For, err = parseTime(length); err != nil {
			return Fault{}, err
		}
		if f.For == 0 {
			return Fault{}, fmt.Errorf("a length of 0: leave it out for the default")
		}
	}
	return f, f.check()
}

func parseTime(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > faultTime {
		return 0, fmt.Errorf("time %.20q: use one like 10s or 500ms, at most %v", s, faultTime)
	}
	return d, nil
}

func (f Fault) check() error {
	k, ok := f.known()
	switch {
	case !ok:
		return fmt.Errorf("unknown: use one of %s", strings.Join(FaultKinds(), ", "))
	case k.last == 0 && f.For != 0:
		return fmt.Errorf("%s happens at once: it takes no length", f.Kind)
	}
	return nil
}

func (f Fault) known() (faultKind, bool) {
	i := slices.IndexFunc(faultKinds, func(k faultKind) bool { return k.kind == f.Kind })
	if i < 0 {
		return faultKind{}, false
	}
	return faultKinds[i], true
}

// lasts is how long the fault stands.
func (f Fault) lasts() time.Duration {
	if f.For != 0 {
		return f.For
	}
	k, _ := f.known()
	return k.last
}
