package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/runners/command"
)

// spinning is how many threads the runners that spin below a folder of this machine
// keep busy, by their command lines.
func spinning(folder string) int {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	sum := 0
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		argv := strings.Split(string(b), "\x00")
		if len(argv) > 4 && strings.HasPrefix(argv[0], folder) && strings.Join(argv[1:4], " ") == "power spin --threads" {
			n, _ := strconv.Atoi(argv[4])
			sum += n
		}
	}
	return sum
}

// A Raspberry Pi 4 has no rails: its meter is at the controller, and a shunt that is
// wrong by a factor shows under a known load only, which is on the board.
func TestAMeterAtTheControllerIsCalibrated(t *testing.T) {
	entry, _ := adbStandIn(t, "pi4")
	folder := filepath.Join(filepath.Dir(os.Getenv("XDG_STATE_HOME")), "cache")
	var now, most atomic.Int64
	go func() {
		for tick := time.Tick(20 * time.Millisecond); t.Context().Err() == nil; <-tick {
			now.Store(int64(spinning(folder)))
			most.Store(max(most.Load(), now.Load()))
		}
	}()
	_, i2c := wireINA226(t, "power-calibrated", func() float64 { return 0.5 + 0.25*float64(now.Load()) })
	inventory := writeInventory(t, withMeter(entry, i2c))
	var out, errs bytes.Buffer
	args := []string{"power", "calibrate", "pi4", "--targets", inventory, "--runner-dir", standInRunner(t), "--settle", "1s", "--dwell", "1s", "-o", "json"}
	if code := run(t.Context(), args, nil, &out, &errs); code != exitDone {
		t.Fatalf("status %d: %s", code, errs.String())
	}
	var r command.CalibrationRecord
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	last := r.Steps[len(r.Steps)-1]
	if len(r.Steps) < 2 || r.Steps[0].Name != "idle" || int64(last.Load) != most.Load() || last.Load < 1 {
		t.Fatalf("%d threads were busy at most, the steps are %+v", most.Load(), r.Steps)
	}
	for _, s := range r.Steps {
		if want := 2.5 + 1.25*s.Load; s.TotalW == nil || math.Abs(*s.TotalW-want) > 0.1 || s.Rails[0].NoiseW == nil {
			got, _ := json.Marshal(s)
			t.Errorf("%s, want %.2f W", got, want)
		}
	}
	if r.SlopeW == nil || math.Abs(*r.SlopeW-1.25) > 0.1 || !r.Sensor.Simulated || r.Sensor.Source != "ina226" {
		t.Errorf("%s W a thread by %+v", out.String(), r.Sensor)
	}
	if r.Cost != nil {
		t.Errorf("reading at the controller costs the board %+v", r.Cost)
	}
	if n := spinning(folder); n > 0 {
		t.Errorf("%d threads are still busy", n)
	}
}

// A board that cannot be reached must not leave half a table.
func TestABoardThatIsGoneIsNotCalibrated(t *testing.T) {
	_, i2c := wireINA226(t, "power-gone", func() float64 { return 0.5 })
	inventory := writeInventory(t, withMeter("- {name: pi4, transport: adb, address: AWAY01}\n", i2c))
	_, _ = adbStandIn(t, "unused")
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"power", "calibrate", "pi4", "--targets", inventory}, nil, &out, &errs)
	if code != exitTarget || out.Len() > 0 || !strings.Contains(errs.String(), "AWAY01") {
		t.Errorf("status %d: %s%s", code, out.String(), errs.String())
	}
}
