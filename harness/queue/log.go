package queue

import (
	"context"
	"database/sql"
	"time"
)

// Line is something that was told of a sweep. Level is info, warning or error.
type Line struct {
	ID           int64
	Sweep, Board string
	At           time.Time
	Level, Text  string
}

// longestLine bounds a line's text in bytes.
const longestLine = 2000

// Tell adds a line to a sweep's log.
func (q *Queue) Tell(ctx context.Context, sweep, board, level, text string) error {
	if len(text) > longestLine {
		text = text[:longestLine-3] + "..."
	}
	return q.within(ctx, "noting in the log of sweep "+sweep, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, q.dialect.sql("INSERT INTO lab_log (sweep, board, at_us, level, text) VALUES ($1, $2, {now}, $3, $4)"), sweep, board, level, text)
		return err
	})
}

// Lines returns up to n lines of a sweep's log behind the one with the id after.
func (q *Queue) Lines(ctx context.Context, sweep string, after int64, n int) ([]Line, error) {
	var out []Line
	err := q.rows(ctx, "reading the log of sweep "+sweep, "SELECT id, sweep, board, at_us, level, text FROM lab_log WHERE sweep = $1 AND id > $2 ORDER BY id LIMIT $3", func(scan func(...any) error) error {
		var l Line
		var at int64
		err := scan(&l.ID, &l.Sweep, &l.Board, &at, &l.Level, &l.Text)
		l.At = fromMicro(at)
		out = append(out, l)
		return err
	}, sweep, after, n)
	return out, err
}
