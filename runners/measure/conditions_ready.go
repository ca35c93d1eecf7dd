package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-c6f48606/harness/targets/board"
)

// boardStartC is the default start temperature of a known board, 10 °C below the
// first throttling of a Raspberry Pi.
const boardStartC = 70

// startC is the temperature below which a trial begins; ok is false where there
// is no such limit.
func (l Limits) startC(kind board.Kind) (c float64, ok bool) {
	switch {
	case l.StartTempC > 0:
		return l.StartTempC, true
	case l.StartTempC == 0 && kind != board.Generic && kind != "":
		return boardStartC, true
	}
	return 0, false
}

// ready waits until the board may begin, and notes why it is not ready if it
// does not become so.
func (t *trial) ready(ctx context.Context, progress Progress) error {
	kind := board.Kind(t.env.Kind)
	if want := t.req.PowerMode; want != "" {
		if id := board.Local(ctx, t.session.machine.Root); !id.InMode(want) {
			t.unready = append(t.unready, fmt.Sprintf("the power mode is %q, %q is wanted", id.PowerMode, want))
		}
	}
	if limit := t.limits.LoadPerCore * float64(t.env.Cores); limit > 0 && t.env.Load1 > limit {
		t.unready = append(t.unready, fmt.Sprintf("the load average was %.2f, the limit is %.2f", t.env.Load1, limit))
	}
	limit, ok := t.limits.startC(kind)
	if !ok {
		return nil
	}
	began := time.Now()
	for told := false; ; told = true {
		c := board.Hottest(t.session.machine.Root)
		t.cooledS = time.Since(began).Seconds()
		if c == nil || *c < limit {
			return nil
		}
		if t.cooledS >= t.limits.CoolLimitS {
			t.unready = append(t.unready, fmt.Sprintf("the board was at %.1f °C after %.0f s of cooling, the limit is %.1f °C", *c, t.cooledS, limit))
			return nil
		}
		if !told {
			progress("cool", 0, 0)
		}
		if err := Sleep(ctx, min(coolLook, time.Duration(t.limits.CoolLimitS*float64(time.Second)))); err != nil {
			return err
		}
	}
}

// coolLook is how often a cooling board is looked at.
const coolLook = time.Second
