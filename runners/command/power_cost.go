package command

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/seed-c6f48606/harness/targets/power"
)

// SamplerCost is what reading a sensor takes from the work that it measures.
type SamplerCost struct {
	// LossRel is the share of the throughput of all cores that is lost, with the ends
	// of its 95 % interval.
	LossRel *float64 `json:"loss_rel"`
	Lo      *float64 `json:"loss_lo"`
	Hi      *float64 `json:"loss_hi"`
	// CPUShare is the sampler's share of one core; nil where it is not told.
	CPUShare *float64 `json:"cpu_share"`
	PeriodS  float64  `json:"period_s"`
	Blocks   int      `json:"blocks"`
}

const (
	costBlocks = 4 // of four pieces: without, with, with, without
	// trialWindow is the window whose rhythm of reading is tried.
	trialWindow = 10 * time.Second
	// costDoubt is the share of throughput that is worth a finding where it is certain.
	costDoubt = 0.01
)

// samplerCost measures it on all cores, in pieces of that length.
func samplerCost(ctx context.Context, m power.Meter, piece time.Duration) (*SamplerCost, error) {
	period := power.PollPeriod(m.Describe(), trialWindow, 100)
	o, err := power.MeasureOverhead(ctx, m, period, costBlocks, func(ctx context.Context) (float64, error) {
		ctx, stop := context.WithTimeout(ctx, piece)
		defer stop()
		began := time.Now()
		rounds := spin(ctx, runtime.GOMAXPROCS(0))
		return float64(rounds) / time.Since(began).Seconds(), nil
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return &SamplerCost{
		LossRel: told(o.LossRel.Value), Lo: told(o.LossRel.Lo), Hi: told(o.LossRel.Hi), CPUShare: told(o.CPUShare),
		PeriodS: period.Seconds(), Blocks: o.Blocks,
	}, nil
}

// finding says what is doubtful about a cost, nil if nothing is.
func (c *SamplerCost) finding() *power.Finding {
	if c.Lo == nil || *c.Lo <= costDoubt {
		return nil
	}
	return &power.Finding{Code: "sampler-cost", Text: fmt.Sprintf(
		"reading the sensor every %v takes at least %.1f %% of the throughput: latencies with energy are not those without", time.Duration(c.PeriodS*float64(time.Second)), 100**c.Lo)}
}
