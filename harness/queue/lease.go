package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// ErrFenced refuses what is done under a lease that another controller has taken.
var ErrFenced = errors.New("the board's lease is another controller's now")

// ErrNotFound is returned for what the database does not know.
var ErrNotFound = errors.New("not found")

// Lease is the right to drive one board until it expires. Fence is greater than
// that of every lease before it.
type Lease struct {
	Board, Holder string
	Fence         int64
	Drained       bool
	// Until is when the holder must have stopped, by this machine's clock. It lies
	// before the time at which the database lets another have the board.
	Until time.Time
}

// boardName is what a board may be called.
var boardName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// AddBoard makes a board known. One that is known is left alone.
func (q *Queue) AddBoard(ctx context.Context, name string) error {
	if !boardName.MatchString(name) {
		return usage("board %q: a name has up to 63 letters, digits, dots, dashes and underscores", name)
	}
	return q.within(ctx, "adding board "+name, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, q.dialect.sql("INSERT INTO lab_boards (name) VALUES ($1) ON CONFLICT DO NOTHING"), name)
		return err
	})
}

// Acquire takes the lease of a board that nobody holds, or whose lease has
// expired; nil where somebody holds it. Ttl is how long it lasts without a
// renewal.
func (q *Queue) Acquire(ctx context.Context, board, holder string, ttl time.Duration) (*Lease, error) {
	asked := time.Now()
	l := &Lease{Board: board, Holder: holder}
	err := q.within(ctx, "leasing board "+board, func(ctx context.Context, tx *sql.Tx) error {
		var had string
		var expires, now int64
		var drained int
		err := tx.QueryRowContext(ctx, q.dialect.sql("SELECT holder, fence, expires_us, drained, {now} FROM lab_boards WHERE name = $1{lock}"), board).
			Scan(&had, &l.Fence, &expires, &drained, &now)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil || had != "" && expires > now {
			l.Fence = -1
			return err
		}
		if had != "" {
			// The lease before ended when it expired.
			if _, err := tx.ExecContext(ctx, q.dialect.sql("UPDATE lab_leases SET until_us = $1 WHERE board = $2 AND fence = $3"), expires, board, l.Fence); err != nil {
				return err
			}
		}
		l.Fence++
		l.Drained = drained != 0
		if _, err := tx.ExecContext(ctx, q.dialect.sql("UPDATE lab_boards SET holder = $1, fence = $2, expires_us = {now} + $3, seen_us = {now}, doing = '' WHERE name = $4"),
			holder, l.Fence, ttl.Microseconds(), board); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, q.dialect.sql("INSERT INTO lab_leases (board, fence, holder, from_us) VALUES ($1, $2, $3, {now})"), board, l.Fence, holder)
		return err
	})
	if err != nil || l.Fence < 0 {
		return nil, err
	}
	l.Until = deadline(asked, ttl)
	return l, nil
}

// deadline leaves a quarter of a lease for stopping what runs on the board.
func deadline(asked time.Time, ttl time.Duration) time.Time { return asked.Add(ttl - ttl/4) }

// Renew renews a lease, or returns ErrFenced. It also learns whether the board is
// drained.
func (q *Queue) Renew(ctx context.Context, l *Lease, ttl time.Duration) error {
	asked := time.Now()
	var drained int
	ctx, cancel := context.WithTimeout(ctx, statementLimit)
	defer cancel()
	err := q.db.QueryRowContext(ctx, q.dialect.sql(`UPDATE lab_boards SET expires_us = {now} + $1, seen_us = {now}
		WHERE name = $2 AND holder = $3 AND fence = $4 RETURNING drained`), ttl.Microseconds(), l.Board, l.Holder, l.Fence).Scan(&drained)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("renewing the lease of board %s: %w", l.Board, ErrFenced)
	case err != nil:
		return fmt.Errorf("renewing the lease of board %s: %w", l.Board, err)
	}
	l.Until, l.Drained = deadline(asked, ttl), drained != 0
	return nil
}

// Release gives a lease back. Of one that is lost already there is nothing to
// give.
func (q *Queue) Release(ctx context.Context, l *Lease) error {
	return q.within(ctx, "giving back board "+l.Board, func(ctx context.Context, tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, q.dialect.sql("UPDATE lab_boards SET holder = '', expires_us = 0, doing = '' WHERE name = $1 AND holder = $2 AND fence = $3"), l.Board, l.Holder, l.Fence)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, q.dialect.sql("UPDATE lab_leases SET until_us = {now} WHERE board = $1 AND fence = $2"), l.Board, l.Fence)
		return err
	})
}

// hold makes the transaction one that only the holder of a lease can commit: the
// board's row is locked, so that no other can take it meanwhile.
func (q *Queue) hold(ctx context.Context, tx *sql.Tx, l *Lease) error {
	var fence int64
	err := tx.QueryRowContext(ctx, q.dialect.sql("SELECT fence FROM lab_boards WHERE name = $1 AND holder = $2{lock}"), l.Board, l.Holder).Scan(&fence)
	if errors.Is(err, sql.ErrNoRows) || err == nil && fence != l.Fence {
		return ErrFenced
	}
	return err
}

// Drain has a board finish its trial and take no more, or take trials again.
func (q *Queue) Drain(ctx context.Context, board string, drained bool) error {
	value := 0
	if drained {
		value = 1
	}
	return q.within(ctx, "draining board "+board, func(ctx context.Context, tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, q.dialect.sql("UPDATE lab_boards SET drained = $1 WHERE name = $2"), value, board)
		return touched(r, err)
	})
}

// touched is ErrNotFound where a statement changed no row.
func touched(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
