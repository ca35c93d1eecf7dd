package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Merged says what became of one run in a merge.
type Merged struct {
	Run     string
	New     bool // it was not there before
	Trials  int  // that were added
	Skipped string
	// Err is why the run was refused: a *ConflictError, or a *BusyError where a
	// process works on it.
	Err error
}

// ConflictError refuses what is there already and differs.
type ConflictError struct{ What []string }

func (e *ConflictError) Error() string {
	const most = 5
	text := strings.Join(e.What[:min(most, len(e.What))], "; ")
	if n := len(e.What) - most; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return text
}

// Merge copies all runs of from, and what runs have that are in both stores, into
// to. It may be repeated: what is there already is left alone. A run is merged
// whole or, where the two stores contradict each other, not at all; the others go
// on. Runs that were pruned from to stay away.
func Merge(ctx context.Context, from, to *Store) ([]Merged, error) {
	if from.name == to.name {
		return nil, fmt.Errorf("merging: %s is both stores", to.name)
	}
	runs, err := from.Runs(ctx)
	if err != nil {
		return nil, err
	}
	pruned, err := query(ctx, to, "reading removed runs", func(rows *sql.Rows) (id string, err error) {
		err = rows.Scan(&id)
		return id, err
	}, "SELECT run FROM pruned")
	if err != nil {
		return nil, err
	}
	var out []Merged
	for _, r := range runs {
		m := Merged{Run: r.ID}
		if slices.Contains(pruned, r.ID) {
			m.Skipped = "it was removed there by prune"
		} else if r, err := from.settle(ctx, r); err != nil {
			return out, err
		} else if r.State == Running {
			m.Skipped = "it is still running; merge again when it is done"
		} else if err := mergeRun(ctx, from, to, &m); errors.As(err, new(*ConflictError)) || errors.As(err, new(*BusyError)) {
			m.Err, m.New, m.Trials = err, false, 0
		} else if err != nil {
			return out, err
		}
		out = append(out, m)
	}
	return out, mergeTags(ctx, from, to)
}

// mergeRun merges one run in one transaction.
func mergeRun(ctx context.Context, from, to *Store, m *Merged) error {
	return to.within(ctx, "merging run "+m.Run, func(tx *sql.Tx) error {
		*m = Merged{Run: m.Run}
		var conflict ConflictError
		for _, t := range []copied{
			{"runs", "id", "plan, command, model, dataset, tool_version, commit_hash, started_at"},
			{"cells", "run, id", "position, artefact, axes, target"},
			{"artefacts", "run, key", "bits, rank_ratio, prune_ratio, path, hash, cached, build_s, report, at"},
			{"qualities", "run, subject, threshold", "result, at"},
			{"events", "run, at, level, code, text, target", ""},
		} {
			added, err := t.merge(ctx, from, tx, m.Run, &conflict)
			if err != nil {
				return fmt.Errorf("table %s: %w", t.table, err)
			}
			if t.table != "runs" {
				continue
			}
			m.New = added > 0
			if len(conflict.What) > 0 {
				return &conflict // another run of the same name: nothing else need be compared
			}
			// Nobody may take the run up meanwhile.
			var id string
			if err := tx.QueryRowContext(ctx, "SELECT id FROM runs WHERE id = $1"+to.dialect.forUpdate(), m.Run).Scan(&id); err != nil {
				return err
			}
			if _, busy, err := holder(ctx, tx, m.Run); err != nil {
				return err
			} else if busy != nil {
				return busy
			}
		}
		if err := mergeTrials(ctx, from, tx, m, &conflict); err != nil {
			return err
		}
		if err := mergeStates(ctx, from, tx, m.Run, &conflict); err != nil {
			return err
		}
		if len(conflict.What) > 0 {
			return &conflict
		}
		return nil
	})
}

// copied is a table whose rows are merged by their key.
type copied struct{ table, key, rest string }

// merge adds the rows of a run that are missing and counts them.
func (c copied) merge(ctx context.Context, from *Store, tx *sql.Tx, run string, conflict *ConflictError) (added int, err error) {
	columns, keys := c.key, strings.Count(c.key, ",")+1
	if c.rest != "" {
		columns += ", " + c.rest
	}
	owner, _, _ := strings.Cut(c.key, ",")
	text := fmt.Sprintf("SELECT %s FROM %s WHERE %s = $1 ORDER BY %s", columns, c.table, owner, c.key)
	if c.table == "events" {
		text = fmt.Sprintf("SELECT %s FROM %s WHERE %s = $1 ORDER BY id", columns, c.table, owner)
	}
	theirs, err := query(ctx, from, "reading "+c.table, scanAny, text, run)
	if err != nil {
		return 0, err
	}
	ours, err := collect(ctx, tx, scanAny, text, run)
	if err != nil {
		return 0, err
	}
	have := make(map[string]string, len(ours))
	for _, row := range ours {
		have[fmt.Sprintf("%#v", row[:keys])] = fmt.Sprintf("%#v", row[keys:])
	}
	marks := make([]string, strings.Count(columns, ",")+1)
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	insert := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", c.table, columns, strings.Join(marks, ", "))
	for _, row := range theirs {
		rest, known := have[fmt.Sprintf("%#v", row[:keys])]
		switch {
		case !known:
			if _, err := tx.ExecContext(ctx, insert, row...); err != nil {
				return added, err
			}
			added++
		case rest != fmt.Sprintf("%#v", row[keys:]):
			conflict.What = append(conflict.What, fmt.Sprintf("%s %v differs", strings.TrimSuffix(c.table, "s"), row[keys-1]))
		}
	}
	return added, nil
}

// scanAny reads a row of any columns but bytes.
func scanAny(rows *sql.Rows) ([]any, error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	row, to := make([]any, len(names)), make([]any, len(names))
	for i := range row {
		to[i] = &row[i]
	}
	err = rows.Scan(to...)
	for i, v := range row {
		if b, ok := v.([]byte); ok {
			row[i] = string(b)
		}
	}
	return row, err
}

// mergeTrials adds the trials that are missing, with their samples, one at a time.
func mergeTrials(ctx context.Context, from *Store, tx *sql.Tx, m *Merged, conflict *ConflictError) error {
	for after := int64(-1); ; {
		type entry struct {
			id int64
			trialRow
		}
		page, err := query(ctx, from, "reading trials", func(rows *sql.Rows) (e entry, err error) {
			err = rows.Scan(&e.id, &e.cell, &e.repeat, &e.attempt, &e.verdict, &e.reason, &e.started, &e.ended, &e.result, &e.count, &e.samples)
			return e, err
		}, `SELECT t.id, t.cell, t.repeat, t.attempt, t.verdict, t.reason, t.started_at, t.ended_at, t.result, coalesce(s.count, 0), s.data
			FROM trials t LEFT JOIN samples s ON s.trial = t.id WHERE t.run = $1 AND t.id > $2 ORDER BY t.id LIMIT 16`, m.Run, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, e := range page {
			after = e.id
			name := fmt.Sprintf("trial of cell %s, repeat %d, attempt %d", e.cell, e.repeat, e.attempt)
			have, err := findTrial(ctx, tx, m.Run, &e.trialRow)
			if err != nil {
				return err
			}
			if have != nil {
				if !have.same(&e.trialRow) {
					conflict.What = append(conflict.What, name+" differs")
				}
				continue
			}
			var second bool
			err = tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM trials WHERE run = $1 AND cell = $2 AND repeat = $3 AND verdict = 'valid' AND $4 = 'valid')",
				m.Run, e.cell, e.repeat, e.verdict).Scan(&second)
			switch {
			case err != nil:
				return err
			case second:
				conflict.What = append(conflict.What, name+" is a second valid one")
				continue
			}
			if err := insertTrial(ctx, tx, m.Run, &e.trialRow); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			m.Trials++
		}
	}
}

// mergeStates adds what became of the run since. A run that went on in both stores
// has no one state.
func mergeStates(ctx context.Context, from *Store, tx *sql.Tx, run string, conflict *ConflictError) error {
	type state struct{ at, state, detail string }
	scan := func(rows *sql.Rows) (s state, err error) {
		err = rows.Scan(&s.at, &s.state, &s.detail)
		return s, err
	}
	const text = "SELECT at, state, detail FROM run_states WHERE run = $1 ORDER BY id"
	theirs, err := query(ctx, from, "reading states", scan, text, run)
	if err != nil {
		return err
	}
	ours, err := collect(ctx, tx, scan, text, run)
	if err != nil {
		return err
	}
	n := min(len(theirs), len(ours))
	if !slices.Equal(theirs[:n], ours[:n]) {
		conflict.What = append(conflict.What, "it went on in both stores")
		return nil
	}
	for _, s := range theirs[n:] {
		at, err := unstamp(s.at)
		if err != nil {
			return err
		}
		if err := insertState(ctx, tx, run, at, State(s.state), s.detail); err != nil {
			return err
		}
	}
	return nil
}

// mergeTags brings the tags of merged runs; a name that is taken is refused.
func mergeTags(ctx context.Context, from, to *Store) error {
	tags, err := from.Tags(ctx)
	if err != nil {
		return err
	}
	var conflict ConflictError
	err = to.within(ctx, "merging tags", func(tx *sql.Tx) error {
		conflict = ConflictError{}
		for _, t := range tags {
			var known, other string
			err := tx.QueryRowContext(ctx, "SELECT coalesce((SELECT id FROM runs WHERE id = $1), ''), coalesce((SELECT run FROM tags WHERE name = $2), '')", t.Run, t.Name).Scan(&known, &other)
			switch {
			case err != nil:
				return err
			case known == "" || other == t.Run:
			case other != "":
				conflict.What = append(conflict.What, fmt.Sprintf("tag %s names run %s there and %s here", t.Name, other, t.Run))
			default:
				if err := insertTag(ctx, tx, Tag{t.Name, t.Run, t.At.Truncate(time.Microsecond)}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil && len(conflict.What) > 0 {
		return &conflict
	}
	return err
}
