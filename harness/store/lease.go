package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/shirou/gopsutil/v3/process"
)

// Beat is how often a lease is renewed, Stale after how long without a beat it
// may be taken from a process on another machine. On the same machine a dead
// owner is recognised at once.
const (
	Beat  = 5 * time.Second
	Stale = 30 * time.Second
)

// ErrLost is returned by writes of a process whose lease another one has taken.
var ErrLost = errors.New("the run was taken over by another process")

// BusyError refuses a run that another process works on.
type BusyError struct {
	Run, Host string
	PID       int
	Beat      time.Time
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("run %s is still running (process %d on %s, last sign of life %s ago); stop it before you resume it",
		e.Run, e.PID, e.Host, time.Since(e.Beat).Round(time.Second))
}

// Lease is the right to write to one run. It renews itself until Close.
type Lease struct {
	s     *Store
	run   string
	owner string
	stop  context.CancelFunc
	done  chan struct{}
}

// Run returns the run's id.
func (l *Lease) Run() string { return l.run }

// Create inserts a run, gives it an id and starts it.
func (s *Store) Create(ctx context.Context, r Run) (*Lease, error) {
	if r.Started.IsZero() {
		r.Started = time.Now()
	}
	id := r.Started.UTC().Format("20060102-150405-") + token(2)
	l := &Lease{s: s, run: id, owner: token(8)}
	err := s.within(ctx, "creating run", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO runs (id, plan, command, model, dataset, tool_version, commit_hash, started_at) VALUES (?,?,?,?,?,?,?,?)",
			id, document(r.Plan), r.Command, r.Model, r.Dataset, r.ToolVersion, r.Commit, stamp(r.Started))
		if err != nil {
			return err
		}
		return l.take(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	l.beat()
	return l, nil
}

// Claim takes up a run that no process works on. A run that is still running is
// refused with a *BusyError.
func (s *Store) Claim(ctx context.Context, id string) (*Lease, error) {
	l := &Lease{s: s, run: id, owner: token(8)}
	err := s.within(ctx, "resuming run "+id, func(tx *sql.Tx) error {
		busy, err := holder(ctx, tx, id)
		if err != nil {
			return err
		}
		if busy != nil {
			return busy
		}
		return l.take(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	l.beat()
	return l, nil
}

// take writes the lease and the state that goes with it.
func (l *Lease) take(ctx context.Context, tx *sql.Tx) error {
	host, _ := os.Hostname()
	pid := os.Getpid()
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO leases (run, owner, host, pid, born_ms, beat_at) VALUES (?,?,?,?,?,?)",
		l.run, l.owner, host, pid, born(pid), stamp(time.Now()))
	if err != nil {
		return err
	}
	return addState(ctx, tx, l.run, Running, "")
}

// holder returns who works on a run, nil for nobody.
func holder(ctx context.Context, q querier, id string) (*BusyError, error) {
	b := &BusyError{Run: id}
	var beat string
	var birth int64
	err := q.QueryRowContext(ctx, "SELECT host, pid, born_ms, beat_at FROM leases WHERE run = ?", id).Scan(&b.Host, &b.PID, &birth, &beat)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if b.Beat, err = unstamp(beat); err != nil {
		return nil, err
	}
	if host, _ := os.Hostname(); host == b.Host {
		if now := born(b.PID); now == 0 || now != birth {
			return nil, nil
		}
		return b, nil
	}
	if time.Since(b.Beat) > Stale {
		return nil, nil
	}
	return b, nil
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// born is when a process started in ms, which tells it from a later one with
// the same number; 0 when there is none.
func born(pid int) int64 {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return 0
	}
	if state, err := p.Status(); err == nil && len(state) > 0 && state[0] == process.Zombie {
		return 0
	}
	ms, err := p.CreateTime()
	if err != nil {
		return 0
	}
	return ms
}

// beat renews the lease in the background.
func (l *Lease) beat() {
	ctx, stop := context.WithCancel(context.Background())
	l.stop, l.done = stop, make(chan struct{})
	go func() {
		defer close(l.done)
		tick := time.NewTicker(Beat)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				// A beat that fails is no harm yet: every write checks the lease.
				l.s.db.ExecContext(ctx, "UPDATE leases SET beat_at = ? WHERE run = ? AND owner = ?", stamp(time.Now()), l.run, l.owner) //nolint:errcheck
			}
		}
	}()
}

// Close gives the lease back and leaves the run in a state.
func (l *Lease) Close(ctx context.Context, state State, detail string) error {
	l.stop()
	<-l.done
	return l.write(ctx, "closing run", func(tx *sql.Tx) error {
		if err := addState(ctx, tx, l.run, state, detail); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM leases WHERE run = ? AND owner = ?", l.run, l.owner)
		return err
	})
}

// write runs f in a transaction that holds the lease; ErrLost without it.
func (l *Lease) write(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	return l.s.within(ctx, doing, func(tx *sql.Tx) error {
		var mine bool
		err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM leases WHERE run = ? AND owner = ?)", l.run, l.owner).Scan(&mine)
		if err != nil {
			return err
		}
		if !mine {
			return fmt.Errorf("run %s: %w", l.run, ErrLost)
		}
		return f(tx)
	})
}

func addState(ctx context.Context, tx *sql.Tx, run string, state State, detail string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO run_states (run, at, state, detail) VALUES (?,?,?,?)", run, stamp(time.Now()), string(state), detail)
	return err
}

// token returns n random bytes in hex.
func token(n int) string {
	b := make([]byte, n)
	rand.Read(b) //nolint:errcheck // never fails
	return hex.EncodeToString(b)
}
