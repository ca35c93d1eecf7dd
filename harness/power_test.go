package main

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/targets/power"
	"github.com/seed-c6f48606/harness/targets/power/sim"
)

// What was recorded at a board must read the same without it, also where the user
// does not remember which sensor it was.
func TestARecordingIsReplayed(t *testing.T) {
	began := time.Now()
	bus := sim.NewBus(power.SimPrefix+"power-test", func() time.Duration { return time.Since(began) })
	if err := bus.Add(0x40, sim.NewINA226(sim.Channel{ShuntUOhm: 10000, Load: func(time.Duration) (float64, float64) { return 5, 0.5 }})); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.i2c.jsonl")
	var record bytes.Buffer
	r := power.Record(bus, &record)
	m, err := power.OpenI2COn(r, power.I2C{Chip: power.ChipINA226, Rails: []power.I2CRail{{Name: "input", ShuntUOhm: 10000}}})
	if err != nil {
		t.Fatal(err)
	}
	values := make([]power.Value, 1)
	for range 5 {
		time.Sleep(20 * time.Millisecond)
		if err := m.Read(values); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, record.Bytes()); err != nil {
		t.Fatal(err)
	}
	for _, chip := range []string{"auto", "ina226"} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"power", "replay", path, "--shunt-uohm", "10000", "--chip", chip}, nil, &out, &errs); code != exitDone {
			t.Fatalf("%s: status %d: %s", chip, code, errs.String())
		}
		if n := strings.Count(out.String(), "total 2.5"); n != 5 {
			t.Errorf("%s: %d of 5 readings are of 2.5 W:\n%s", chip, n, out.String())
		}
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"power", "replay", path, "--chip", "ina3221"}, nil, &out, &errs); code != exitFault || !strings.Contains(errs.String(), "--chip") {
		t.Errorf("replayed as another sensor: status %d: %s", code, errs.String())
	}
}

// kernelBus is a simulated bus under a name of the kernel's.
type kernelBus struct{ *sim.Bus }

func (kernelBus) String() string { return "I2C1" }

// Rails that a user cannot name again, on a chip that the kernel has, are in the
// recording itself; flags mend what it has wrong.
func TestARecordingSaysWhatItIsOf(t *testing.T) {
	root := t.TempDir()
	device := filepath.Join(root, "sys/bus/i2c/devices/1-0041")
	if err := errors.Join(os.MkdirAll(device, 0o755), os.Symlink("../drivers/ina3221", filepath.Join(device, "driver"))); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	bus := sim.NewBus("I2C1", func() time.Duration { return time.Since(began) })
	load := func(volts, amps float64) sim.Channel {
		return sim.Channel{ShuntUOhm: 5000, Load: func(time.Duration) (float64, float64) { return volts, amps }}
	}
	if err := bus.Add(0x41, sim.NewINA3221([3]sim.Channel{load(5, 1), load(3, 1), load(12, 2)})); err != nil {
		t.Fatal(err)
	}
	i2c := power.I2C{Bus: "1", Address: 0x41, Chip: power.ChipINA3221, Root: root, Rails: []power.I2CRail{
		{Name: "VIN", Channel: 3, ShuntUOhm: 5000}, {Name: "GPU", Channel: 1, ShuntUOhm: 5000, Subset: true},
	}}
	var record bytes.Buffer
	if err := power.WriteHeader(&record, power.RecordHeader{I2C: i2c, KernelDriver: "ina3221"}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	r := power.Record(kernelBus{bus}, &record)
	m, err := power.OpenI2COn(r, i2c)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]power.Value, 2)
	if err := errors.Join(m.Read(values), m.Read(values), m.Close(), r.Flush()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.i2c.jsonl")
	if err := writeFile(path, record.Bytes()); err != nil {
		t.Fatal(err)
	}
	for want, flags := range map[string][]string{
		"total 24.0 W  VIN 24.0 W  GPU 5.00 W": nil,
		"total 24.0 W  VIN 24.0 W  GPU 2.50 W": {"--rail", "GPU", "--shunt-uohm", "10000"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"power", "replay", path}, flags...), nil, &out, &errs); code != exitDone || !strings.Contains(out.String(), want) {
			t.Errorf("%v: status %d, lacks %q: %s%s", flags, code, want, out.String(), errs.String())
		}
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"power", "replay", path, "--shunt-uohm", "1"}, nil, &out, &errs); code == exitDone || !strings.Contains(errs.String(), "VIN, GPU") {
		t.Errorf("a shunt of any rail: status %d: %s", code, errs.String())
	}
}

// What record writes replay reads without a flag.
func TestRecordWritesItsHeader(t *testing.T) {
	_, i2c := wireINA226(t, "power-headed", func() float64 { return 0.5 })
	inventory := writeInventory(t, withMeter("pi4", i2c))
	path := filepath.Join(t.TempDir(), "x.i2c.jsonl")
	var errs bytes.Buffer
	if code := run(t.Context(), []string{"power", "record", "pi4", "--targets", inventory, "--for", "200ms", "--out", path}, nil, io.Discard, &errs); code != exitDone {
		t.Fatalf("status %d: %s", code, errs.String())
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"power", "replay", path}, nil, &out, &errs); code != exitDone || !strings.Contains(out.String(), "total 2.5") {
		t.Errorf("status %d: %s%s", code, out.String(), errs.String())
	}
}

func writeFile(path string, b []byte) error {
	return replaceFile(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// A graph that grows down the screen or past its edge cannot be read.
func TestRailsAreDrawnInPlace(t *testing.T) {
	var b bytes.Buffer
	r := &rails{w: &b, graph: true, width: 70, past: make([][]float64, 2), desc: power.Description{Source: "x", Rails: []power.Rail{{Name: "VDD_IN"}}, Simulated: true}}
	for i := range 30 {
		x := power.Rolling{NowW: float64(i), MeanW: 1, MinW: 0, MaxW: 29}
		if i == 20 {
			x.NowW = math.NaN()
		}
		if err := r.frame(power.Frame{At: time.Duration(i) * time.Second, Total: x, Rails: []power.Rolling{x}}); err != nil {
			t.Fatal(err)
		}
	}
	text := b.String()
	if n := strings.Count(text, "\x1b[4A"); n != 29 {
		t.Errorf("the picture went back to its top %d times, want 29", n)
	}
	if !strings.Contains(text, "simulated") {
		t.Error("simulated rails are drawn as real ones")
	}
	for _, line := range strings.Split(text, "\n") {
		line = strings.ReplaceAll(strings.ReplaceAll(line, "\x1b[4A", ""), "\x1b[K", "")
		if n := len([]rune(line)); n > 69 {
			t.Fatalf("a line has %d characters on a terminal of 70: %q", n, line)
		}
	}
}

func TestSpark(t *testing.T) {
	if diff := cmp.Diff("▁▅ █▁", spark([]float64{0, 4, math.NaN(), 8, -1})); diff != "" {
		t.Error(diff)
	}
	if got := spark([]float64{0, 0}); got != "▁▁" {
		t.Errorf("nothing at all is drawn as %q", got)
	}
}

// The findings are what a calibration is made for.
func TestCalibrationIsPrinted(t *testing.T) {
	v := func(x float64) *float64 { return &x }
	var b bytes.Buffer
	a := &app{out: &b, format: "table"}
	err := a.printCalibration(&command.CalibrationRecord{
		Sensor: power.Description{Source: "ina226", Scope: "board-5V", TotalRule: "5V alone", Simulated: true},
		Steps:  []command.CalibrationStep{{Name: "idle", TotalW: v(2.5), LoW: v(2.4), HiW: v(2.6), Rails: []command.CalibrationRail{{Name: "5V", MeanW: v(2.5), NoiseW: v(0.01)}}}},
		BaseW:  v(2.5), SlopeW: v(1.25), Cost: &command.SamplerCost{LossRel: v(0.003), Hi: v(0.009), PeriodS: 0.05},
		Findings: []power.Finding{{Code: "coarse", Text: "use a larger shunt"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2.50 [2.40, 2.60]", "board-5V, simulated", "1.25 W a busy thread", "every 50 ms costs 0.30 % [–, 0.90] of", "and – % of a core", "coarse: use a larger shunt", "–"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
}

// On a busy machine the loss came out as -32 %, as if reading a sensor made a board
// faster.
func TestALossWithinItsErrorIsNoFigure(t *testing.T) {
	v := func(x float64) *float64 { return &x }
	for want, c := range map[string]command.SamplerCost{
		"reading it every 50 ms costs no throughput that can be told: [-76.24, 12.42] % of that of all cores, and 0.79 % of a core": {
			LossRel: v(-0.3191), Lo: v(-0.7624), Hi: v(0.1242), CPUShare: v(0.0079), PeriodS: 0.05,
		},
		"reading it every 50 ms costs 2.00 % [1.50, 2.50] of the throughput of all cores, and – % of a core": {
			LossRel: v(0.02), Lo: v(0.015), Hi: v(0.025), PeriodS: 0.05,
		},
	} {
		if got := costLine(&c); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
