package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
	"github.com/seed-c6f48606/harness/targets/remote"
	"github.com/seed-c6f48606/harness/targets/virtual"
)

// fleet reaches the targets of the inventory for one command. Virtual boards are
// started when they are first asked for and run until close.
type fleet struct {
	path   string // of the inventory; "" = where it usually is
	finder remote.Finder
	sums   remote.Sums
	log    *slog.Logger // of warnings; nil = lines on stderr

	once      sync.Once
	inventory *targets.Inventory
	err       error // of reading it

	mu     sync.Mutex
	boards map[string]*standIn
}

// standIn is a virtual board that is started once.
type standIn struct {
	mu    sync.Mutex
	board *virtual.Board
}

// find returns an inventory entry.
func (f *fleet) find(name string) (targets.Target, error) {
	f.once.Do(func() { f.inventory, f.err = readInventory(f.path) })
	if f.err != nil {
		return targets.Target{}, wire.Wrap(wire.Harness, f.err)
	}
	t, err := f.inventory.Find(name)
	if err != nil {
		return t, wire.Wrap(wire.Harness, err)
	}
	return t, nil
}

// locate returns an entry with the address at which it is reached, and the
// virtual board behind it if it is one.
func (f *fleet) locate(ctx context.Context, name string) (targets.Target, *virtual.Board, error) {
	t, err := f.find(name)
	if err != nil || t.Virtual == nil {
		return t, nil, err
	}
	f.mu.Lock()
	if f.boards == nil {
		f.boards = map[string]*standIn{}
	}
	s := f.boards[name]
	if s == nil {
		s = &standIn{}
		f.boards[name] = s
	}
	f.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.board == nil {
		if s.board, err = startVirtual(ctx, t); err != nil {
			return t, nil, err
		}
	}
	b := s.board
	t.Address, t.Port, t.User, t.KeyFile, t.HostKey = b.Address, b.Port, b.User, b.KeyFile, b.HostKey
	return t, b, nil
}

func startVirtual(ctx context.Context, t targets.Target) (*virtual.Board, error) {
	o := virtual.Options{Kind: t.Virtual.Kind, Name: hostName(t.Name), Seed: seedOf(t.Name)}
	if t.Virtual.Faults != "" {
		var err error
		if o.Faults, err = virtual.ParseFaults(t.Virtual.Faults); err != nil {
			return nil, &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("target %s: faults: %v", t.Name, err)}
		}
	}
	b, err := virtual.Start(ctx, o)
	if err != nil && ctx.Err() == nil {
		err = wire.Wrap(wire.Harness, err) // this machine cannot; waiting does not help
	}
	return b, err
}

// hostName turns a target's name into one that a host may have.
func hostName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
	name = strings.TrimLeft(name, "-")
	return name[:min(32, len(name))]
}

// seedOf makes boards of different names differ, and one alike every time.
func seedOf(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

// options of connections; the hashes of local files are shared.
func (f *fleet) options() remote.Options {
	log := f.log
	if log == nil {
		log = tellOn(os.Stderr)
	}
	return remote.Options{Sums: &f.sums, Log: log}
}

// open connects to a target for a sweep.
func (f *fleet) open(ctx context.Context, name string) (sweep.Target, error) {
	t, b, err := f.locate(ctx, name)
	if err != nil {
		return nil, err
	}
	r, err := sweep.OpenRemote(ctx, t, f.options(), &f.finder)
	if err != nil {
		return nil, err
	}
	switch {
	case b != nil:
		return neighbour{r, b}, nil
	case t.Meter != nil:
		return metered{r, t}, nil
	}
	return r, nil
}

// check says whether a target could be opened: its host key, its login and a runner
// for it. A virtual board is not started before its time, since its faults count
// from there; that its runner can be had is all that is asked.
func (f *fleet) check(ctx context.Context, name string) error {
	t, err := f.find(name)
	if err != nil {
		return err
	}
	if t.Virtual != nil {
		_, err := f.finder.Find(ctx, "linux", "arm64")
		return err
	}
	h, err := remote.Dial(ctx, t, f.options())
	if err != nil {
		return err
	}
	defer h.Close() //nolint:errcheck // nothing is left to be lost
	facts := h.Facts()
	_, err = f.finder.Find(ctx, facts.GOOS, facts.GOARCH)
	return err
}

// close stops what open started.
func (f *fleet) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	for name, s := range f.boards {
		if s.board == nil {
			continue
		}
		if e := s.board.Stop(); e != nil {
			err = errors.Join(err, fmt.Errorf("stopping virtual board %s: %w", name, e))
		}
	}
	f.boards = nil
	return err
}
