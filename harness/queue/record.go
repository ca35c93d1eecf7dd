package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// Trial is one attempt that a controller is to measure.
type Trial struct {
	Sweep, Owner, Board, Cell string
	Axes, Plan                json.RawMessage
	Repeat, Attempt           int
	Fence                     int64 // of the lease under which it is measured
	// Tell notes something in the sweep's log.
	Tell func(level, text string)
}

// Outcome is what came of it. Record is the trial as the store keeps it.
type Outcome struct {
	Verdict        wire.Verdict
	Reason         string
	Started, Ended time.Time
	Record         json.RawMessage
}

// past is what is recorded of a trial.
type past struct {
	verdicts []wire.Verdict
	done     bool // by its last attempt
	active   bool // its sweep is to be measured
}

// ends says whether a trial with these attempts needs no further one.
func ends(verdicts []wire.Verdict, retries int) bool {
	invalid, faults := 0, 0
	for _, v := range verdicts {
		switch v {
		case wire.Valid:
			return true
		case wire.Faulted:
			faults++
		default:
			invalid++
		}
	}
	return invalid > retries || faults >= wire.MaxFaults
}

// past reads what is recorded of a trial, and whether its sweep is still wanted.
func (q *Queue) past(ctx context.Context, a trialArgs) (past, error) {
	var p past
	err := q.rows(ctx, "reading a trial's attempts", "SELECT verdict, last FROM lab_trials WHERE sweep = $1 AND cell = $2 AND repeat = $3 ORDER BY attempt", func(scan func(...any) error) error {
		var verdict wire.Verdict
		var last int
		if err := scan(&verdict, &last); err != nil {
			return err
		}
		p.verdicts, p.done = append(p.verdicts, verdict), p.done || last != 0
		return nil
	}, a.Sweep, a.Cell, a.Repeat)
	if err != nil {
		return p, err
	}
	err = q.rows(ctx, "reading a sweep", "SELECT state FROM lab_sweeps WHERE id = $1", func(scan func(...any) error) error {
		var state string
		p.active = true
		err := scan(&state)
		p.active = state != Canceled
		return err
	}, a.Sweep)
	return p, err
}

// record stores an attempt and, with the last one, completes its job: all or
// nothing, and only under a lease that is still its holder's.
func (q *Queue) record(ctx context.Context, l *Lease, job *river.Job[trialArgs], attempt int, o Outcome, last bool) error {
	a := job.Args
	ended := 0
	if last {
		ended = 1
	}
	return q.within(ctx, fmt.Sprintf("recording trial %s repeat %d of sweep %s", a.Cell, a.Repeat, a.Sweep), func(ctx context.Context, tx *sql.Tx) error {
		if err := q.hold(ctx, tx, l); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, q.dialect.sql(`INSERT INTO lab_trials (sweep, cell, repeat, attempt, board, fence, controller, verdict, reason, last, started_us, ended_us, record)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`), a.Sweep, a.Cell, a.Repeat, attempt, l.Board, l.Fence, l.Holder,
			string(o.Verdict), o.Reason, ended, o.Started.UnixMicro(), o.Ended.UnixMicro(), string(o.Record))
		if err != nil || !last {
			return err
		}
		return q.complete(ctx, tx, job)
	})
}

// complete completes a job. One that River has meanwhile put back in line is not
// running: it will be handed out again, and be found done.
func (q *Queue) complete(ctx context.Context, tx *sql.Tx, job *river.Job[trialArgs]) error {
	var err error
	if q.dialect.postgres {
		_, err = river.JobCompleteTx[*postgresDriver](ctx, tx, job)
	} else {
		_, err = river.JobCompleteTx[*sqliteDriver](ctx, tx, job)
	}
	if errors.Is(err, rivertype.ErrNotFound) {
		return nil
	}
	return err
}

// isConflict says that an attempt is recorded already, or that its trial has ended:
// the commit before was made although its answer was lost.
func isConflict(err error) bool {
	var pg *pgconn.PgError
	var lite *sqlite.Error
	return errors.As(err, &pg) && pg.Code == "23505" ||
		errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}
