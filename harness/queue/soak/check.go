//go:build unix

package soak

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/harness/queue"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Figures are what a soak took.
type Figures struct {
	Trials, Attempts, Executions int // counted, recorded, begun on a board
	Took                         time.Duration
	StandIns                     int           // trials on stand-ins
	StandInsTook                 time.Duration // to the last of them
	Kills, Restarts, Cuts        int
	Leases                       int
	// AfterKill is from the kill of a board's controller, AfterRestart from the crash
	// of the database, to the next trial recorded there. Half, and most.
	AfterKill, MostAfterKill       time.Duration
	AfterRestart, MostAfterRestart time.Duration
}

// String is for a person.
func (f Figures) String() string {
	ms := time.Millisecond
	return fmt.Sprintf("%d trials in %v, %d of them on stand-ins in %v (%.0f a second), %d attempts recorded, %d begun; %d kills, %d database restarts, %d network cuts, %d leases; "+
		"a board goes on after a kill in %v (median, at most %v), after a database restart in %v (at most %v)",
		f.Trials, f.Took.Round(ms), f.StandIns, f.StandInsTook.Round(ms), float64(f.StandIns)/f.StandInsTook.Seconds(), f.Attempts, f.Executions, f.Kills, f.Restarts, f.Cuts, f.Leases,
		f.AfterKill.Round(ms), f.MostAfterKill.Round(ms), f.AfterRestart.Round(ms), f.MostAfterRestart.Round(ms))
}

// check checks that every trial counts once, by its own right verdicts, and that no
// board was ever driven by two.
func (k *soak) check() {
	ctx := context.Background()
	if raw, err := os.ReadFile(filepath.Join(k.dir, "violations")); err == nil {
		k.t.Errorf("boards were driven by two:\n%s", raw)
	}
	for _, s := range k.subs {
		ends := map[string]int{}
		attempts := map[string][]wire.Verdict{}
		err := k.q.Trials(ctx, s.Sweep.ID, func(r queue.Recorded) error {
			key := fmt.Sprintf("%s/%d", r.Cell, r.Repeat)
			if r.Attempt != len(attempts[key]) {
				k.t.Errorf("sweep %s, trial %s: attempt %d follows %d", s.Sweep.ID, key, r.Attempt, len(attempts[key])-1)
			}
			attempts[key] = append(attempts[key], r.Verdict)
			if r.Last {
				ends[key]++
			}
			if strings.HasPrefix(r.Board, standInPrefix) {
				if want := verdict(queue.Trial{Sweep: s.Sweep.ID, Cell: r.Cell, Repeat: r.Repeat, Attempt: r.Attempt}); r.Verdict != want {
					k.t.Errorf("sweep %s, trial %s: verdict %s, the board said %s", s.Sweep.ID, key, r.Verdict, want)
				}
			}
			return nil
		})
		if err != nil {
			k.t.Fatal(err)
		}
		for _, task := range s.Tasks {
			if key := fmt.Sprintf("%s/%d", task.Cell, task.Repeat); ends[key] != 1 {
				k.t.Errorf("sweep %s, trial %s counts %d times", s.Sweep.ID, key, ends[key])
			}
		}
		if len(ends) != len(s.Tasks) {
			k.t.Errorf("sweep %s: %d trials of %d", s.Sweep.ID, len(ends), len(s.Tasks))
		}
	}
	k.checkLeases(ctx)
}

// checkLeases checks that the leases of a board lie one behind the other.
func (k *soak) checkLeases(ctx context.Context) {
	for _, board := range k.names() {
		spans, err := k.q.Leases(ctx, board)
		if err != nil {
			k.t.Fatal(err)
		}
		for i := 1; i < len(spans); i++ {
			if before := spans[i-1]; before.Until.IsZero() || before.Until.After(spans[i].From) {
				k.t.Errorf("board %s: lease %d of %s overlaps %d of %s", board, before.Fence, before.Holder, spans[i].Fence, spans[i].Holder)
			}
		}
	}
}

// figures reads off how long what took.
func (k *soak) figures(began time.Time, took time.Duration) Figures {
	ctx := context.Background()
	f := Figures{Took: took, Kills: len(k.kills), Restarts: len(k.restarts), Cuts: k.cuts}
	ended := map[string][]time.Time{}
	for _, s := range k.subs {
		err := k.q.Trials(ctx, s.Sweep.ID, func(r queue.Recorded) error {
			f.Attempts++
			if r.Last {
				f.Trials++
			}
			if r.Last && strings.HasPrefix(r.Board, standInPrefix) {
				f.StandIns++
				f.StandInsTook = max(f.StandInsTook, r.Ended.Sub(began))
			}
			ended[r.Board] = append(ended[r.Board], r.Ended)
			return nil
		})
		if err != nil {
			k.t.Fatal(err)
		}
	}
	var spans []queue.Span
	for _, board := range k.names() {
		slices.SortFunc(ended[board], time.Time.Compare)
		some, err := k.q.Leases(ctx, board)
		if err != nil {
			k.t.Fatal(err)
		}
		spans = append(spans, some...)
	}
	f.Leases = len(spans)
	if raw, err := os.ReadFile(filepath.Join(k.dir, "executions")); err == nil {
		f.Executions = bytes.Count(raw, []byte("\n"))
	}
	f.AfterKill, f.MostAfterKill = recovery(k.kills, ended)
	f.AfterRestart, f.MostAfterRestart = recovery(k.restarts, ended)
	return f
}

// recovery is how long boards stood still after faults.
func recovery(faults []fault, ended map[string][]time.Time) (half, most time.Duration) {
	var all []time.Duration
	for _, f := range faults {
		for board, times := range ended {
			if !f.has(board) {
				continue
			}
			if i := slices.IndexFunc(times, f.at.Before); i >= 0 {
				all = append(all, times[i].Sub(f.at))
			}
		}
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)-1]
}
