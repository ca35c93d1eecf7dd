package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/power"
	"github.com/seed-c6f48606/harness/targets/power/sim"
)

// wired puts an INA226 with 5 V and 1 A behind a socket and returns the flag by
// which an inventory tells a runner of it.
func wired(t *testing.T, name string) []string {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	bus := sim.NewBus(name, nil)
	load := func(time.Duration) (float64, float64) { return 5, 1 }
	if err := bus.Add(0x44, sim.NewINA226(sim.Channel{Load: load, ShuntUOhm: 10000})); err != nil {
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
	flag, err := command.Sensors{I2C: &power.I2C{
		Bus: bus.String(), Address: 0x44, Chip: power.ChipINA226, Rails: []power.I2CRail{{Name: "5V", ShuntUOhm: 10000}},
	}}.Argv()
	if err != nil {
		t.Fatal(err)
	}
	return flag
}

// A sensor that a user wired to a board and named in the inventory is read by the
// runner through the real driver: what is watched, recorded and measured is its power.
func TestASensorOfTheInventoryIsRead(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	flag := wired(t, "wired-watch")
	var out, errs bytes.Buffer
	watching, enough := context.WithTimeout(ctx, time.Second)
	defer enough()
	if status := command.Run(watching, append([]string{"power", "watch", "--period", "50ms"}, flag...), strings.NewReader(""), &out, &errs); status != 0 {
		t.Fatalf("watch: exit status %d: %s", status, errs.String())
	}
	var frames []power.Frame
	err := command.ReadPower(&out, func(d power.Description) error {
		if d.Source != power.ChipINA226 || !d.Simulated || d.Scope != "board-5V" {
			t.Errorf("the sensor is %+v", d)
		}
		return nil
	}, func(f power.Frame) error { frames = append(frames, f); return nil })
	if err != nil || len(frames) == 0 || math.Abs(frames[len(frames)-1].Total.MeanW-5) > 0.05 {
		t.Errorf("frames %+v, %v; want 5 W", frames, err)
	}

	status, recording, stderr := run(t, append([]string{"power", "record", "--for", "300ms"}, flag...)...)
	if status != 0 {
		t.Fatalf("record: exit status %d: %s", status, stderr)
	}
	bus, err := power.Replay(strings.NewReader(recording))
	if err != nil {
		t.Fatal(err)
	}
	head := bus.Header() // a recording made at the board must say of itself what it is of
	if head == nil || head.I2C.Address != 0x44 {
		t.Fatalf("the recording's header is %+v", head)
	}
	head.I2C.Sleep = func(time.Duration) {}
	m, err := bus.Open(head.I2C)
	if err != nil {
		t.Fatal(err)
	}
	var v [1]power.Value
	if err := m.Read(v[:]); err != nil || math.Abs(v[0].Watts-5) > 0.05 {
		t.Errorf("the recording plays %+v, %v; want 5 W", v, err)
	}

	s := serve(t, flag...)
	c := s.dial(t)
	if _, err := c.Load(ctx, wire.Load{Model: writeModel(t, 1)}, nil); err != nil {
		t.Fatal(err)
	}
	req := short(writeItems(t))
	req.NoEnergy, req.IdleWindow, req.Window, req.MaxInferences = false, 200*time.Millisecond, 600*time.Millisecond, 0
	res, err := c.Measure(ctx, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := res.Energy
	if e == nil || !e.Simulated || e.Source != power.ChipINA226 || math.Abs(e.GrossJ/e.WindowS-5) > 0.05 {
		text, _ := json.Marshal(e) //nolint:errcheck // for the eye
		t.Errorf("energy %s, %s; want 5 W, simulated", text, res.EnergyReason)
	}
}
