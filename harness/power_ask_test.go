package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/targets/power"
	"github.com/seed-c6f48606/harness/targets/power/sim"
)

// wireINA226 puts an INA226 of 5 V behind a socket that the process knows as a bus, and
// returns how an inventory describes it.
func wireINA226(t *testing.T, name string, amps func() float64) (*sim.Bus, power.I2C) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	began := time.Now()
	bus := sim.NewBus(power.SimPrefix+name, func() time.Duration { return time.Since(began) })
	load := func(time.Duration) (float64, float64) { return 5, amps() }
	if err := bus.Add(0x40, sim.NewINA226(sim.Channel{ShuntUOhm: 10000, Load: load})); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "i2c")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- power.ServeI2C(ctx, l, bus) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	if err := power.RegisterSocketBus(bus.String(), "unix", path); err != nil {
		t.Fatal(err)
	}
	return bus, power.I2C{Bus: bus.String(), Chip: power.ChipINA226, Rails: []power.I2CRail{{Name: "input", ShuntUOhm: 10000}}}
}

// A user who has seen enough found the chip configured as we had read it.
func TestWatchingGivesTheSensorBack(t *testing.T) {
	bus, i2c := wireINA226(t, "power-given-back", func() float64 { return 1 })
	config := func() []byte {
		b := make([]byte, 2)
		if err := bus.Tx(0x40, []byte{0}, b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	found := config()
	flag, err := command.Sensors{I2C: &i2c}.Argv()
	if err != nil {
		t.Fatal(err)
	}
	in, hold := io.Pipe()
	out, say := io.Pipe()
	ended := make(chan int, 1)
	runner, kill := context.WithCancel(context.Background())
	defer kill()
	go func() {
		ended <- command.Run(runner, append([]string{"power", "watch", "--attached", "--period", "20ms"}, flag...), in, say, io.Discard)
		say.Close()
	}()
	e := errand{in: hold, out: out, wait: func() error {
		if n := <-ended; n != 0 {
			return errors.New("the runner failed")
		}
		return nil
	}, kill: func() { t.Error("the runner was killed"); kill() }}
	ctx, stop := context.WithCancel(t.Context())
	seen := 0
	err = e.follow(ctx, 10*time.Second, func(r io.Reader) error {
		return command.ReadPower(r, func(power.Description) error { return nil }, func(power.Frame) error {
			if seen++; seen == 3 {
				if bytes.Equal(config(), found) {
					t.Error("the chip is read as it was found: the test shows nothing")
				}
				stop()
			}
			return nil
		})
	})
	if err != nil || seen < 3 {
		t.Errorf("%d frames, %v", seen, err)
	}
	if now := config(); !bytes.Equal(now, found) {
		t.Errorf("the chip was found at %x and is left at %x", found, now)
	}
}

// A runner that hangs must not hold the user.
func TestARunnerThatDoesNotEndIsKilled(t *testing.T) {
	var killed atomic.Bool
	out, say := io.Pipe()
	_, in := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	e := errand{in: in, out: out, wait: func() error { return errors.New("killed") }, kill: func() {
		killed.Store(true)
		say.Close()
	}}
	if err := e.follow(ctx, 20*time.Millisecond, func(r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	}); err != nil || !killed.Load() {
		t.Errorf("killed: %v, error %v", killed.Load(), err)
	}
}

// A reader that fails, as of a closed terminal, must tell why, and end the runner.
func TestAReaderThatFailsEndsTheRunner(t *testing.T) {
	full := errors.New("the terminal is gone")
	in, hold := io.Pipe()
	e := errand{in: hold, out: strings.NewReader("1\n2\n"), wait: func() error {
		_, err := io.Copy(io.Discard, in)
		return err
	}, kill: func() { t.Error("it was killed") }}
	if err := e.follow(t.Context(), 10*time.Second, func(io.Reader) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
}
