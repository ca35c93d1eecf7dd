package virtual

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// state is what a later process needs to clean up after this one.
type state struct {
	Kind, Name, Dir string
	Owner           int    // process that runs the board
	OwnerStart      uint64 // with which it is that process
	Subnet          subnet
	path            string
}

// subnet is a board's network of four addresses: 10.OCTET.x.y/30.
type subnet struct{ Octet, Index int }

// subnets is how many there are below one second octet.
const subnets = 1 << 14

func (n subnet) address(i int) string {
	return netip.AddrFrom4([4]byte{10, byte(n.Octet), byte(n.Index >> 6), byte(n.Index&63<<2 + i)}).String()
}

func (n subnet) host() string  { return n.address(1) }
func (n subnet) board() string { return n.address(2) }
func (n subnet) link() string  { return "hv" + strconv.Itoa(n.Octet) + "-" + strconv.Itoa(n.Index) }

// octets are candidates for the second octet, where private networks are rare.
var octets = []int{214, 187, 163, 139}

// freeOctet is the first below which the host has no address but boards'.
func freeOctet() (int, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return 0, fmt.Errorf("choosing a board's network: %w", err)
	}
	taken := map[int]bool{}
	for _, in := range interfaces {
		addrs, err := in.Addrs()
		if err != nil || strings.HasPrefix(in.Name, "hv") {
			continue
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil {
				continue
			}
			for _, o := range octets {
				if p.Overlaps(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(o), 0, 0}), 16)) {
					taken[o] = true
				}
			}
		}
	}
	for _, o := range octets {
		if !taken[o] {
			return o, nil
		}
	}
	return 0, errors.New("choosing a board's network: the host has addresses in every range that boards use")
}

// base is where boards note their state and have their directories, by user.
// In memory where that is allowed to hold programs: the trees change often.
func base() (string, error) {
	parent := os.TempDir()
	if inMemory("/dev/shm") {
		parent = "/dev/shm"
	}
	dir := filepath.Join(parent, "harness-virtual-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(filepath.Join(dir, "state"), 0o755); err != nil {
		return "", fmt.Errorf("making the boards' directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("making the boards' directory: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(st.Uid) != os.Getuid() {
		return "", fmt.Errorf("the boards' directory %s is another user's: have it removed", dir)
	}
	return dir, nil
}

// locked runs f while no other process chooses or cleans.
func locked(dir string, f func() error) error {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("locking the boards' directory: %w", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking the boards' directory: %w", err)
	}
	return f()
}

// claim makes a board's directory and notes it, with a network that no other
// board has.
func claim(dir, kind, name string) (state, error) {
	self, err := readProcess("/proc", os.Getpid())
	if err != nil {
		return state{}, fmt.Errorf("reading this process's start: %w", err)
	}
	s := state{Kind: kind, Name: name, Owner: self.pid, OwnerStart: self.start}
	parent, err := base()
	if err != nil {
		return state{}, err
	}
	err = locked(parent, func() error {
		if s.Subnet.Octet, err = freeOctet(); err != nil {
			return err
		}
		others, err := states(parent)
		if err != nil {
			return err
		}
		taken := map[int]bool{}
		for _, o := range others {
			taken[o.Subnet.Index] = true
		}
		for taken[s.Subnet.Index] {
			s.Subnet.Index++
		}
		if s.Subnet.Index >= subnets {
			return fmt.Errorf("%d boards run at once: no network is left", subnets)
		}
		if dir == "" {
			dir, err = os.MkdirTemp(parent, name+"-")
		} else {
			err = os.Mkdir(dir, 0o755)
		}
		if err != nil {
			return fmt.Errorf("making a board's directory: %w", err)
		}
		if s.Dir, err = filepath.Abs(dir); err != nil {
			return err
		}
		if err := os.Chmod(s.Dir, 0o755); err != nil { // the board's user goes through it
			return fmt.Errorf("making a board's directory: %w", err)
		}
		s.path = filepath.Join(parent, "state", strconv.Itoa(s.Subnet.Index)+".json")
		return s.write()
	})
	return s, err
}

func (s state) write() error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("noting a board: %w", err)
	}
	if err := os.WriteFile(s.path+".new", b, 0o600); err != nil {
		return fmt.Errorf("noting a board: %w", err)
	}
	if err := os.Rename(s.path+".new", s.path); err != nil {
		return fmt.Errorf("noting a board: %w", err)
	}
	return nil
}

// states reads the notes of all boards of this user.
func states(parent string) ([]state, error) {
	paths, err := filepath.Glob(filepath.Join(parent, "state", "*.json"))
	if err != nil {
		return nil, err
	}
	var out []state
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the note of a board: %w", err)
		}
		s := state{path: path}
		if err := json.Unmarshal(b, &s); err != nil {
			return nil, fmt.Errorf("reading the note of a board, %s: %w", path, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// remove takes away what a board leaves once its processes have ended.
func (s state) remove() error {
	if err := os.RemoveAll(s.Dir); err != nil {
		return fmt.Errorf("removing a board's directory: %w", err)
	}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the note of a board: %w", err)
	}
	return nil
}

// Sweep removes what boards left whose process has ended without stopping them,
// and returns their names. The kernel has ended the boards' namespaces by then.
func Sweep() ([]string, error) {
	parent, err := base()
	if err != nil {
		return nil, err
	}
	var swept []string
	err = locked(parent, func() error {
		all, err := states(parent)
		if err != nil {
			return err
		}
		for _, s := range all {
			if alive(process{pid: s.Owner, start: s.OwnerStart}) {
				continue
			}
			if err := killAll(place{s.Dir}.scratch(), 0); err != nil {
				return err
			}
			if err := unlink(s.Subnet.link()); err != nil {
				return err
			}
			if err := s.remove(); err != nil {
				return err
			}
			swept = append(swept, s.Name)
		}
		return nil
	})
	return swept, err
}
