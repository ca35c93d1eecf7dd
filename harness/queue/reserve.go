package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Reservation gives a board to one user for a time: trials of others wait.
type Reservation struct {
	ID, Board, Owner string
	From, Until      time.Time
}

// LongestReservation bounds how long a board may be taken at once, and how far
// ahead.
const (
	LongestReservation = 7 * 24 * time.Hour
	FarthestAhead      = 30 * 24 * time.Hour
)

// TakenError refuses a reservation because of another one.
type TakenError struct{ Reservation }

func (e *TakenError) Error() string {
	return fmt.Sprintf("board %s is %s's from %s to %s", e.Board, e.Owner, e.From.Format(time.RFC3339), e.Until.Format(time.RFC3339))
}

// Reserve reserves a board. One that overlaps another's is a *TakenError. A trial
// that runs at its beginning is finished first.
func (q *Queue) Reserve(ctx context.Context, r Reservation) (Reservation, error) {
	switch length := r.Until.Sub(r.From); {
	case length <= 0:
		return r, usage("a reservation must end after it begins")
	case length > LongestReservation:
		return r, usage("a reservation of %v: at most %v", length, LongestReservation)
	case time.Until(r.From) > FarthestAhead:
		return r, usage("a reservation from %s: at most %v ahead", r.From.Format(time.RFC3339), FarthestAhead)
	case time.Until(r.Until) <= 0:
		return r, usage("a reservation to %s: that is over", r.Until.Format(time.RFC3339))
	}
	r.ID = Token(8)
	r.From, r.Until = r.From.UTC().Truncate(time.Microsecond), r.Until.UTC().Truncate(time.Microsecond)
	return r, q.within(ctx, "reserving board "+r.Board, func(ctx context.Context, tx *sql.Tx) error {
		// The board's row is locked, so that two reservations come one after the other.
		var name string
		err := tx.QueryRowContext(ctx, q.dialect.sql("SELECT name FROM lab_boards WHERE name = $1{lock}"), r.Board).Scan(&name)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		var other Reservation
		var from, until int64
		err = tx.QueryRowContext(ctx, q.dialect.sql(`SELECT id, board, owner, from_us, until_us FROM lab_reservations
			WHERE board = $1 AND from_us < $2 AND until_us > $3 ORDER BY from_us LIMIT 1`), r.Board, r.Until.UnixMicro(), r.From.UnixMicro()).
			Scan(&other.ID, &other.Board, &other.Owner, &from, &until)
		if err == nil {
			other.From, other.Until = fromMicro(from), fromMicro(until)
			return &TakenError{other}
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = tx.ExecContext(ctx, q.dialect.sql("INSERT INTO lab_reservations (id, board, owner, from_us, until_us) VALUES ($1, $2, $3, $4, $5)"),
			r.ID, r.Board, r.Owner, r.From.UnixMicro(), r.Until.UnixMicro())
		return err
	})
}

// Unreserve ends a reservation.
func (q *Queue) Unreserve(ctx context.Context, id string) error {
	return q.within(ctx, "ending reservation "+id, func(ctx context.Context, tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, q.dialect.sql("DELETE FROM lab_reservations WHERE id = $1"), id)
		return touched(r, err)
	})
}

// Reservations are those that are not over, by board and time.
func (q *Queue) Reservations(ctx context.Context) ([]Reservation, error) {
	var out []Reservation
	err := q.rows(ctx, "reading reservations", "SELECT id, board, owner, from_us, until_us FROM lab_reservations WHERE until_us > {now} ORDER BY board, from_us", func(scan func(...any) error) error {
		var r Reservation
		var from, until int64
		if err := scan(&r.ID, &r.Board, &r.Owner, &from, &until); err != nil {
			return err
		}
		r.From, r.Until = fromMicro(from), fromMicro(until)
		out = append(out, r)
		return nil
	})
	return out, err
}

// Reservation returns one by its id.
func (q *Queue) Reservation(ctx context.Context, id string) (Reservation, error) {
	all, err := q.Reservations(ctx)
	if err != nil {
		return Reservation{}, err
	}
	for _, r := range all {
		if r.ID == id {
			return r, nil
		}
	}
	return Reservation{}, fmt.Errorf("reservation %s: %w", id, ErrNotFound)
}

// reservedFor is whose board it is now; "" = everybody's.
func (q *Queue) reservedFor(ctx context.Context, board string) (string, error) {
	owner := ""
	err := q.rows(ctx, "reading reservations", "SELECT owner FROM lab_reservations WHERE board = $1 AND from_us <= {now} AND until_us > {now}", func(scan func(...any) error) error {
		return scan(&owner)
	}, board)
	return owner, err
}
