package command

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/power"
)

// CalibrateFlags are how a calibration is run.
type CalibrateFlags struct {
	Settle, Dwell time.Duration
	// Cost is the length of each of 16 pieces of work with and without readings,
	// whose throughput is compared; 0 leaves that out.
	Cost time.Duration
}

// Add adds the flags to a command.
func (f *CalibrateFlags) Add(c *cobra.Command) {
	c.Flags().DurationVar(&f.Settle, "settle", 2*time.Second, "wait after a load begins")
	c.Flags().DurationVar(&f.Dwell, "dwell", 5*time.Second, "time that each load is read for")
	c.Flags().DurationVar(&f.Cost, "cost", 500*time.Millisecond, "time of each of 16 pieces of work, with and without readings, that tell what reading costs; 0 leaves that out")
}

func newPowerCalibrate() *cobra.Command {
	var f CalibrateFlags
	c := &cobra.Command{
		Use: "calibrate", Short: "Read the sensor under known loads and write what it shows in JSON", Args: cobra.NoArgs,
		Example: "  runner power calibrate --dwell 10s",
	}
	f.Add(c)
	metered(c, func(ctx context.Context, c *cobra.Command, m power.Meter) error {
		result, err := Calibrate(ctx, m, f)
		if err != nil {
			return err
		}
		return json.NewEncoder(c.OutOrStdout()).Encode(result)
	})
	return c
}

// Calibrate reads a meter of this machine while nothing runs on it, and while
// 1, 2, 4 … threads up to every core are busy, then what reading it costs.
func Calibrate(ctx context.Context, m power.Meter, f CalibrateFlags) (*CalibrationRecord, error) {
	record, err := CalibrateUnder(ctx, m, f, runtime.GOMAXPROCS(0), busy)
	if err != nil || f.Cost <= 0 {
		return record, err
	}
	if record.Cost, err = samplerCost(ctx, m, f.Cost); err != nil {
		return nil, wire.Wrap(wire.Target, err)
	}
	if doubt := record.Cost.finding(); doubt != nil {
		record.Findings = append(record.Findings, *doubt)
	}
	return record, nil
}

// Load keeps n threads of a machine busy until ctx ends, and no longer than limit. It
// calls begun when they are. Its end before that of ctx is an error of who asks.
type Load func(ctx context.Context, n int, limit time.Duration, begun func()) error

// loadSpare is what a load may last longer than it is read: a board that lost its
// controller does not stay busy.
const loadSpare = time.Minute

// CalibrateUnder reads a meter at this machine while the machine that it measures, of
// so many cores, is idle, and while load keeps 1, 2, 4 … up to all of them busy. The
// Cost of the flags is not looked at. Errors are the target's unless they say whose.
func CalibrateUnder(ctx context.Context, m power.Meter, f CalibrateFlags, cores int, load Load) (*CalibrationRecord, error) {
	steps := []power.Step{{Name: "idle"}}
	for n := 1; ; n = min(2*n, cores) {
		steps = append(steps, power.Step{
			Name: fmt.Sprintf("%d busy", n), Load: float64(n),
			Run: func(ctx context.Context, begun func()) error {
				return load(ctx, n, f.Settle+f.Dwell+loadSpare, begun)
			},
		})
		if n >= cores {
			break
		}
	}
	c, err := power.Calibrate(ctx, m, steps, power.CalibrateOptions{Settle: f.Settle, Dwell: f.Dwell, Seed: 1})
	if err != nil {
		return nil, wire.Wrap(wire.Target, err)
	}
	return calibrationOf(c), nil
}
