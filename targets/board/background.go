package board

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// userHZ is the unit of CPU times in /proc, 1/s (USER_HZ, proc(5)).
const userHZ = 100

// Background is what a machine did for a while without being asked to. Shares
// are of one core; nil is not told.
type Background struct {
	Seconds float64  `json:"seconds"`
	CPU     *float64 `json:"cpu,omitempty"`   // of all other processes
	Steal   *float64 `json:"steal,omitempty"` // of the hypervisor
	// Busiest are the processes that took the most.
	Busiest []Process `json:"busiest,omitempty"`
	// SwapPages were swapped in and out.
	SwapPages *int64 `json:"swap_pages,omitempty"`
}

// Process is a running program and its share of a core.
type Process struct {
	PID  int     `json:"pid"`
	Name string  `json:"name"`
	CPU  float64 `json:"cpu"`
}

// busiest is how many processes are named, and maxProcesses how many are looked at.
const (
	busiest      = 3
	maxProcesses = 32768
)

// Background watches the machine for d. This process, and the one that started
// it, are not part of it.
func (s Source) Background(ctx context.Context, d time.Duration) (*Background, error) {
	began := time.Now()
	before := s.activity()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("watching the background: %w", ctx.Err())
	case <-timer.C:
	}
	return compare(before, s.activity(), time.Since(began).Seconds(), os.Getpid(), os.Getppid()), nil
}

// activity is a machine's CPU time so far, in ticks.
type activity struct {
	busy, steal *float64
	swaps       *int64
	processes   map[int]ticks
}

type ticks struct {
	name string
	n    float64
}

func (s Source) activity() activity {
	a := activity{processes: map[int]ticks{}}
	line, _, _ := strings.Cut(string(s.bytes("proc/stat")), "\n")
	a.busy, a.steal = parseCPULine(line)
	a.swaps = parseSwaps(string(s.bytes("proc/vmstat")))
	dirs, err := filepath.Glob(s.path("proc/[0-9]*"))
	if err != nil {
		return a // the pattern is constant
	}
	for _, dir := range dirs[:min(len(dirs), maxProcesses)] {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if t, ok := parseProcess(string(s.bytes("proc", filepath.Base(dir), "stat"))); ok {
			a.processes[pid] = t
		}
	}
	return a
}

// parseCPULine reads the first line of /proc/stat (proc_stat(5)): user nice
// system idle iowait irq softirq steal.
func parseCPULine(line string) (busy, steal *float64) {
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return nil, nil
	}
	var v [8]float64
	for i := range v {
		n, err := strconv.ParseUint(f[i+1], 10, 64)
		if err != nil {
			return nil, nil
		}
		v[i] = float64(n)
	}
	sum := v[0] + v[1] + v[2] + v[5] + v[6]
	return &sum, &v[7]
}

// parseSwaps adds the pages swapped in and out of /proc/vmstat.
func parseSwaps(text string) *int64 {
	var sum *int64
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || name != "pswpin" && name != "pswpout" {
			continue
		}
		if sum == nil {
			sum = new(int64)
		}
		*sum += n
	}
	return sum
}

// parseProcess reads name, utime and stime of a process (proc_pid_stat(5)). The
// name in parentheses may contain anything, parentheses too.
func parseProcess(line string) (ticks, bool) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return ticks{}, false
	}
	f := strings.Fields(line[end+1:])
	if len(f) < 13 {
		return ticks{}, false
	}
	user, err1 := strconv.ParseUint(f[11], 10, 64)
	system, err2 := strconv.ParseUint(f[12], 10, 64)
	return ticks{name: line[open+1 : end], n: float64(user) + float64(system)}, err1 == nil && err2 == nil
}

// compare is the background between two states that many seconds apart.
func compare(before, after activity, seconds float64, own ...int) *Background {
	b := Background{Seconds: seconds}
	if seconds <= 0 {
		return &b
	}
	share := func(n float64) float64 { return max(0, n) / userHZ / seconds }
	var mine float64
	for pid, now := range after.processes {
		n := now.n - before.processes[pid].n
		if slices.Contains(own, pid) {
			mine += n
			continue
		}
		if n > 0 {
			b.Busiest = append(b.Busiest, Process{PID: pid, Name: now.name, CPU: share(n)})
		}
	}
	slices.SortFunc(b.Busiest, func(x, y Process) int { return cmp.Or(-cmp.Compare(x.CPU, y.CPU), cmp.Compare(x.PID, y.PID)) })
	b.Busiest = b.Busiest[:min(len(b.Busiest), busiest)]
	if before.busy != nil && after.busy != nil {
		cpu, steal := share(*after.busy-*before.busy-mine), share(*after.steal-*before.steal)
		b.CPU, b.Steal = &cpu, &steal
	}
	if before.swaps != nil && after.swaps != nil {
		n := *after.swaps - *before.swaps
		b.SwapPages = &n
	}
	return &b
}
