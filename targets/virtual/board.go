package virtual

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say which board to start, and how.
type Options struct {
	// Kind is one of Kinds.
	Kind string
	// Name is the host name; empty is the kind.
	Name string
	// Dir is made for the board's files and removed by Stop; empty is a new one of
	// the system's, in memory where possible.
	Dir    string
	Faults []Fault
	// Seed of the sensors' errors and noise. The same seed is the same board.
	Seed uint64
	// DiskBytes is the size of the home directory's file system; 0 is 2 GiB.
	DiskBytes int64
	// Authorized are further keys that may log in, in the format of
	// authorized_keys. Board.KeyFile always may.
	Authorized []string
	// Shell is a static arm64 busybox; empty finds or fetches one.
	Shell string
	// Loopback does without namespaces even where they are allowed.
	Loopback bool
}

const (
	diskBytes = 2 << 30
	// boardUID is the user of a board in namespaces: no user of the host's.
	boardUID = 64123
	// serverUID is what the SSH server becomes before a login, there.
	serverUID = 64124
	// tick is how often the model moves on and the tree follows.
	tick = 50 * time.Millisecond
)

// Board is a running virtual board. Its methods may be called at the same time.
type Board struct {
	Kind, Name string
	// Address and Port are where its SSH server listens.
	Address string
	Port    int
	User    string
	// HostKey is the server's key at the start, in the format of authorized_keys.
	HostKey string
	// KeyFile is a private key, made for this board, that may log in.
	KeyFile string
	// Home is the user's home directory on the board.
	Home string
	// Isolated says that the board has namespaces of its own; Limits says what it
	// lacks without.
	Isolated bool
	Limits   string
	// Sensor is the bus of the power sensor that is wired to the controller.
	// Boards that have sensors of their own have none here.
	Sensor *Sensor

	spec   spec
	place  place
	state  state
	uid    int
	keeper *keeper
	site   site
	mail   firmware
	cancel context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex
	model   *model
	files   *files
	account account
	clock   time.Time // of the last step
	began   time.Time
	hostKey string // the present one
	planned []planned
	down    bool // between the halt and the boot of a reboot
	events  []Event
	fault   error // what broke the board's own works
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// validDir are paths that stand as they are in the SSH server's configuration.
var validDir = regexp.MustCompile(`^[A-Za-z0-9._/+-]+$`)

func (o *Options) check() error {
	if o.Name == "" {
		o.Name = o.Kind
	}
	if !validName.MatchString(o.Name) {
		return fmt.Errorf("virtual board %q: use lower-case letters, digits and dashes, at most 32", o.Name)
	}
	if o.DiskBytes == 0 {
		o.DiskBytes = diskBytes
	}
	if o.DiskBytes < 1<<20 {
		return fmt.Errorf("virtual board %s: a disk of %d bytes: use 1 MiB or more", o.Name, o.DiskBytes)
	}
	if o.Dir != "" && !validDir.MatchString(o.Dir) {
		return fmt.Errorf("virtual board %s: directory %q: use letters, digits and . _ / + - only", o.Name, o.Dir)
	}
	for _, k := range o.Authorized {
		if strings.ContainsAny(k, "\r\n\x00") {
			return fmt.Errorf("virtual board %s: an authorized key of several lines", o.Name)
		}
	}
	return nil
}

// Start starts a board and returns when one can log in. It first sweeps what
// boards left whose process was killed. The board runs until Stop, or until
// this process ends; ctx bounds only the start.
func Start(ctx context.Context, o Options) (*Board, error) {
	s, err := specOf(o.Kind)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	t, err := findTools(ctx, o.Shell)
	if err != nil {
		return nil, err
	}
	if _, err := Sweep(); err != nil {
		return nil, err
	}
	b := &Board{Kind: o.Kind, Name: o.Name, User: s.user, Home: s.home, spec: s}
	if b.state, err = claim(o.Dir, o.Kind, o.Name); err != nil {
		return nil, err
	}
	b.place, b.keeper = place{b.state.Dir}, newKeeper()
	if err := b.build(ctx, o, t); err != nil {
		return nil, errors.Join(fmt.Errorf("starting virtual board %s: %w", o.Name, err), b.remove())
	}
	ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	b.ended = make(chan struct{})
	go b.live(ctx)
	return b, nil
}

// build makes the board's files and boots it.
func (b *Board) build(ctx context.Context, o Options, t tools) error {
	for _, dir := range []string{b.place.host(""), b.place.scratch()} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("making its directories: %w", err)
		}
	}
	b.Limits = "asked for a loopback port"
	if !o.Loopback {
		b.Limits = whyNotIsolated(ctx)
	}
	b.Isolated = b.Limits == ""
	if err := b.locate(); err != nil {
		return err
	}
	if err := os.Chown(b.place.scratch(), b.uid, b.uid); err != nil {
		return fmt.Errorf("giving its user a directory: %w", err)
	}
	if err := b.spec.userland(b.place.root(), t.shell, b.Name, b.uid); err != nil {
		return err
	}
	tree, err := newTree(b.place.board(), b.place.stage())
	if err != nil {
		return err
	}
	b.files, b.model = &files{tree: tree, spec: b.spec}, newModel(b.spec, o.Seed)
	if err := errors.Join(b.files.proc(), b.files.sys()); err != nil {
		return err
	}
	if err := b.access(o.Authorized, t); err != nil {
		return err
	}
	if b.Isolated {
		b.site, err = newIsolated(ctx, b, t, o.DiskBytes)
	} else {
		b.site, err = newLoopback(b, t)
	}
	if err != nil {
		b.site = nil
		return err
	}
	if b.Sensor, err = b.wire(o.Seed); err != nil {
		return err
	}
	if b.mail, err = b.listen(); err != nil {
		return err
	}
	b.began = time.Now()
	if err := b.plan(b.began, o.Faults...); err != nil {
		return err
	}
	return b.boot(ctx)
}

// locate decides where the board is reached and as whom.
func (b *Board) locate() error {
	if b.Isolated {
		b.uid, b.Address, b.Port = boardUID, b.state.Subnet.board(), b.spec.port
		return nil
	}
	me, err := currentUser()
	if err != nil {
		return err
	}
	b.uid, b.User, b.spec.user, b.Address = os.Getuid(), me, me, "127.0.0.1"
	// SFTP sees the host's files, so the home directory is where the host has it.
	b.Home = b.place.home()
	b.spec.home = b.Home
	if err := os.Mkdir(b.Home, 0o750); err != nil {
		return fmt.Errorf("making a board's home directory: %w", err)
	}
	b.Port, err = freePort()
	return err
}

// boot gives the board a new boot id and starts its server.
func (b *Board) boot(ctx context.Context) error {
	id, err := newBootID()
	if err != nil {
		return err
	}
	b.model.boot(id)
	b.clock = time.Now()
	b.model.btime = b.clock.Unix()
	b.account = account{}
	b.Sensor.carry(b.clock, b.model)
	if err := b.write(0, 0); err != nil {
		return err
	}
	return b.site.boot(ctx)
}

// write brings the tree up to the model.
func (b *Board) write(resident int64, processes int) error {
	return errors.Join(b.files.liveProc(b.model, resident, processes), b.files.liveSys(b.model), b.files.liveFirmware(b.model))
}

// live moves the board on until ctx ends.
func (b *Board) live(ctx context.Context) {
	defer close(b.ended)
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		b.mu.Lock()
		err := b.advance(ctx, time.Now())
		if err != nil && b.fault == nil && ctx.Err() == nil {
			b.fault = err
			b.note("the board's own works failed: " + err.Error())
		}
		b.mu.Unlock()
	}
}

// advance is one step: what the processes did, what faults are due, what the
// model makes of it, and what the tree shows.
func (b *Board) advance(ctx context.Context, now time.Time) error {
	processes, err := b.site.processes()
	if err != nil {
		return err
	}
	act, resident, n := b.account.update(processes)
	if err := b.inject(ctx, now, processes); err != nil {
		return err
	}
	if err := b.settings(); err != nil {
		return err
	}
	b.model.step(now.Sub(b.clock).Seconds(), act)
	b.clock = now
	b.Sensor.carry(now, b.model)
	return b.write(resident, n)
}

// settings reads what the board's user has set: governor and power mode.
func (b *Board) settings() error {
	text, err := os.ReadFile(b.place.tree(policyDir(0) + "scaling_governor"))
	if err != nil {
		return fmt.Errorf("reading a board's governor: %w", err)
	}
	b.model.governor = strings.TrimSpace(string(text))
	if len(b.spec.modes) == 0 {
		return nil
	}
	status, err := os.ReadFile(filepath.Join(b.place.root(), "var/lib/nvpmodel/status"))
	if err != nil {
		return fmt.Errorf("reading a board's power mode: %w", err)
	}
	_, id, _ := strings.Cut(strings.TrimSpace(string(status)), ":")
	// The user may write anything there; the firmware then keeps its mode.
	if n, err := strconv.Atoi(id); err == nil && n >= 0 && n < len(b.spec.modes) {
		b.model.mode = b.spec.modes[n].share
	}
	return nil
}

// Stop ends the board and removes all of it.
func (b *Board) Stop() error {
	if b.cancel != nil {
		b.cancel()
		<-b.ended
	}
	return b.remove()
}

func (b *Board) remove() error {
	errs := []error{b.mail.close()} // before the lock, which its answers take
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.site != nil {
		errs = append(errs, b.site.close())
		b.site = nil
	}
	if b.keeper != nil {
		b.keeper.close()
		b.keeper = nil
	}
	if b.files != nil {
		errs = append(errs, b.files.close())
	}
	errs = append(errs, b.Sensor.close(), b.state.remove(), b.fault)
	return errors.Join(errs...)
}

// Endpoint is Address and Port as a dialer wants them.
func (b *Board) Endpoint() string { return net.JoinHostPort(b.Address, strconv.Itoa(b.Port)) }

// Truth is what a board's model says, without any sensor's error.
type Truth struct {
	Time time.Time
	// EnergyJ is what the board took since Start, PowerW what it takes now, at
	// Volts: of what the total of its sensors covers.
	EnergyJ, PowerW, Volts float64
	TempC                  float64
	Load                   float64 // of the processors, 0-1
	Clock                  float64 // share of the greatest clock
}

// Truth tells how the board is.
func (b *Board) Truth() Truth {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.model
	return Truth{b.clock, m.energyJ, m.inputW, m.inputV, m.tempC, m.load, m.clock}
}

// HostKeyNow is the server's key after the faults so far.
func (b *Board) HostKeyNow() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hostKey
}
