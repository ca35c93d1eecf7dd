package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Board is what a lab knows of a board.
type Board struct {
	Name    string
	Holder  string // the controller that has its lease; "" = none
	Fence   int64
	Seen    time.Time // when its controller was last heard of
	Expires time.Time // of the lease
	Drained bool
	Doing   string // the trial on it: owner, sweep and cell
	Waiting int    // jobs in its queues
	Counted int    // trials done in the last 24 hours
}

// Held says whether a controller has the board's lease.
func (b Board) Held() bool { return b.Holder != "" && b.Expires.After(time.Now()) }

// Boards are all boards by name.
func (q *Queue) Boards(ctx context.Context) ([]Board, error) {
	var out []Board
	err := q.rows(ctx, "reading boards", `SELECT b.name, b.holder, b.fence, b.seen_us, b.expires_us, b.drained, b.doing,
		(SELECT count(*) FROM river_job j JOIN lab_queues w ON w.name = j.queue WHERE w.board = b.name AND j.state IN ('available', 'retryable', 'scheduled', 'running')),
		(SELECT count(*) FROM lab_trials t WHERE t.board = b.name AND t.last = 1 AND t.ended_us > {now} - 86400000000)
		FROM lab_boards b ORDER BY b.name`, func(scan func(...any) error) error {
		var b Board
		var seen, expires int64
		var drained int
		err := scan(&b.Name, &b.Holder, &b.Fence, &seen, &expires, &drained, &b.Doing, &b.Waiting, &b.Counted)
		b.Seen, b.Expires, b.Drained = fromMicro(seen), fromMicro(expires), drained != 0
		out = append(out, b)
		return err
	})
	return out, err
}

const sweepColumns = `SELECT s.id, s.owner, s.title, s.plan, s.priority, s.total, s.created_us, s.ended_us, s.state,
	(SELECT count(*) FROM lab_trials t WHERE t.sweep = s.id AND t.last = 1) FROM lab_sweeps s `

func scanSweep(scan func(...any) error) (Sweep, error) {
	var s Sweep
	var plan string
	var created, ended int64
	err := scan(&s.ID, &s.Owner, &s.Title, &plan, &s.Priority, &s.Total, &created, &ended, &s.State, &s.Counted)
	s.Plan, s.Created, s.Ended = json.RawMessage(plan), fromMicro(created), fromMicro(ended)
	return s, err
}

// Sweeps are the newest sweeps, those that are active first; at most n.
func (q *Queue) Sweeps(ctx context.Context, n int) ([]Sweep, error) {
	var out []Sweep
	err := q.rows(ctx, "reading sweeps", sweepColumns+"ORDER BY CASE s.state WHEN 'active' THEN 0 ELSE 1 END, s.created_us DESC, s.id LIMIT $1", func(scan func(...any) error) error {
		s, err := scanSweep(scan)
		out = append(out, s)
		return err
	}, n)
	return out, err
}

// Sweep returns one sweep; ErrNotFound where there is none.
func (q *Queue) Sweep(ctx context.Context, id string) (Sweep, error) {
	ctx, cancel := context.WithTimeout(ctx, statementLimit)
	defer cancel()
	s, err := scanSweep(q.db.QueryRowContext(ctx, q.dialect.sql(sweepColumns+"WHERE s.id = $1"), id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return s, fmt.Errorf("reading sweep %s: %w", id, err)
	}
	return s, nil
}

// Recorded is an attempt as it was recorded.
type Recorded struct {
	Cell            string
	Repeat, Attempt int
	Board           string
	Fence           int64
	Controller      string
	Last            bool
	Outcome
}

// page is how many attempts are read at once.
const page = 100

// Trials calls f with the recorded attempts of a sweep in the order of their end.
// It reads a hundred at a time, so that a slow reader holds no connection.
func (q *Queue) Trials(ctx context.Context, sweep string, f func(Recorded) error) error {
	last := Recorded{Repeat: -1}
	for {
		var some []Recorded
		err := q.rows(ctx, "reading trials of sweep "+sweep, `SELECT cell, repeat, attempt, board, fence, controller, last, verdict, reason, started_us, ended_us, record
			FROM lab_trials WHERE sweep = $1 AND (ended_us, cell, repeat, attempt) > ($2, $3, $4, $5) ORDER BY ended_us, cell, repeat, attempt LIMIT $6`, func(scan func(...any) error) error {
			var r Recorded
			var end int
			var started, ended int64
			var record string
			err := scan(&r.Cell, &r.Repeat, &r.Attempt, &r.Board, &r.Fence, &r.Controller, &end, &r.Verdict, &r.Reason, &started, &ended, &record)
			r.Last, r.Started, r.Ended, r.Record = end != 0, fromMicro(started), fromMicro(ended), json.RawMessage(record)
			some = append(some, r)
			return err
		}, sweep, max(0, last.Ended.UnixMicro()), last.Cell, last.Repeat, last.Attempt, page)
		if err != nil {
			return err
		}
		for _, r := range some {
			if err := f(r); err != nil {
				return err
			}
		}
		if len(some) < page {
			return nil
		}
		last = some[len(some)-1]
	}
}

// Span is a lease that was granted. Until is zero while it lasts.
type Span struct {
	Board, Holder string
	Fence         int64
	From, Until   time.Time
}

// Leases are all leases that a board was ever given, the first one first.
func (q *Queue) Leases(ctx context.Context, board string) ([]Span, error) {
	var out []Span
	err := q.rows(ctx, "reading leases", "SELECT board, holder, fence, from_us, until_us FROM lab_leases WHERE board = $1 ORDER BY fence", func(scan func(...any) error) error {
		var s Span
		var from, until int64
		err := scan(&s.Board, &s.Holder, &s.Fence, &from, &until)
		s.From, s.Until = fromMicro(from), fromMicro(until)
		out = append(out, s)
		return err
	}, board)
	return out, err
}

// Count is how many jobs of a user wait on a board in a state of River's.
type Count struct {
	Board, Owner, State string
	Jobs                int
}

// Counts are the jobs that are not over, by board, user and state.
func (q *Queue) Counts(ctx context.Context) ([]Count, error) {
	var out []Count
	err := q.rows(ctx, "counting jobs", `SELECT w.board, w.owner, j.state, count(*) FROM river_job j JOIN lab_queues w ON w.name = j.queue
		WHERE j.state IN ('available', 'retryable', 'scheduled', 'running') GROUP BY w.board, w.owner, j.state ORDER BY w.board, w.owner, j.state`, func(scan func(...any) error) error {
		var c Count
		err := scan(&c.Board, &c.Owner, &c.State, &c.Jobs)
		out = append(out, c)
		return err
	})
	return out, err
}

// Verdicts counts the recorded attempts by verdict.
func (q *Queue) Verdicts(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	err := q.rows(ctx, "counting trials", "SELECT verdict, count(*) FROM lab_trials GROUP BY verdict", func(scan func(...any) error) error {
		var verdict string
		var n int
		err := scan(&verdict, &n)
		out[verdict] = n
		return err
	})
	return out, err
}
