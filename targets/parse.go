package targets

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Hop is one host on the way to a target.
type Hop struct {
	User string // "" = as configured
	Host string
	Port int // 0 = as configured
}

// ParseHop reads [user@]host[:port], with an IPv6 address in brackets where a
// port follows.
func ParseHop(s string) (Hop, error) {
	bad := func() (Hop, error) {
		return Hop{}, fmt.Errorf("%s: must be [user@]host[:port]", cut(s))
	}
	var h Hop
	rest := s
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		h.User, rest = rest[:i], rest[i+1:]
		if !userLike.MatchString(h.User) {
			return bad()
		}
	}
	h.Host = rest
	if strings.HasPrefix(rest, "[") || strings.Count(rest, ":") == 1 {
		host, port, err := net.SplitHostPort(rest)
		switch {
		case err == nil:
			h.Host = host
			if h.Port, err = strconv.Atoi(port); err != nil || h.Port < 1 || h.Port > 65535 {
				return bad()
			}
		case strings.HasSuffix(rest, "]"):
			h.Host = strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]")
		default:
			return bad()
		}
	}
	if !isHost(h.Host) {
		return bad()
	}
	return h, nil
}

// maxCPU bounds the numbers in a set of CPUs.
const maxCPU = 1023

// ParseCPUSet reads a set of CPUs as the kernel writes it: 0-3,6.
func ParseCPUSet(s string) ([]int, error) {
	bad := func() ([]int, error) {
		return nil, fmt.Errorf("%s: must be CPU numbers and ranges in rising order, such as 0-3,6", cut(s))
	}
	var cpus []int
	if len(s) > 4096 {
		return bad()
	}
	for part := range strings.SplitSeq(s, ",") {
		from, to, ranged := strings.Cut(part, "-")
		lo, err := strconv.ParseUint(from, 10, 16)
		if err != nil {
			return bad()
		}
		hi := lo
		if ranged {
			if hi, err = strconv.ParseUint(to, 10, 16); err != nil {
				return bad()
			}
		}
		if hi < lo || hi > maxCPU || len(cpus) > 0 && int(lo) <= cpus[len(cpus)-1] {
			return bad()
		}
		for c := lo; c <= hi; c++ {
			cpus = append(cpus, int(c))
		}
	}
	return cpus, nil
}
