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
	s      *Store
	run    string
	owner  string
	shared bool
	guard  func(context.Context, *sql.Tx) error
	stop   context.CancelFunc
	done   chan struct{}
}

// Run returns the run's id.
func (l *Lease) Run() string { return l.run }

// Create inserts a run, gives it an id and starts it. A password in the command
// is not stored.
func (s *Store) Create(ctx context.Context, r Run) (*Lease, error) {
	if r.Started.IsZero() {
		r.Started = time.Now()
	}
	r.ID, r.Command = r.Started.UTC().Format("20060102-150405-")+token(2), Mask(r.Command)
	l := &Lease{s: s, run: r.ID, owner: token(8)}
	err := s.within(ctx, "creating run", func(tx *sql.Tx) error {
		if err := insertRun(ctx, tx, r); err != nil {
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
	return s.claim(ctx, &Lease{s: s, run: id, owner: token(8)})
}

// Share takes up a run together with every process that names the same key, which
// must agree elsewhere on who does what, as the workers of a lab do by its queue.
// They keep the run alive together. guard, where not nil, runs in the transaction
// of every write and refuses it by an error, such as that of a stale fence.
func (s *Store) Share(ctx context.Context, id, key string, guard func(context.Context, *sql.Tx) error) (*Lease, error) {
	return s.claim(ctx, &Lease{s: s, run: id, owner: "shared " + key, shared: true, guard: guard})
}

func (s *Store) claim(ctx context.Context, l *Lease) (*Lease, error) {
	err := s.within(ctx, "resuming run "+l.run, func(tx *sql.Tx) error {
		// One claim at a time looks at the lease.
		if err := tx.QueryRowContext(ctx, "SELECT id FROM runs WHERE id = $1"+s.dialect.forUpdate(), l.run).Scan(&l.run); errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("%s holds no run %s", s.name, l.run)
		} else if err != nil {
			return err
		}
		owner, busy, err := holder(ctx, tx, l.run)
		switch {
		case err != nil:
			return err
		case busy != nil && l.shared && owner == l.owner:
			return nil
		case busy != nil:
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

// shared is the host of a lease that processes of several machines hold.
const shared = "several machines"

// take writes the lease and the state that goes with it.
func (l *Lease) take(ctx context.Context, tx *sql.Tx) error {
	host, _ := os.Hostname()
	pid := os.Getpid()
	birth := born(pid)
	if l.shared {
		host, pid, birth = shared, 0, 0
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO leases (run, owner, host, pid, born_ms, beat_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (run) DO UPDATE SET owner = $2, host = $3, pid = $4, born_ms = $5, beat_at = $6`,
		l.run, l.owner, host, pid, birth, stamp(time.Now()))
	if err != nil {
		return err
	}
	return addState(ctx, tx, l.run, Running, "")
}

// holder returns who works on a run, nil for nobody, and the lease's owner.
func holder(ctx context.Context, q querier, id string) (owner string, b *BusyError, err error) {
	b = &BusyError{Run: id}
	var beat string
	var birth int64
	err = q.QueryRowContext(ctx, "SELECT owner, host, pid, born_ms, beat_at FROM leases WHERE run = $1", id).Scan(&owner, &b.Host, &b.PID, &birth, &beat)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	if b.Beat, err = unstamp(beat); err != nil {
		return "", nil, err
	}
	if host, _ := os.Hostname(); host == b.Host {
		if now := born(b.PID); now == 0 || now != birth {
			return owner, nil, nil
		}
		return owner, b, nil
	}
	if time.Since(b.Beat) > Stale {
		return owner, nil, nil
	}
	return owner, b, nil
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
				l.s.db.ExecContext(ctx, "UPDATE leases SET beat_at = $1 WHERE run = $2 AND owner = $3", stamp(time.Now()), l.run, l.owner) //nolint:errcheck
			}
		}
	}()
}

// Close gives the lease back and leaves the run in a state. Of a shared lease it
// ends the run for all.
func (l *Lease) Close(ctx context.Context, state State, detail string) error {
	l.Leave()
	return l.write(ctx, "closing run", func(tx *sql.Tx) error {
		if err := addState(ctx, tx, l.run, state, detail); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM leases WHERE run = $1 AND owner = $2", l.run, l.owner)
		return err
	})
}

// Leave stops renewing the lease and lets the others that share it go on.
func (l *Lease) Leave() {
	l.stop()
	<-l.done
}

// write runs f in a transaction that holds the lease; ErrLost without it.
func (l *Lease) write(ctx context.Context, doing string, f func(*sql.Tx) error) error {
	return l.s.within(ctx, doing, func(tx *sql.Tx) error {
		var owner string
		err := tx.QueryRowContext(ctx, "SELECT owner FROM leases WHERE run = $1 AND owner = $2"+l.s.dialect.forShare(), l.run, l.owner).Scan(&owner)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("run %s: %w", l.run, ErrLost)
		}
		if err != nil {
			return err
		}
		if l.guard != nil {
			if err := l.guard(ctx, tx); err != nil {
				return err
			}
		}
		return f(tx)
	})
}

func addState(ctx context.Context, tx *sql.Tx, run string, state State, detail string) error {
	return insertState(ctx, tx, run, time.Now(), state, detail)
}

// token returns n random bytes in hex.
func token(n int) string {
	b := make([]byte, n)
	rand.Read(b) //nolint:errcheck // never fails
	return hex.EncodeToString(b)
}
