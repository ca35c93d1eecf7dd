package measure

import (
	"context"
	"time"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/board"
)

// roofEffort takes some 50 ms on a small board. The memory is more than the
// caches of one hold; on a server it may not be, and what is compared from night to
// night is the same all the same.
var roofEffort = Effort{ReadBytes: 64 << 20, Passes: 7, Pass: 2 * time.Millisecond}

// measureRoof measures what the machine can do right after the window, so that a
// slow day of the machine can be told from slow code. An emulated machine has no
// roof of its own, one with little free memory is left alone.
func (t *trial) measureRoof(ctx context.Context) error {
	if !t.req.Roof {
		return nil
	}
	m := t.session.machine
	if free := m.availableMemory(); t.env.Virtual == board.Emulated || free > 0 && free < 8*roofEffort.ReadBytes {
		return nil
	}
	c, err := m.Ceilings(ctx, t.session.loaded.Threads, []kernels.Tier{kernels.Active()}, roofEffort)
	if err != nil {
		return ctx.Err() // without memory for it there is no roof, and the trial is as good
	}
	t.roof = &c
	return nil
}

// fillRoof writes the medians down: a limit is the best rate, a day is its median.
func (t *trial) fillRoof(e *wire.Evidence) {
	if t.roof == nil {
		return
	}
	e.ReadGBS = &t.roof.Read.Median
	for i, p := range t.roof.Peaks {
		if p.Mix == kernels.MixInt8.String() {
			e.PeakGOPS = &t.roof.Peaks[i].GOPS.Median
		}
	}
}
