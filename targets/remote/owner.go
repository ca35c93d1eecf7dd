package remote

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// ownerName names a controller's process in the files of a target.
func ownerName(machine string, pid int) string { return fmt.Sprintf("%s-%d", machine, pid) }

// machineOf returns the machine's part of an owner.
func machineOf(owner string) string {
	machine, _, _ := strings.Cut(owner, "-")
	return machine
}

// dead says that an owner is a process of this machine that is there no more. Of
// other machines nobody here knows.
func dead(owner, self string) bool {
	machine, number, _ := strings.Cut(owner, "-")
	pid, err := strconv.Atoi(number)
	if machine != machineOf(self) || err != nil || pid <= 0 {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return true
	}
	err = p.Signal(syscall.Signal(0))
	return errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH)
}

// cacheName takes the names in a cache folder apart.
type cacheName struct {
	hash  string
	owner string // "" for the entry itself
	kind  string // "", part or use
}

var (
	entryLike = regexp.MustCompile(`^([0-9a-f]{64})(?:\.([0-9a-f]{8}-[0-9]{1,10})\.(part|use))?$`)
	pidLike   = regexp.MustCompile(`^([0-9a-f]{8}-[0-9]{1,10})\.([0-9]{1,10})\.pid$`)
)

// parseName returns false for what is none of ours.
func parseName(name string) (cacheName, bool) {
	m := entryLike.FindStringSubmatch(name)
	if m == nil {
		return cacheName{}, false
	}
	return cacheName{hash: m[1], owner: m[2], kind: m[3]}, true
}

// cutPrefixAny is strings.CutPrefix for the first prefix that fits.
func cutPrefixAny(s string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return rest, true
		}
	}
	return s, false
}
