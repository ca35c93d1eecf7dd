//go:build unix

package soak

import (
	"context"
	"slices"
	"time"
)

// disturb kills, restarts and cuts at random moments until every sweep is done.
func (k *soak) disturb(ctx context.Context) {
	for ctx.Err() == nil {
		pause := time.Duration(k.rng.ExpFloat64() * float64(k.Faults))
		if k.wait(ctx, min(pause, 4*k.Faults)) {
			return
		}
		p := k.children[k.rng.IntN(len(k.children))]
		switch n := k.rng.IntN(10); {
		case n < 5 || p.link == nil:
			k.kill(ctx, p)
		case n < 7 && k.Restart != nil:
			k.note(&k.restarts, k.names())
			k.Restart()
		default:
			k.cuts++
			p.link.Cut(k.rng.IntN(2) == 0)
			over := k.wait(ctx, time.Duration(k.rng.Int64N(int64(2*k.TTL))))
			p.link.Mend()
			if over {
				return
			}
		}
	}
}

// kill kills a controller, and starts another in its place a moment later.
func (k *soak) kill(ctx context.Context, p *process) {
	var held []string
	if boards, err := k.q.Boards(ctx); err == nil {
		for _, b := range boards {
			if b.Holder == p.name && b.Waiting > handful {
				held = append(held, b.Name)
			}
		}
	}
	k.note(&k.kills, held)
	p.cmd.Process.Kill() //nolint:errcheck // it may have ended
	<-p.ended
	k.wait(ctx, time.Duration(k.rng.Int64N(int64(k.TTL/2))))
	k.start(p)
}

// handful of jobs is too few to say when a board went on.
const handful = 4

func (k *soak) note(list *[]fault, boards []string) {
	*list = append(*list, fault{time.Now(), boards})
}

// wait returns true as soon as all sweeps are done.
func (k *soak) wait(ctx context.Context, d time.Duration) bool {
	end := time.Now().Add(d)
	for {
		sweeps, err := k.q.Sweeps(ctx, 1)
		if err == nil && len(sweeps) > 0 && sweeps[0].State != "active" { // active ones come first
			return true
		}
		left := time.Until(end)
		if left <= 0 || ctx.Err() != nil {
			return false
		}
		time.Sleep(min(left, 500*time.Millisecond))
	}
}

// has says whether a fault touched a board.
func (f fault) has(board string) bool { return slices.Contains(f.boards, board) }
