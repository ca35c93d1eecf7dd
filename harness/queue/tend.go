package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// handedOut is how many jobs of one user's queue are taken at once: the one that
// is measured, and one that waits for its turn, so that users compare.
const handedOut = 2

// tend takes jobs from the queues of the board, and pauses those of users whose
// trials may not run now.
func (d *driver) tend(h *holding) error {
	l := h.now()
	reserved, err := d.Queue.reservedFor(h.ctx, l.Board)
	if err != nil {
		return err
	}
	closed := func(owner string) bool { return l.Drained || reserved != "" && owner != reserved }
	h.turn.close(closed)
	type line struct{ name, owner string }
	var lines []line
	err = d.Queue.rows(h.ctx, "reading the board's queues", "SELECT name, owner FROM lab_queues WHERE board = $1", func(scan func(...any) error) error {
		var l line
		err := scan(&l.name, &l.owner)
		lines = append(lines, l)
		return err
	}, l.Board)
	if err != nil {
		return err
	}
	var faults []error // one user's queue must not keep the others' from the board
	for _, line := range lines {
		var err error
		shut := closed(line.owner)
		was, known := h.queues[line.name]
		ctx, cancel := context.WithTimeout(h.ctx, statementLimit)
		switch {
		case !known && shut:
			// It is taken up when it opens.
		case !known:
			if err = d.take(ctx, line.name); err == nil {
				h.queues[line.name] = false
				err = d.client.QueueResume(ctx, line.name, nil) // a controller before may have paused it
				if errors.Is(err, rivertype.ErrNotFound) {
					err = nil
				}
			}
		case shut && !was:
			if err = d.client.QueuePause(ctx, line.name, nil); err == nil {
				h.queues[line.name] = true
			}
		case !shut && was:
			if err = d.client.QueueResume(ctx, line.name, nil); err == nil {
				h.queues[line.name] = false
			}
		}
		cancel()
		if err != nil {
			faults = append(faults, fmt.Errorf("queue %s: %w", line.name, err))
		}
	}
	return errors.Join(faults...)
}

// take begins to take jobs of a queue. River still knows one that a holding before
// could not let go in time, but takes no jobs of it: it is let go first.
func (d *driver) take(ctx context.Context, name string) error {
	config := river.QueueConfig{MaxWorkers: handedOut}
	err := d.client.Queues().Add(name, config)
	if !errors.Is(err, &river.QueueAlreadyAddedError{}) {
		return err
	}
	if err := d.client.Queues().Remove(ctx, name); err != nil {
		return fmt.Errorf("letting it go anew: %w", err)
	}
	return d.client.Queues().Add(name, config)
}

// rescue puts back jobs of the board that River handed out to a controller that is
// gone: those that were handed out before the horizon and are not in flight here.
func (d *driver) rescue(h *holding, horizon time.Time) error {
	q, l := d.Queue, h.now()
	return q.within(h.ctx, "putting back jobs", func(ctx context.Context, tx *sql.Tx) error {
		if err := q.hold(ctx, tx, &l); err != nil {
			return err
		}
		var names []string
		rows, err := tx.QueryContext(ctx, q.dialect.sql("SELECT name FROM lab_queues WHERE board = $1"), l.Board)
		if err != nil {
			return err
		}
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				rows.Close() //nolint:errcheck // the first error is the one to tell
				return err
			}
			names = append(names, name)
		}
		if err := rows.Err(); err != nil || len(names) == 0 {
			return err
		}
		list, err := q.insert.JobListTx(ctx, tx, river.NewJobListParams().Queues(names...).States(rivertype.JobStateRunning).OrderBy(river.JobListOrderByID, river.SortOrderAsc).First(1000))
		if err != nil {
			return err
		}
		p := riverdriver.JobRescueManyParams{StuckHorizon: horizon}
		for _, job := range list.Jobs {
			if h.inFlight(job.ID) {
				continue
			}
			text, err := json.Marshal(rivertype.AttemptError{At: time.Now().UTC(), Attempt: job.Attempt, Error: "its controller lost the board's lease"})
			if err != nil {
				return err
			}
			p.ID, p.Error, p.FinalizedAt = append(p.ID, job.ID), append(p.Error, text), append(p.FinalizedAt, nil)
			p.ScheduledAt, p.State = append(p.ScheduledAt, job.ScheduledAt), append(p.State, string(rivertype.JobStateAvailable))
		}
		if len(p.ID) == 0 {
			return nil
		}
		_, err = q.driver.UnwrapExecutor(tx).JobRescueMany(ctx, &p)
		return err
	})
}

func (h *holding) inFlight(id int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.flight[id]
}
