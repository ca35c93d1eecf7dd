package virtual

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// isolated is a site of namespaces: one holder of the mount namespace with the
// board's disk, which outlives restarts, and for each boot a namespace each of
// network, processes, mounts and host name. All of it goes when this process does.
type isolated struct {
	place  place
	spec   spec
	tools  tools
	name   string
	keeper *keeper
	subnet subnet
	disk   int64 // bytes
	holder *exec.Cmd
	server *exec.Cmd // unshare, parent of the namespaces' first process
	first  process
	log    *os.File
}

// newIsolated makes the disk. It fails where namespaces are not allowed.
func newIsolated(ctx context.Context, b *Board, t tools, disk int64) (*isolated, error) {
	s := &isolated{place: b.place, spec: b.spec, tools: t, name: b.Name, keeper: b.keeper, subnet: b.state.Subnet, disk: disk}
	var err error
	if s.log, err = os.OpenFile(s.place.host("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, fmt.Errorf("opening a board's log: %w", err)
	}
	s.holder = exec.Command("unshare", append([]string{
		"--mount", "--propagation", "private", "--", "sh", s.place.host("disk.sh"),
		s.place.root(), s.spec.home, strconv.FormatInt(disk, 10), strconv.Itoa(b.uid), s.place.board(),
	}, devices...)...)
	if _, err := s.launch(ctx, s.holder); err != nil {
		return nil, errors.Join(fmt.Errorf("making a board's disk: %w", err), s.close())
	}
	return s, nil
}

// launch starts a command and waits until it says that it is ready. What it
// reads waits in the returned pipe.
func (s *isolated) launch(ctx context.Context, cmd *exec.Cmd) (io.WriteCloser, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = s.log
	if err := s.keeper.start(cmd); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		return nil, errors.Join(fmt.Errorf("it did not begin: %s", s.said()), ctx.Err())
	}
	return in, nil
}

// said is the end of the log.
func (s *isolated) said() string {
	b, err := os.ReadFile(s.place.host("log"))
	if err != nil || len(b) == 0 {
		return "it said nothing"
	}
	return strings.TrimSpace(string(b[max(0, len(b)-500):]))
}

func (s *isolated) boot(ctx context.Context) error {
	s.server = exec.Command("nsenter", "--mount=/proc/"+strconv.Itoa(s.holder.Process.Pid)+"/ns/mnt", "--",
		"unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc="+filepath.Join(s.place.root(), "proc"), "--",
		"sh", s.place.host("boot.sh"), s.name, s.place.root(), hosted+s.tools.sshd, "-D", "-e", "-f", hosted+s.place.host("sshd_config"))
	in, err := s.launch(ctx, s.server)
	if err != nil {
		return fmt.Errorf("starting a board's namespaces: %w", err)
	}
	defer in.Close()
	if err := s.find(); err != nil {
		return err
	}
	if err := s.network(ctx); err != nil {
		return err
	}
	if _, err := io.WriteString(in, "go\n"); err != nil {
		return fmt.Errorf("starting a board's SSH server: %w", err)
	}
	return listening(ctx, net.JoinHostPort(s.subnet.board(), strconv.Itoa(s.spec.port)), s.said)
}

// network joins the board's namespace and the host by a pair of interfaces. It
// goes with the namespace.
func (s *isolated) network(ctx context.Context) error {
	ns := "/proc/" + strconv.Itoa(s.server.Process.Pid) + "/ns/net"
	inside := []string{"nsenter", "--net=" + ns, "--", "ip"}
	link := s.subnet.link()
	for _, argv := range [][]string{
		{"ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(s.server.Process.Pid)},
		{"ip", "addr", "add", s.subnet.host() + "/30", "dev", link},
		{"ip", "link", "set", link, "up"},
		append(inside[:4:4], "addr", "add", s.subnet.board()+"/30", "dev", "eth0"),
		append(inside[:4:4], "link", "set", "eth0", "up"),
		append(inside[:4:4], "link", "set", "lo", "up"),
		append(inside[:4:4], "route", "add", "default", "via", s.subnet.host()),
	} {
		if err := run(ctx, "/", argv...); err != nil {
			return fmt.Errorf("joining a board to the network: %w", err)
		}
	}
	return nil
}

// find notes the first process of the namespaces, as the host numbers it.
func (s *isolated) find() error {
	all, err := listProcesses("/proc", false)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(p process) bool { return p.parent == s.server.Process.Pid })
	if i < 0 {
		return fmt.Errorf("finding a board's first process: %s", s.said())
	}
	s.first = all[i]
	return nil
}

func (s *isolated) halt() error {
	if s.server == nil || s.server.Process == nil {
		return nil
	}
	// With the first process of its namespace every other one ends.
	if alive(s.first) {
		if err := unix.Kill(s.first.pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("halting a board: %w", err)
		}
	}
	end(s.server)
	s.server, s.first = nil, process{}
	// The kernel takes the pair of interfaces away with the namespace, a little later.
	return unlink(s.subnet.link())
}

// unlink takes a pair of interfaces away, if it is there.
func unlink(name string) error {
	there := func() bool {
		_, err := net.InterfaceByName(name)
		return err == nil
	}
	if !there() {
		return nil
	}
	if err := run(context.Background(), "/", "ip", "link", "del", name); err != nil && there() {
		return fmt.Errorf("taking a board from the network: %w", err)
	}
	return nil
}

// end kills a process and waits for it; that it was killed is no error.
func end(cmd *exec.Cmd) {
	if cmd != nil && cmd.Process != nil {
		cmd.Process.Kill() //nolint:errcheck // it has ended before
		cmd.Wait()         //nolint:errcheck // by that signal
	}
}

func (s *isolated) processes() ([]process, error) {
	if s.first.pid == 0 {
		return nil, nil
	}
	all, err := listProcesses("/proc/"+strconv.Itoa(s.first.pid)+"/root/proc", true)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // it has just ended
	}
	return all, err
}

func (s *isolated) fault(ctx context.Context, f siteFault) error {
	switch f.kind {
	case linkDown:
		return run(ctx, "/", "ip", "link", "set", s.subnet.link(), "down")
	case linkUp:
		return run(ctx, "/", "ip", "link", "set", s.subnet.link(), "up")
	case diskFull:
		return s.fill(ctx)
	case diskFree:
		return s.resize(ctx, s.disk)
	case kill:
		first := strconv.Itoa(s.first.pid)
		err := run(ctx, "/", "nsenter", "--pid=/proc/"+first+"/ns/pid", "--mount=/proc/"+first+"/ns/mnt", "--", "kill", "-KILL", strconv.Itoa(f.pid))
		if err == nil {
			return nil
		}
		if all, e := s.processes(); e == nil && !slices.ContainsFunc(all, func(p process) bool { return p.pid == f.pid }) {
			return unix.ESRCH
		}
		return err
	case reload:
		return unix.Kill(s.first.pid, unix.SIGHUP)
	}
	return nil
}

// fill makes the disk as small as what is on it. Somebody may write at the same
// time, and a size below what is taken is refused.
func (s *isolated) fill(ctx context.Context) error {
	path := filepath.Join("/proc", strconv.Itoa(s.holder.Process.Pid), "root", s.place.root(), s.spec.home)
	var last error
	for range 20 {
		used, err := usedBytes(path)
		if err != nil {
			return err
		}
		if last = s.resize(ctx, used); last == nil {
			return nil
		}
	}
	return last
}

func (s *isolated) resize(ctx context.Context, bytes int64) error {
	return run(ctx, "/", "nsenter", "--mount=/proc/"+strconv.Itoa(s.holder.Process.Pid)+"/ns/mnt", "--",
		"mount", "-o", "remount,size="+strconv.FormatInt(bytes, 10), filepath.Join(s.place.root(), s.spec.home))
}

func (s *isolated) close() error {
	err := s.halt()
	end(s.holder)
	return errors.Join(err, s.log.Close())
}

// listening waits until a server accepts. said is what it wrote meanwhile.
func listening(ctx context.Context, address string, said func() string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// A first packet that is lost would be sent again only after a second.
	d := net.Dialer{Timeout: 100 * time.Millisecond}
	for {
		conn, err := d.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for a board's SSH server at %s: %w: %s", address, err, said())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// alive tells whether that very process still runs.
func alive(p process) bool {
	now, err := readProcess("/proc", p.pid)
	return err == nil && p.pid != 0 && now.start == p.start
}
