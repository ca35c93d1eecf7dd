package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
	"github.com/seed-c6f48606/harness/targets/power"
	"github.com/seed-c6f48606/harness/targets/remote"
)

// powerFlags reach a target's sensor.
type powerFlags struct {
	inventory, runnerDir string
	log                  *slog.Logger // of warnings
}

func (a *app) powerCommand() *cobra.Command {
	f := powerFlags{log: tellOn(a.err)}
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
	i2c   *power.I2C  // how it is opened, of an I²C sensor at this machine or that the inventory tells of
	fleet *fleet
	entry targets.Target // as it is reached; none of this machine

	// Where a runner on the target is needed, and attach has put it there:
	host   *remote.Host
	runner string
	tell   []string // what the inventory says of the target's sensors
}

// at hands f the place of a target's sensor, and tidies up behind it.
func (f *powerFlags) at(ctx context.Context, name string, open bool, do func(*place) error) (err error) {
	p := &place{fleet: &fleet{path: f.inventory, finder: remote.Finder{Dir: f.runnerDir}, log: f.log}}
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
	p.entry = t
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
	sensors, err := sweep.SensorsOf(t)
	if err != nil {
		return err
	}
	if p.tell, err = sensors.Argv(); err != nil {
		return err
	}
	p.i2c = sensors.I2C
	return p.attach(ctx)
}

// attach connects to the target and puts the runner there.
func (p *place) attach(ctx context.Context) (err error) {
	if p.host, err = remote.Dial(ctx, p.entry, p.fleet.options()); err != nil {
		return err
	}
	p.runner, err = p.host.Runner(ctx, &p.fleet.finder)
	return err
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
					case p.i2c != nil && p.host == nil:
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

// replayFlags are what the user says of a recorded sensor.
type replayFlags struct {
	chip, rail string
	address    uint
	shuntUOhm  float64
}

func (a *app) powerReplayCommand() *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use: "replay FILE", Short: "What a recorded sensor showed", Args: cobra.ExactArgs(1),
		Long: `Reads a recording through the sensor's driver, as its first line says that the sensor was
opened. Flags take precedence over that line, and describe the sensor where there is none.`,
		Example: "  harness power replay pi4.i2c.jsonl -o jsonl\n  harness power replay pi4.i2c.jsonl --shunt-uohm 10000",
		RunE: func(c *cobra.Command, args []string) error {
			bus, err := readRecording(args[0])
			if err != nil {
				return err
			}
			i2c, err := f.sensor(bus.Header(), c.Flags().Changed)
			if err != nil {
				return err
			}
			return a.replay(c.Context(), args[0], bus, i2c)
		},
	}
	c.Flags().StringVar(&f.chip, "chip", power.ChipAuto, "ina219, ina226, ina3221 or auto, as when it was recorded")
	c.Flags().UintVar(&f.address, "address", 0x40, "I²C address of the sensor")
	c.Flags().Float64Var(&f.shuntUOhm, "shunt-uohm", 100000, "shunt in µΩ; of several rails that of --rail")
	c.Flags().StringVar(&f.rail, "rail", "input", "name of the rail; of several the one that --shunt-uohm is of")
	complete(c, "chip", power.ChipAuto, power.ChipINA219, power.ChipINA226, power.ChipINA3221)
	return c
}

// sensor is what was recorded, by its header and by the flags that were given.
func (f *replayFlags) sensor(h *power.RecordHeader, given func(string) bool) (power.I2C, error) {
	if f.address > 0x7F {
		return power.I2C{}, fmt.Errorf("--address %d: use 7 bits", f.address)
	}
	i2c := power.I2C{Chip: f.chip, Address: uint16(f.address), Rails: []power.I2CRail{{Name: f.rail, ShuntUOhm: f.shuntUOhm}}}
	if h != nil {
		i2c = h.I2C
		if given("chip") {
			i2c.Chip = f.chip
		}
		if given("address") {
			i2c.Address = uint16(f.address)
		}
		one := 0
		switch {
		case len(i2c.Rails) == 1:
			if given("rail") {
				i2c.Rails[0].Name = f.rail
			}
		case given("rail") || given("shunt-uohm"):
			if one = slices.IndexFunc(i2c.Rails, func(r power.I2CRail) bool { return r.Name == f.rail }); one < 0 {
				return i2c, fmt.Errorf("--rail %q: the recording has several rails, none of this name; name the one whose shunt you know: %s", f.rail, railNames(i2c.Rails))
			}
		}
		if given("shunt-uohm") {
			i2c.Rails[one].ShuntUOhm = f.shuntUOhm
		}
	}
	i2c.Sleep = func(time.Duration) {}
	return i2c, nil
}

func railNames(rails []power.I2CRail) string {
	var names []string
	for _, r := range rails {
		names = append(names, r.Name)
	}
	return strings.Join(names, ", ")
}

// replay reads a recording through the sensor's driver. A driver that asks
// something else than the recorded one is another sensor's: with auto all are tried.
func (a *app) replay(ctx context.Context, path string, bus *power.Replayed, i2c power.I2C) error {
	chips := []string{i2c.Chip}
	if i2c.Chip == power.ChipAuto || i2c.Chip == "" {
		chips = append(chips, power.ChipINA226, power.ChipINA3221, power.ChipINA219)
	}
	var first error
	for _, chip := range chips {
		i2c.Chip = chip
		bus.Rewind()
		m, err := bus.Open(i2c)
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
