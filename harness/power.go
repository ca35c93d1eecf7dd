package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/power"
	"github.com/seed-c6f48606/harness/targets/remote"
)

// powerFlags reach a target's sensor.
type powerFlags struct{ inventory, runnerDir string }

func (a *app) powerCommand() *cobra.Command {
	var f powerFlags
	c := &cobra.Command{
		Use:   "power",
		Short: "A target's power sensor: watch its rails, test it, record its bus",
		Long: `Reads the power sensor of a target of the inventory, or of this machine, which is
called local: the target's own, else the meter that the inventory wires to this machine.`,
	}
	group(c)
	c.PersistentFlags().StringVar(&f.inventory, "targets", "", "inventory file (default ./targets.yaml, else the user's)")
	c.PersistentFlags().StringVar(&f.runnerDir, "runner-dir", "", "folder of built runners, runner-GOOS-GOARCH (default: built from source for the target)")
	c.AddCommand(a.powerWatchCommand(&f), a.powerCalibrateCommand(&f), a.powerRecordCommand(&f), a.powerReplayCommand())
	return c
}

// place is where a target's sensor is read.
type place struct {
	meter power.Meter // at this machine; nil = on the target
	i2c   *power.I2C  // how it was opened, of an I²C sensor at this machine
	fleet *fleet
	host  *remote.Host
	argv  []string // the runner on the target, and what the inventory says of its sensors
}

// at hands f the place of a target's sensor, and tidies up behind it.
func (f *powerFlags) at(ctx context.Context, name string, open bool, do func(*place) error) (err error) {
	p := &place{fleet: &fleet{path: f.inventory, finder: remote.Finder{Dir: f.runnerDir}}}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.reach(ctx, name, open); err != nil {
		return err
	}
	return do(p)
}

// reach finds the sensor and, where it is at this machine and open is set, opens it.
func (p *place) reach(ctx context.Context, name string, open bool) (err error) {
	if name == sweep.Local {
		if open {
			p.meter, err = power.OpenBest("/")
		}
		return sensorFault(err)
	}
	t, b, err := p.fleet.locate(ctx, name)
	if err != nil {
		return err
	}
	switch {
	case b != nil && b.Sensor != nil:
		p.i2c = &b.Sensor.I2C
		if open {
			p.meter, err = power.OpenI2C(*p.i2c)
		}
		return sensorFault(err)
	case t.Meter != nil:
		if t.Meter.Kind == "i2c" {
			c := i2cOf(t.Meter)
			p.i2c = &c
		}
		if open {
			p.meter, err = openMeter(ctx, t)
		}
		return sensorFault(err)
	}
	if p.host, err = remote.Dial(ctx, t, p.fleet.options()); err != nil {
		return err
	}
	runner, err := p.host.Runner(ctx, &p.fleet.finder)
	if err != nil {
		return err
	}
	sensors, err := sweep.SensorsOf(t)
	if err != nil {
		return err
	}
	tell, err := sensors.Argv()
	if err != nil {
		return err
	}
	p.argv = append([]string{runner, "power"}, tell...)
	return nil
}

// sensorFault is an error of a sensor, which is the target's.
func sensorFault(err error) error {
	if err == nil {
		return nil
	}
	return wire.Wrap(wire.Target, err)
}

func (p *place) close() error {
	var err error
	if p.meter != nil {
		err = p.meter.Close()
	}
	if p.host != nil {
		err = errors.Join(err, p.host.Close())
	}
	return errors.Join(err, p.fleet.close())
}

// ask runs the runner's power command on the target and hands its output to read.
// The command ends when read returns or ctx ends.
func (p *place) ask(ctx context.Context, read func(io.Reader) error, args ...string) error {
	argv := append([]string{p.argv[0], p.argv[1], args[0]}, p.argv[2:]...)
	c, err := p.host.Start(ctx, append(append(argv, "--attached"), args[1:]...))
	if err != nil {
		return err
	}
	err = read(c.Stdout)
	c.Stdin.Close()
	if err != nil {
		c.Kill()
	}
	end := c.Wait()
	switch {
	case ctx.Err() != nil:
		return nil // the user has seen enough
	case end != nil:
		return end
	}
	return err
}

func (a *app) powerRecordCommand(f *powerFlags) *cobra.Command {
	var out string
	var length, period time.Duration
	c := &cobra.Command{
		Use: "record TARGET", Short: "Keep the bus traffic of an I²C power sensor", Args: cobra.ExactArgs(1),
		ValidArgsFunction: targetNames(&f.inventory, sweep.Local),
		Long: `Reads an I²C sensor for a while and keeps what passed over its bus, a transaction a line in
periph's playback form (i2ctest.IO with a time), to look into a sensor without the board.`,
		Example: "  harness power record pi4 --for 30s --out pi4.i2c.jsonl\n  harness power replay pi4.i2c.jsonl --shunt-uohm 10000",
		RunE: func(c *cobra.Command, args []string) error {
			if err := writable("out", out); err != nil {
				return err
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			return f.at(ctx, args[0], false, func(p *place) error {
				return replaceFile(out, func(w io.Writer) error {
					switch {
					case p.i2c != nil:
						return command.Record(ctx, *p.i2c, length, period, w)
					case p.host != nil:
						return p.ask(ctx, func(r io.Reader) error {
							_, err := io.Copy(w, io.LimitReader(r, maxRecording))
							return err
						}, "record", "--for", length.String(), "--period", period.String())
					}
					return &wire.Error{
						Kind: wire.Harness, Text: fmt.Sprintf("target %s has no I²C sensor to record", args[0]),
						Mend: "describe one in the inventory: meter: {kind: i2c, bus, address, shunt_uohm}, or rails with bus and address",
					}
				})
			})
		},
	}
	c.Flags().StringVar(&out, "out", "power.i2c.jsonl", "file to write")
	c.Flags().DurationVar(&length, "for", 10*time.Second, "length of the recording")
	c.Flags().DurationVar(&period, "period", 50*time.Millisecond, "time between readings")
	return c
}

// maxRecording bounds a recording in bytes, as power.Replay does.
const maxRecording = 128 << 20

func (a *app) powerReplayCommand() *cobra.Command {
	rail := power.I2CRail{Name: "input"}
	i2c := power.I2C{Sleep: func(time.Duration) {}}
	var address uint
	c := &cobra.Command{
		Use: "replay FILE", Short: "What a recorded sensor showed", Args: cobra.ExactArgs(1),
		Example: "  harness power replay pi4.i2c.jsonl --shunt-uohm 10000 -o jsonl",
		RunE: func(c *cobra.Command, args []string) error {
			i2c.Address, i2c.Rails = uint16(address), []power.I2CRail{rail}
			return a.replay(c.Context(), args[0], i2c)
		},
	}
	c.Flags().StringVar(&i2c.Chip, "chip", power.ChipAuto, "ina219, ina226, ina3221 or auto, as when it was recorded")
	c.Flags().UintVar(&address, "address", 0x40, "I²C address of the sensor")
	c.Flags().Float64Var(&rail.ShuntUOhm, "shunt-uohm", 100000, "shunt in µΩ")
	c.Flags().StringVar(&rail.Name, "rail", rail.Name, "name of the rail")
	complete(c, "chip", power.ChipAuto, power.ChipINA219, power.ChipINA226, power.ChipINA3221)
	return c
}

// replay reads a recording through the sensor's driver. A driver that asks
// something else than the recorded one is another sensor's: with auto all are tried.
func (a *app) replay(ctx context.Context, path string, i2c power.I2C) error {
	chips := []string{i2c.Chip}
	if i2c.Chip == power.ChipAuto {
		chips = append(chips, power.ChipINA226, power.ChipINA3221, power.ChipINA219)
	}
	var first error
	for _, chip := range chips {
		i2c.Chip = chip
		bus, err := readRecording(path)
		if err != nil {
			return err
		}
		m, err := power.OpenI2COn(bus, i2c)
		if err == nil {
			return a.showRecording(ctx, bus, m, path)
		}
		if first == nil {
			first = fmt.Errorf("%s: %w; name the sensor as it was recorded: --chip, --address, --shunt-uohm", path, err)
		}
	}
	return first
}

func readRecording(path string) (*power.Replayed, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading a recording: %w", err)
	}
	defer file.Close()
	bus, err := power.Replay(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return bus, nil
}

// showRecording prints a recorded sensor's readings until the recording ends.
func (a *app) showRecording(ctx context.Context, bus *power.Replayed, m power.Meter, path string) error {
	show := a.rails(m.Describe())
	show.graph = false // the readings are over in an instant
	values := make([]power.Value, len(m.Describe().Rails))
	for ctx.Err() == nil {
		err := m.Read(values)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := show.values(bus.Elapsed(), values); err != nil {
			return err
		}
	}
	return ctx.Err()
}
