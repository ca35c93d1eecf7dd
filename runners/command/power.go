package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/power"
)

// newPower reads the machine's power sensor for a controller, and for a person at
// the board.
func newPower() *cobra.Command {
	c := &cobra.Command{
		Use:   "power",
		Short: "Read the power sensor of this machine: watch, calibrate, record; or be its load: spin",
		Long: "Reads the power sensor of this machine and writes JSON lines. All of it ends at the end of\n" +
			"standard input where --attached is given, so that a controller that goes away leaves nothing.",
		Args: cobra.NoArgs,
	}
	c.AddCommand(newPowerWatch(), newPowerCalibrate(), newPowerRecord(), newPowerSpin())
	return c
}

// attached makes a command end with its input.
func attached(c *cobra.Command, run func(context.Context, *cobra.Command) error) {
	var on bool
	c.Flags().BoolVar(&on, "attached", false, "end when standard input ends")
	c.RunE = interruptible(func(ctx context.Context, c *cobra.Command) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		if on {
			go func() {
				io.Copy(io.Discard, c.InOrStdin()) //nolint:errcheck // its end is all that counts
				stop()
			}()
		}
		return run(ctx, c)
	})
}

// metered is attached with the sensor that its flags tell of.
func metered(c *cobra.Command, run func(context.Context, *cobra.Command, power.Meter) error) {
	var sensors Sensors
	addSensors(c, &sensors)
	attached(c, func(ctx context.Context, c *cobra.Command) error {
		m, err := sensors.Open("/")
		if err != nil {
			return wire.Wrap(wire.Target, err)
		}
		defer m.Close() //nolint:errcheck // nothing is lost
		return run(ctx, c, m)
	})
}

func newPowerWatch() *cobra.Command {
	var period, span time.Duration
	c := &cobra.Command{
		Use: "watch", Short: "Write what the rails carry, a line a reading", Args: cobra.NoArgs,
		Example: "  runner power watch --period 1s",
	}
	c.Flags().DurationVar(&period, "period", 200*time.Millisecond, "time between readings")
	c.Flags().DurationVar(&span, "span", 10*time.Second, "time that mean, least and greatest are of")
	metered(c, func(ctx context.Context, c *cobra.Command, m power.Meter) error {
		enc := json.NewEncoder(c.OutOrStdout())
		d := m.Describe()
		if err := enc.Encode(PowerLine{Sensor: &d}); err != nil {
			return err
		}
		err := power.Watch(ctx, m, period, span, func(f power.Frame) error {
			return enc.Encode(PowerLine{Frame: frameOf(f)})
		})
		if err != nil {
			return wire.Wrap(wire.Target, err)
		}
		return nil
	})
	return c
}

func newPowerRecord() *cobra.Command {
	var sensors Sensors
	var length, period time.Duration
	c := &cobra.Command{
		Use: "record", Short: "Write how an I²C sensor was opened, and what passes over its bus, in periph's playback form", Args: cobra.NoArgs,
		Example: `  runner power record --sensors '{"i2c":{"bus":"1","chip":"ina226","rails":[{"name":"5V","shunt_uohm":10000}]}}'`,
	}
	c.Flags().DurationVar(&length, "for", 10*time.Second, "length of the recording")
	c.Flags().DurationVar(&period, "period", 50*time.Millisecond, "time between readings")
	addSensors(c, &sensors)
	attached(c, func(ctx context.Context, c *cobra.Command) error {
		if sensors.I2C == nil {
			return &wire.Error{
				Kind: wire.Harness, Text: "there is no I²C sensor to record",
				Mend: "describe it by --" + sensorsFlag + `, or in the inventory as a rail with bus, address and shunt_uohm; sensors that the kernel drives have no bus traffic of ours`,
			}
		}
		return Record(ctx, *sensors.I2C, length, period, c.OutOrStdout())
	})
	return c
}

// Record reads an I²C sensor of this machine for a while and writes how it was opened
// (power.RecordHeader) and its bus traffic. The end of ctx ends it early.
func Record(ctx context.Context, i2c power.I2C, length, period time.Duration, w io.Writer) error {
	if length <= 0 || period <= 0 {
		return &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("recording for %v every %v: use times above 0", length, period)}
	}
	bus, err := power.OpenBus(i2c.Bus)
	if err != nil {
		return wire.Wrap(wire.Target, err)
	}
	defer bus.Close() //nolint:errcheck // nothing is lost
	if err := power.WriteHeader(w, power.HeaderOf(bus, i2c)); err != nil {
		return err
	}
	r := power.Record(bus, w)
	i2c.Notes = power.NotesDir()
	m, err := power.OpenI2COn(r, i2c)
	if err != nil {
		return errors.Join(wire.Wrap(wire.Target, err), r.Flush())
	}
	ctx, stop := context.WithTimeout(ctx, length)
	defer stop()
	err = power.Watch(ctx, m, period, period, func(power.Frame) error { return nil })
	if err = errors.Join(err, m.Close(), r.Flush()); err != nil && !errors.Is(err, os.ErrClosed) {
		return wire.Wrap(wire.Target, err)
	}
	return nil
}
