package queue

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Priorities. Within one, users share a board.
const (
	Urgent = 1
	High   = 2
	Normal = 3
	Low    = 4
)

// MaxTrials is how many trials one sweep may have.
const MaxTrials = 100_000

// States of a sweep.
const (
	Active   = "active"
	Done     = "done"
	Canceled = "canceled"
)

// Sweep is a plan that somebody has submitted. ID is chosen by who submits it, so
// that submitting again after a lost answer makes no second one.
type Sweep struct {
	ID, Owner, Title string
	Plan             json.RawMessage
	Priority         int // Urgent to Low
	Created, Ended   time.Time
	State            string
	Total, Counted   int // trials, and those that are done
}

// Task is one trial of a sweep, in the order in which a board should do them.
type Task struct {
	Board   string
	Cell    string
	Axes    json.RawMessage
	Repeat  int
	Retries int // further attempts of one that was not valid
}

// trialArgs are River's job of one Task.
type trialArgs struct {
	Sweep   string            `json:"sweep"`
	Owner   string            `json:"owner"`
	Board   string            `json:"board"`
	Cell    string            `json:"cell"`
	Axes    json.RawMessage   `json:"axes"`
	Repeat  int               `json:"repeat"`
	Retries int               `json:"retries"`
	Trace   map[string]string `json:"trace,omitempty"` // W3C trace context of who submitted it
}

// Kind is the job's name in River's table.
func (trialArgs) Kind() string { return kind }

const kind = "trial"

// mostDeliveries is how often River hands one job out. How often a trial is
// attempted is decided by its results, not by this.
const mostDeliveries = 32000

var sweepID = regexp.MustCompile(`^[0-9a-f]{16,64}$`)

// NewSweepID returns an id for a sweep.
func NewSweepID() string { return Token(10) }

// UsageError refuses what was asked for: what is wrong with it, in words for who
// asked.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// check refuses a sweep that cannot be stored.
func (s Sweep) check(trials int) error {
	switch {
	case !sweepID.MatchString(s.ID):
		return usage("sweep id %q: must be 16 to 64 digits in hex", s.ID)
	case s.Owner == "":
		return usage("a sweep needs an owner")
	case s.Priority < Urgent || s.Priority > Low:
		return usage("priority %d: must be from %d (urgent) to %d (low)", s.Priority, Urgent, Low)
	case trials == 0:
		return usage("a sweep needs at least one trial")
	case trials > MaxTrials:
		return usage("%d trials: at most %d are one sweep; split it", trials, MaxTrials)
	case !json.Valid(s.Plan):
		return usage("the plan is no JSON")
	}
	return nil
}

// Submit stores a sweep and its jobs in one transaction. A sweep of the same id,
// owner and plan that is there already is left alone.
func (q *Queue) Submit(ctx context.Context, s Sweep, tasks []Task) error {
	if err := s.check(len(tasks)); err != nil {
		return err
	}
	ctx, span := tracer().Start(ctx, "lab.submit")
	defer span.End()
	trace := inject(ctx)
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tx, err := q.db.BeginTx(limit, nil)
	if err != nil {
		return fmt.Errorf("submitting a sweep: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after the commit
	fresh, err := q.addSweep(limit, tx, s, len(tasks))
	if err != nil {
		return fmt.Errorf("submitting a sweep: %w", err)
	}
	if !fresh {
		return nil
	}
	queues, err := q.addQueues(limit, tx, s.Owner, tasks)
	if err != nil {
		return fmt.Errorf("submitting a sweep: %w", err)
	}
	for rest := tasks; len(rest) > 0; rest = rest[min(1000, len(rest)):] {
		var many []river.InsertManyParams
		for _, t := range rest[:min(1000, len(rest))] {
			many = append(many, river.InsertManyParams{
				Args: trialArgs{s.ID, s.Owner, t.Board, t.Cell, t.Axes, t.Repeat, t.Retries, trace},
				InsertOpts: &river.InsertOpts{
					Queue: queues[t.Board], Priority: s.Priority, MaxAttempts: mostDeliveries, Tags: []string{s.ID},
				},
			})
		}
		if _, err := q.insert.InsertManyFastTx(limit, tx, many); err != nil {
			return fmt.Errorf("submitting a sweep: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("submitting a sweep: %w", err)
	}
	return nil
}

// addSweep stores the sweep's row; false where it is there already.
func (q *Queue) addSweep(ctx context.Context, tx *sql.Tx, s Sweep, total int) (bool, error) {
	r, err := tx.ExecContext(ctx, q.dialect.sql(`INSERT INTO lab_sweeps (id, owner, title, plan, priority, total, created_us, state)
		VALUES ($1, $2, $3, $4, $5, $6, {now}, 'active') ON CONFLICT DO NOTHING`), s.ID, s.Owner, s.Title, string(s.Plan), s.Priority, total)
	if err != nil {
		return false, err
	}
	if n, err := r.RowsAffected(); err != nil || n == 1 {
		return true, err
	}
	var owner, plan string
	if err := tx.QueryRowContext(ctx, q.dialect.sql("SELECT owner, plan FROM lab_sweeps WHERE id = $1"), s.ID).Scan(&owner, &plan); err != nil {
		return false, err
	}
	if owner != s.Owner || plan != string(s.Plan) {
		return false, usage("sweep %s is another one; submit under a new id", s.ID)
	}
	return false, nil
}

// addQueues makes the user's queues on the boards of the tasks.
func (q *Queue) addQueues(ctx context.Context, tx *sql.Tx, owner string, tasks []Task) (map[string]string, error) {
	out := map[string]string{}
	for _, t := range tasks {
		if out[t.Board] != "" {
			continue
		}
		var known int
		if err := tx.QueryRowContext(ctx, q.dialect.sql("SELECT count(*) FROM lab_boards WHERE name = $1"), t.Board).Scan(&known); err != nil {
			return nil, err
		}
		if known == 0 {
			return nil, usage("board %s is not known in this lab; see harness lab boards", t.Board)
		}
		name := queueName(t.Board, owner)
		if _, err := tx.ExecContext(ctx, q.dialect.sql("INSERT INTO lab_queues (name, board, owner) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"), name, t.Board, owner); err != nil {
			return nil, err
		}
		out[t.Board] = name
	}
	return out, nil
}

// queueName is the River queue of a user on a board; River takes few letters.
func queueName(board, owner string) string {
	sum := sha256.Sum256([]byte(board + "\x00" + owner))
	return "trial-" + hex.EncodeToString(sum[:12])
}

// Cancel ends a sweep: its waiting jobs at once, the running ones as soon as their
// controllers hear of it. Results that are recorded stay.
func (q *Queue) Cancel(ctx context.Context, id string) error {
	err := q.within(ctx, "canceling sweep "+id, func(ctx context.Context, tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, q.dialect.sql("UPDATE lab_sweeps SET state = 'canceled', ended_us = {now} WHERE id = $1 AND state = 'active'"), id)
		return touched(r, err)
	})
	if err != nil {
		return err
	}
	params := river.NewJobListParams().Kinds(kind).TagsAny(id).OrderBy(river.JobListOrderByID, river.SortOrderAsc).First(500).
		States(rivertype.JobStateAvailable, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled, rivertype.JobStatePending)
	for {
		list, err := q.insert.JobList(ctx, params)
		if err != nil {
			return fmt.Errorf("canceling the jobs of sweep %s: %w", id, err)
		}
		for _, job := range list.Jobs {
			if _, err := q.insert.JobCancel(ctx, job.ID); err != nil && !errors.Is(err, rivertype.ErrNotFound) {
				return fmt.Errorf("canceling the jobs of sweep %s: %w", id, err)
			}
		}
		if list.LastCursor == nil || len(list.Jobs) == 0 {
			return nil
		}
		params = params.After(list.LastCursor)
	}
}
