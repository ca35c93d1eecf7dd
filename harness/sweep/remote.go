package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
	"github.com/seed-c6f48606/harness/targets/board"
	"github.com/seed-c6f48606/harness/targets/power"
	"github.com/seed-c6f48606/harness/targets/remote"
)

// Remote is a target behind a connection, set up for measuring: tidied, with the
// power mode and clocks that the inventory asks for and allows, and with the
// runner on it.
type Remote struct {
	host   *remote.Host
	serve  []string // the command line of its runner
	change bool     // settings may be in place that Close must put back
}

// settingLimit bounds the putting back of settings.
const settingLimit = 30 * time.Second

// OpenRemote connects to a target and sets it up. What an earlier run of this
// machine left there, processes and settings, is put in order first.
func OpenRemote(ctx context.Context, t targets.Target, o remote.Options, f *remote.Finder) (*Remote, error) {
	host, err := remote.Dial(ctx, t, o)
	if err != nil {
		return nil, err
	}
	r := &Remote{host: host}
	log := o.Log
	if log == nil {
		log = slog.Default() // the user must hear of it
	}
	if err := r.setUp(ctx, t, f, log); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// LeftOn looks for the settings that a killed run left on a target; nil where there are none.
func LeftOn(ctx context.Context, host *remote.Host) (*board.Left, error) {
	return board.FindLeft(ctx, executor{host})
}

// warnOf tells of what was left, of nothing where it is nil.
func warnOf(l *board.Left, log *slog.Logger, target string) {
	if l != nil {
		log.Warn("a run that was killed left its settings", slog.String("target", target), slog.String("file", l.Path), slog.String("before", l.Before), slog.String("mend", l.Mend()))
	}
}

func (r *Remote) setUp(ctx context.Context, t targets.Target, f *remote.Finder, log *slog.Logger) error {
	if err := r.host.Clean(ctx); err != nil {
		return err
	}
	if want := wanted(t); len(want.Sudo) > 0 {
		r.change = true
		if err := want.Apply(ctx, executor{r.host}); err != nil {
			return fmt.Errorf("setting up %s: %w", t.Name, err)
		}
	} else {
		left, err := board.FindLeft(ctx, executor{r.host})
		if err != nil {
			return fmt.Errorf("setting up %s: %w", t.Name, err)
		}
		warnOf(left, log, t.Name)
	}
	runner, err := r.host.Runner(ctx, f)
	if err != nil {
		return fmt.Errorf("deploying the runner: %w", err)
	}
	sensors, err := SensorsOf(t)
	if err != nil {
		return err
	}
	tell, err := sensors.Argv()
	if err != nil {
		return err
	}
	r.serve = append([]string{runner, "serve"}, tell...)
	if t.CPUSet != "" {
		mask, err := cpuMask(t.CPUSet)
		if err != nil {
			return &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("target %s: cpuset: %v", t.Name, err)}
		}
		r.serve = append([]string{"taskset", mask}, r.serve...)
	}
	return nil
}

// wanted is what the inventory asks for as far as its sudo list allows it. What is
// asked for and not allowed is for the user to set; trials check the power mode.
func wanted(t targets.Target) board.Setting {
	var s board.Setting
	for _, command := range t.Sudo {
		switch name := path.Base(command); name {
		case board.SudoPowerMode:
			s.PowerMode = t.PowerMode
		case board.SudoClocks:
			s.Clocks = true
		case board.SudoGovernor:
			s.Governor = t.Governor
		default:
			continue
		}
		s.Sudo = append(s.Sudo, path.Base(command))
	}
	return s
}

// SensorsOf is what the inventory says of the sensors on a target.
func SensorsOf(t targets.Target) (command.Sensors, error) {
	s := command.Sensors{Total: t.Total}
	if b := t.Battery; b != nil {
		s.Battery = &command.Battery{Sign: float64(b.Sign), Scale: b.Scale}
	}
	for i, r := range t.Rails {
		switch {
		case r.Bus != "":
			if s.I2C == nil {
				s.I2C = &power.I2C{Bus: r.Bus, Address: uint16(r.Address), Chip: r.Chip}
			}
			if r.Bus != s.I2C.Bus || r.Address != int(s.I2C.Address) {
				return s, &wire.Error{
					Kind: wire.Harness, Text: fmt.Sprintf("target %s: rails[%d] %s is on another I2C sensor than the rail before it", t.Name, i, r.Name),
					Mend: "one sensor can be read at a time: keep the rails of one bus and address, or bind the sensors to the kernel's driver",
				}
			}
			s.I2C.Rails = append(s.I2C.Rails, power.I2CRail{
				Name: r.Name, Channel: r.Channel, ShuntUOhm: float64(r.ShuntUOhm), ShuntRel: r.ShuntRel, MaxAmps: r.MaxAmps, Volts: r.Volts,
				Subset: len(t.Total) > 0 && !slices.Contains(t.Total, r.Name),
			})
		case r.ShuntUOhm != 0:
			if s.ShuntUOhm == nil {
				s.ShuntUOhm = map[string]float64{}
			}
			s.ShuntUOhm[r.Name] = float64(r.ShuntUOhm)
		}
	}
	return s, nil
}

// cpuMask is a set of CPUs as every taskset takes it: the list form is not known
// to all of them.
func cpuMask(set string) (string, error) {
	cpus, err := targets.ParseCPUSet(set)
	if err != nil {
		return "", err
	}
	digits := make([]byte, slices.Max(cpus)/4+1)
	for _, c := range cpus {
		digits[len(digits)-1-c/4] |= 1 << (c % 4)
	}
	var b strings.Builder
	for _, d := range digits {
		b.WriteString(strconv.FormatUint(uint64(d), 16))
	}
	return b.String(), nil
}

// Put deploys by content.
func (r *Remote) Put(ctx context.Context, local string, progress func(done, total int64)) (string, error) {
	return r.host.Put(ctx, local, progress)
}

// Start starts a runner on the target.
func (r *Remote) Start(ctx context.Context) (*Process, error) {
	c, err := r.host.Start(ctx, r.serve)
	if err != nil {
		return nil, fmt.Errorf("starting a runner: %w", err)
	}
	return greet(ctx, link{in: c.Stdin, out: io.NopCloser(c.Stdout), wait: c.Wait, kill: c.Kill, said: c.Stderr, linger: 2 * time.Second})
}

// Clean ends what runners left.
func (r *Remote) Clean(ctx context.Context) error {
	if err := r.host.Lost(); err != nil {
		return err
	}
	return r.host.Clean(ctx)
}

// Close puts settings back and hangs up.
func (r *Remote) Close() error {
	var err error
	if r.change && r.host.Lost() == nil {
		ctx, cancel := context.WithTimeout(context.Background(), settingLimit)
		defer cancel()
		if _, err = board.Restore(ctx, executor{r.host}); err != nil {
			err = fmt.Errorf("%s keeps the settings of this run: %w; the next connection puts them back", r.host.Target.Name, err)
		}
	}
	return errors.Join(err, r.host.Close())
}

// executor runs short commands for settings.
type executor struct{ host *remote.Host }

// maxAnswer bounds what a short command may say, in bytes.
const maxAnswer = 1 << 20

// Run runs a command with an input and returns its output.
func (x executor) Run(ctx context.Context, argv []string, stdin []byte) ([]byte, error) {
	c, err := x.host.Start(ctx, argv)
	if err != nil {
		return nil, err
	}
	go func() {
		c.Stdin.Write(stdin) //nolint:errcheck // a command that does not read fails or ends
		c.Stdin.Close()
	}()
	out, err := io.ReadAll(io.LimitReader(c.Stdout, maxAnswer+1))
	if len(out) > maxAnswer {
		c.Kill()
		c.Wait() //nolint:errcheck // the output is the news
		return nil, fmt.Errorf("%s says more than %d bytes", argv[0], maxAnswer)
	}
	if end := c.Wait(); end != nil {
		return nil, end
	}
	return out, err
}
