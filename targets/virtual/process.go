package virtual

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// process is one of a board.
type process struct {
	pid, parent int
	start       uint64 // ticks since the host's boot; with pid it names a process for good
	name        string
	ticks       uint64 // user and system time
	wanted      uint64 // ns for which its threads ran or waited for a processor
	pages       int64  // resident
}

// listProcesses reads all processes of a /proc, with what a board's wanted where
// that is asked for.
func listProcesses(dir string, wanted bool) ([]process, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("listing a board's processes: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("listing a board's processes: %w", err)
	}
	var out []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		p, err := readProcess(dir, pid)
		if err != nil {
			continue // it has ended meanwhile
		}
		if wanted && !support[p.name] {
			p.wanted = readWanted(dir, pid)
		}
		out = append(out, p)
	}
	return out, nil
}

func readProcess(dir string, pid int) (process, error) {
	text, err := os.ReadFile(filepath.Join(dir, strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, err
	}
	return parseProcess(text)
}

// readWanted adds up the threads' schedstat (Documentation/scheduler/sched-stats.rst):
// time on a processor, time waiting for one. 0 where the kernel does not tell.
func readWanted(dir string, pid int) uint64 {
	tasks := filepath.Join(dir, strconv.Itoa(pid), "task")
	entries, err := os.ReadDir(tasks)
	if err != nil {
		return 0
	}
	var sum uint64
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(tasks, e.Name(), "schedstat"))
		if err != nil {
			continue
		}
		f := bytes.Fields(text)
		for i := range min(2, len(f)) {
			if n, err := strconv.ParseUint(string(f[i]), 10, 64); err == nil {
				sum += n
			}
		}
	}
	return sum
}

var errStat = errors.New("no line of /proc/PID/stat")

// parseProcess reads proc_pid_stat(5).
func parseProcess(text []byte) (process, error) {
	// The name may contain anything, parentheses too.
	from, to := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if from < 1 || to < from {
		return process{}, errStat
	}
	f := bytes.Fields(text[to+1:])
	if len(f) < 22 {
		return process{}, errStat
	}
	p := process{name: string(text[from+1 : to])}
	var user, system uint64
	var err [6]error
	p.pid, err[0] = strconv.Atoi(string(bytes.TrimSpace(text[:from])))
	p.parent, err[1] = strconv.Atoi(string(f[1]))
	user, err[2] = strconv.ParseUint(string(f[11]), 10, 64)
	system, err[3] = strconv.ParseUint(string(f[12]), 10, 64)
	p.start, err[4] = strconv.ParseUint(string(f[19]), 10, 64)
	p.pages, err[5] = strconv.ParseInt(string(f[21]), 10, 64)
	p.ticks = user + system
	return p, errors.Join(err[:]...)
}

// support are the programs by which the emulation works. A board has no part in
// their processor time.
var support = map[string]bool{
	"sshd": true, "sshd-session": true, "proot": true, "sftp-server": true, "env": true, "login.sh": true, "boot.sh": true, "unshare": true,
}

// account adds up the processor time of a board's processes.
type account struct {
	seen map[[2]uint64]process // by pid and start
}

// update returns what the processes did since the last update, their resident
// memory and their number. A process counts from the second update that sees it
// on, with all its time: that the emulator takes 20 ms to start a command, which
// a board would not, is no load.
func (a *account) update(processes []process) (act activity, resident int64, n int) {
	next := make(map[[2]uint64]process, len(processes))
	for _, p := range processes {
		if support[p.name] {
			continue
		}
		n++
		resident += p.pages * int64(os.Getpagesize())
		id := [2]uint64{uint64(p.pid), p.start}
		before, known := a.seen[id]
		if !known {
			next[id] = process{}
			continue
		}
		next[id] = p
		ran := float64(p.ticks-min(p.ticks, before.ticks)) / userHZ
		act.cpuS += ran
		// The sum falls where a thread has ended; and where the kernel does not tell
		// it, a process wanted what it had.
		wanted := float64(p.wanted-min(p.wanted, before.wanted)) / 1e9
		if act.wantedS += max(ran, wanted); ran > 0 || wanted > 0.5*tick.Seconds() {
			act.active++
		}
	}
	a.seen = next
	return act, resident, n
}

// largest is the process that a kernel short of memory would kill.
func largest(processes []process) (process, bool) {
	var most process
	for _, p := range processes {
		if !support[p.name] && p.pages > most.pages {
			most = p
		}
	}
	return most, most.pid != 0
}
