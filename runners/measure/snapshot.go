package measure

import (
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed-c6f48606/harness/targets/board"
)

// userHZ is the unit of CPU times in /proc, 1/s (USER_HZ, proc(5)); the same on
// every Linux that Go runs on.
const userHZ = 100

// snapshot is what the machine tells at one moment. nil = it does not tell.
type snapshot struct {
	at                       time.Time
	own                      float64  // CPU time of this process, s
	others                   float64  // CPU time of the controller and further named processes, s
	busy, steal              *float64 // of all cores since boot, s
	psiCPU, psiMemory, psiIO *float64 // stalled time since boot, s
	throttles                *int64
	undervolts, alarms       *int64 // sags of the supply counted, alarms standing
	swaps, ooms              *int64
	btime                    *int64 // time of day at the boot, s
	tempC, load1             *float64
	bootID                   string
	bits                     *board.Throttle // of a Raspberry Pi
	battery                  string          // its status
}

// snapshot reads the machine. pids are the processes beside this one whose CPU
// time is not foreign.
func (m Machine) snapshot(pids []int) snapshot {
	s := snapshot{
		psiCPU:    m.pressure("cpu", "some"),
		psiMemory: m.pressure("memory", "full"),
		psiIO:     m.pressure("io", "full"),
		throttles: m.throttles(),
		tempC:     board.Hottest(m.Root),
		load1:     m.load1(),
		bootID:    strings.TrimSpace(m.text("proc/sys/kernel/random/boot_id")),
	}
	s.undervolts, s.alarms = m.undervolts()
	s.bits, s.battery = m.throttleBits(), m.batteryStatus()
	s.swaps, s.ooms = m.memoryEvents()
	for _, pid := range pids {
		s.others += m.cpuTime(pid)
	}
	s.btime = m.bootTime()
	// These last: they are compared with each other and with the window.
	s.busy, s.steal = m.cpuTotals()
	s.own = ownCPU()
	s.at = time.Now()
	return s
}

// cpuTotals reads the first line of /proc/stat (proc_stat(5)): user nice system
// idle iowait irq softirq steal guest guest_nice, in ticks. Guest time is part
// of user time.
func (m Machine) cpuTotals() (busy, steal *float64) {
	line, _, _ := strings.Cut(m.text("proc/stat"), "\n")
	f := strings.Fields(line)
	if len(f) < 8 || f[0] != "cpu" {
		return nil, nil
	}
	var ticks [8]float64
	for i := range min(len(f)-1, 8) {
		v, err := strconv.ParseFloat(f[i+1], 64)
		if err != nil {
			return nil, nil
		}
		ticks[i] = v / userHZ
	}
	sum := ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]
	return &sum, &ticks[7]
}

// bootTime is the time of day at which the machine booted (proc_stat(5), btime), in
// seconds. The kernel reckons it from the present time of day, so that it moves when
// that is set.
func (m Machine) bootTime() *int64 {
	for line := range strings.Lines(m.text("proc/stat")) {
		if rest, ok := strings.CutPrefix(line, "btime "); ok {
			if v, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64); err == nil {
				return &v
			}
		}
	}
	return nil
}

// cpuTime is user and system time of a process in seconds (proc_pid_stat(5),
// fields 14 and 15), 0 for one that is gone.
func (m Machine) cpuTime(pid int) float64 {
	line := m.text("proc/" + strconv.Itoa(pid) + "/stat")
	// The name in parentheses may contain anything, parentheses too.
	f := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(f) < 13 {
		return 0
	}
	user, err1 := strconv.ParseFloat(f[11], 64)
	system, err2 := strconv.ParseFloat(f[12], 64)
	if err1 != nil || err2 != nil {
		return 0
	}
	return (user + system) / userHZ
}

// pressure is the total stalled time in seconds (Documentation/accounting/psi.rst).
func (m Machine) pressure(resource, kind string) *float64 {
	for line := range strings.Lines(m.text("proc/pressure/" + resource)) {
		rest, ok := strings.CutPrefix(line, kind+" ")
		if !ok {
			continue
		}
		_, total, ok := strings.Cut(rest, "total=")
		if us, err := strconv.ParseFloat(strings.TrimSpace(total), 64); ok && err == nil {
			s := us / 1e6
			return &s
		}
	}
	return nil
}

// load1 is the load average over a minute.
func (m Machine) load1() *float64 {
	first, _, _ := strings.Cut(m.text("proc/loadavg"), " ")
	v, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return nil
	}
	return &v
}

// memoryEvents reads the pages swapped and the processes killed for memory.
func (m Machine) memoryEvents() (swaps, ooms *int64) {
	for line := range strings.Lines(m.text("proc/vmstat")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "pswpin", "pswpout":
			if swaps == nil {
				swaps = new(int64)
			}
			*swaps += n
		case "oom_kill":
			ooms = &n
		}
	}
	return swaps, ooms
}

// ownCPU is the CPU time in seconds of this process and of those that it ran,
// such as a board's own tools.
func ownCPU() float64 {
	var sum float64
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			sum += float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
		}
	}
	return sum
}
