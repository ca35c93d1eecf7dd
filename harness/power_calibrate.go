package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/command"
)

func (a *app) powerCalibrateCommand(f *powerFlags) *cobra.Command {
	var flags command.CalibrateFlags
	c := &cobra.Command{
		Use: "calibrate TARGET", Short: "Test a target's power sensor under known loads", Args: cobra.ExactArgs(1),
		ValidArgsFunction: targetNames(&f.inventory, sweep.Local),
		Long: `Reads the sensor while the target is idle and while 1, 2, 4 … threads up to every core are
busy: the noise of a reading, the sensor's own limits of error, whether the total follows
the load, and whether it holds its parts. Findings say what is doubtful.

Where the meter is at this machine, the threads are busy on the target and the meter is read
here: reading takes nothing from the target, and --cost is not used.`,
		Example: "  harness power calibrate local\n  harness power calibrate orin --dwell 20s\n  harness power calibrate pi4  # by an INA226 at this machine",
		RunE: func(c *cobra.Command, args []string) error {
			if flags.Dwell <= 0 || flags.Settle < 0 || flags.Cost < 0 {
				return fmt.Errorf("--dwell %v --settle %v --cost %v: read for longer than 0s, the others 0s or more", flags.Dwell, flags.Settle, flags.Cost)
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			return f.at(ctx, args[0], true, func(p *place) error {
				var result *command.CalibrationRecord
				var err error
				switch {
				case p.meter != nil && args[0] == sweep.Local:
					result, err = command.Calibrate(ctx, p.meter, flags)
				case p.meter != nil:
					result, err = p.calibrate(ctx, flags)
				default:
					err = p.ask(ctx, func(r io.Reader) error {
						var err error
						result, err = command.ReadCalibration(r)
						return err
					}, "calibrate", "--settle", flags.Settle.String(), "--dwell", flags.Dwell.String(), "--cost", flags.Cost.String())
				}
				if err != nil {
					return err
				}
				if result == nil {
					return ctx.Err()
				}
				return a.printCalibration(result)
			})
		},
	}
	flags.Add(c)
	return c
}

// calibrate reads the meter at this machine while the target is under load.
func (p *place) calibrate(ctx context.Context, f command.CalibrateFlags) (*command.CalibrationRecord, error) {
	if err := p.attach(ctx); err != nil {
		return nil, err
	}
	cores := 0
	if err := p.spin(ctx, 1, time.Millisecond, func(s command.Spinning) { cores = s.Cores }); err != nil {
		return nil, err
	}
	return command.CalibrateUnder(ctx, p.meter, f, cores, func(ctx context.Context, n int, limit time.Duration, begun func()) error {
		return p.spin(ctx, n, limit, func(command.Spinning) { begun() })
	})
}

// spin keeps n threads of the target busy until ctx ends, and no longer than limit.
func (p *place) spin(ctx context.Context, n int, limit time.Duration, begun func(command.Spinning)) error {
	return p.run(ctx, func(r io.Reader) error { return command.ReadSpin(r, begun) }, "spin", "--threads", strconv.Itoa(n), "--for", limit.String())
}

// printCalibration prints a line a load and rail, and the findings below.
func (a *app) printCalibration(r *command.CalibrationRecord) error {
	if a.format == "json" {
		return writeJSON(a.out, r)
	}
	t := table{header: []string{"load", "rail", "W", "noise W", "offset W", "step W", "V"}, right: []int{2, 3, 4, 5, 6}}
	var records []any
	show := func(v *float64) string {
		if v == nil {
			return none
		}
		return digits(*v)
	}
	for _, s := range r.Steps {
		records = append(records, s)
		total := show(s.TotalW)
		if s.LoW != nil && s.HiW != nil {
			total += " [" + show(s.LoW) + ", " + show(s.HiW) + "]"
		}
		t.rows = append(t.rows, []string{s.Name, "total", total, none, none, none, none})
		for _, x := range s.Rails {
			t.rows = append(t.rows, []string{s.Name, x.Name, show(x.MeanW), show(x.NoiseW), show(x.OffsetW), show(x.StepW), show(x.MeanV)})
		}
	}
	if err := a.emit(t, records); err != nil || a.format != "table" {
		return err
	}
	label := ""
	if r.Sensor.Simulated {
		label = ", simulated"
	}
	fmt.Fprintf(a.out, "\n%s, %s%s; total: %s\n", r.Sensor.Source, r.Sensor.Scope, label, r.Sensor.TotalRule)
	fmt.Fprintf(a.out, "the total fits %s W + %s W a busy thread, at most %s W off\n", show(r.BaseW), show(r.SlopeW), show(r.ResidualW))
	if r.Cost != nil {
		fmt.Fprintln(a.out, costLine(r.Cost))
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(a.out, "nothing is doubtful")
	}
	for _, x := range r.Findings {
		fmt.Fprintf(a.out, "%s: %s\n", x.Code, x.Text)
	}
	return nil
}

// costLine says what reading the sensor takes from a trial. A loss that cannot be told
// from none is not stated as a figure.
func costLine(c *command.SamplerCost) string {
	share := func(v *float64) string {
		if v == nil {
			return none
		}
		return fmt.Sprintf("%.2f", 100**v)
	}
	text := fmt.Sprintf("reading it every %.0f ms costs ", 1000*c.PeriodS)
	if c.Lo != nil && c.Hi != nil && *c.Lo <= 0 && *c.Hi >= 0 {
		text += fmt.Sprintf("no throughput that can be told: [%s, %s] %% of that of all cores", share(c.Lo), share(c.Hi))
	} else {
		text += fmt.Sprintf("%s %% [%s, %s] of the throughput of all cores", share(c.LossRel), share(c.Lo), share(c.Hi))
	}
	return text + fmt.Sprintf(", and %s %% of a core", share(c.CPUShare))
}
