package virtual

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/targets/board"
	"github.com/seed-c6f48606/harness/targets/power"
)

// drive runs a model for that long at a load of 0 to 1.
func drive(m *model, seconds, load float64) {
	for range int(seconds / 0.05) {
		m.step(0.05, activity{cpuS: 0.05 * load, wantedS: 0.05 * load * float64(m.spec.cores()), active: 1})
	}
}

// Somebody who tries a plan on a virtual board must get the same board again.
func TestTheSameSeedIsTheSameBoard(t *testing.T) {
	for _, s := range specs {
		a, b, c := newModel(s, 7), newModel(s, 7), newModel(s, 8)
		for _, m := range []*model{a, b, c} {
			drive(m, 3, 0.7)
		}
		va, aa := a.reading(0, 0, 0)
		vb, ab := b.reading(0, 0, 0)
		_, ac := c.reading(0, 0, 0)
		if va != vb || aa != ab || a.energyJ != b.energyJ || a.tempC != b.tempC {
			t.Errorf("%s: seed 7 gave %g V %g A and %g V %g A", s.kind, va, aa, vb, ab)
		}
		if aa == ac {
			t.Errorf("%s: seeds 7 and 8 have the same sensor", s.kind)
		}
	}
}

// The order of cause and effect is what a plan is tried on: load, power, heat,
// throttling, and back.
func TestLoadHeatsAndHeatThrottles(t *testing.T) {
	for _, s := range specs {
		m := newModel(s, 1)
		idleW, idleC := m.inputW, m.tempC
		drive(m, 60, 1)
		if m.inputW < idleW+1 || m.tempC < idleC+5 {
			t.Errorf("%s: full load took it from %.1f W, %.1f °C to %.1f W, %.1f °C", s.kind, idleW, idleC, m.inputW, m.tempC)
		}
		if m.sticky != 0 || m.overs != 0 {
			t.Errorf("%s throttles at full load without a fault, at %.1f °C", s.kind, m.tempC)
		}
		hotW := m.inputW
		m.heated = true
		drive(m, 10, 1)
		if m.bits&bitThrottled == 0 || m.clock > 0.9 || m.inputW >= hotW {
			t.Errorf("%s: heated, it runs at %.2f of its clock and %.1f W, bits %x", s.kind, m.clock, m.inputW, m.bits)
		}
		m.heated = false
		drive(m, 30, 0)
		if m.bits != 0 || m.sticky&bitThrottled == 0 || m.clock != 1 {
			t.Errorf("%s: cooled down, bits %x since boot %x, clock %.2f", s.kind, m.bits, m.sticky, m.clock)
		}
		if got := m.load; got > 0.001 {
			t.Errorf("%s: load at rest %g", s.kind, got)
		}
	}
}

// A weak cable shows only under load: who tries a plan must see it as a real board
// tells it, and not before.
func TestLoadThroughAThinCableIsAnUndervoltage(t *testing.T) {
	for _, s := range []spec{pi5, pi4} {
		for seed := range uint64(20) { // each board takes a little more or less
			m := newModel(s, seed)
			m.thin = true
			drive(m, 5, 0.25)
			if m.sticky != 0 {
				t.Errorf("%s: one thread of %d takes %.1f W at %.2f V, bits %x", s.kind, s.cores(), m.inputW, m.inputV, m.sticky)
			}
			drive(m, 5, 1)
			if m.bits&bitUndervolt == 0 || m.inputV >= lowV || m.sags == 0 {
				t.Errorf("%s: full load takes %.1f W at %.2f V, bits %x", s.kind, m.inputW, m.inputV, m.bits)
			}
			// Heat takes clock, clock takes current, and the supply recovers.
			m.heated = true
			drive(m, 20, 1)
			if m.bits&bitThrottled == 0 || m.bits&bitUndervolt != 0 || m.sticky&bitUndervolt == 0 {
				t.Errorf("%s: throttled it takes %.1f W at %.2f V, bits %x since boot %x", s.kind, m.inputW, m.inputV, m.bits, m.sticky)
			}
		}
	}
}

// written is the tree of a board that has run for a while, and then was changed.
func written(t *testing.T, s spec, change ...func(*model)) (string, *model) {
	t.Helper()
	dir := t.TempDir()
	tr, err := newTree(filepath.Join(dir, "board"), filepath.Join(dir, "stage"))
	if err != nil {
		t.Fatal(err)
	}
	f, m := &files{tree: tr, spec: s}, newModel(s, 3)
	m.boot("6f1b6c2e-0000-4000-8000-000000000000")
	drive(m, 20, 1)
	for _, c := range change {
		c(m)
	}
	for _, write := range []func() error{f.proc, f.sys, func() error { return f.liveProc(m, 1<<20, 3) }, func() error { return f.liveSys(m) }, func() error { return f.liveFirmware(m) }} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	root := filepath.Join(dir, "board")
	for name, text := range s.etc("toy", 1000) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root, m
}

// The detection that reads real boards must take each tree for its board.
func TestEveryTreeIsTakenForItsBoard(t *testing.T) {
	for _, s := range specs {
		root, m := written(t, s)
		id := board.Local(context.Background(), root)
		if id.Model != s.model || id.BootID != m.bootID || id.Governor != "performance" || id.Cores != s.cores() || id.MemoryBytes != s.memory {
			t.Errorf("%s: identified as %+v", s.kind, id)
		}
		// A phone's kind is told by its properties: see TestAPhone.
		if got := board.KindOf(s.model, s.compatible); string(got) != s.kind && s.kind != "phone" {
			t.Errorf("%s: its kind is %q", s.kind, got)
		}
		if hot := board.Hottest(root); hot == nil || math.Abs(*hot-m.tempC) > 0.2 {
			t.Errorf("%s: %.2f °C are shown as %v", s.kind, m.tempC, hot)
		}
	}
}

// A user without a board must see the power of the model, within what the
// sensor of that board may be wrong by.
func TestTheSensorsOfTheTreesTellTheModelsPower(t *testing.T) {
	for _, s := range specs {
		if s.sensor != sensorHwmon && s.sensor != sensorBattery {
			continue // through commands or a bus: see the tests with a running board
		}
		root, m := written(t, s)
		meter, err := power.OpenBest(root)
		if err != nil {
			t.Errorf("%s: %v", s.kind, err)
			continue
		}
		d := meter.Describe()
		if !d.Simulated {
			t.Errorf("%s: its power does not say that it is simulated", s.kind)
		}
		values := make([]power.Value, len(d.Rails))
		if err := meter.Read(values); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i, r := range d.Rails {
			if r.InTotal {
				sum += values[i].Watts
			}
		}
		if err := meter.Close(); err != nil {
			t.Error(err)
		}
		t.Logf("%s: %s says %.3f W, the model %.3f W", s.kind, d.TotalRule, sum, m.inputW)
		if math.Abs(sum/m.inputW-1) > 0.04 {
			t.Errorf("%s: %s says %.3f W, the model %.3f W", s.kind, d.TotalRule, sum, m.inputW)
		}
	}
}

// A Jetson's trees tell of over-current and of the fan as its kernel does.
func TestTheTreesOfAJetsonTellOverCurrentAndFan(t *testing.T) {
	for _, s := range []spec{orinNano, agxOrin} {
		root, _ := written(t, s)
		source := board.Source{Root: root}
		alarms, fans := source.Alarms(board.Kind(s.kind)), source.Fans()
		if len(alarms) < 2*3 || len(fans) != 1 {
			t.Fatalf("%s: alarms %v, fans %v", s.kind, alarms, fans)
		}
		if source.Raised(alarms[0]) || *source.RPM(fans[0]) <= 0 {
			t.Errorf("%s at rest: alarm %v, fan at %d", s.kind, source.Raised(alarms[0]), *source.RPM(fans[0]))
		}
		hot, _ := written(t, s, func(m *model) { m.bits |= bitThrottled })
		source = board.Source{Root: hot}
		if !source.Raised(source.Alarms(board.Kind(s.kind))[0]) {
			t.Errorf("%s is throttled, and no alarm stands", s.kind)
		}
	}
}

func TestThePMICShowsTwelvePairs(t *testing.T) {
	m := newModel(pi5, 1)
	lines := strings.Split(strings.TrimRight(pmicText(m), "\n"), "\n")
	if len(lines) != 26 || lines[0][:14] != "   3V7_WL_SW_A" || !strings.HasPrefix(lines[25], "        BATT_V volt(25)=3.0") {
		t.Errorf("got\n%s", strings.Join(lines, "\n"))
	}
	// The board's power is within the fit's ±10 % of what the rails come to.
	sum := 0.0
	for i := range pi5.rails {
		v, a := m.reading(i, 0, 0)
		sum += v * a
	}
	if fit := pmicGain*sum + pmicOffsetW; math.Abs(fit/m.inputW-1) > 0.1 {
		t.Errorf("the fit says %.2f W, the input is %.2f W", fit, m.inputW)
	}
}

// A sensor that is held must make its reader wait, then answer: that is what a
// gap looks like.
func TestAHeldFileAnswersOnRelease(t *testing.T) {
	dir := t.TempDir()
	tr, err := newTree(filepath.Join(dir, "board"), filepath.Join(dir, "stage"))
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.set("sys/a", "1\n"); err != nil {
		t.Fatal(err)
	}
	if err := tr.hold("sys/a"); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		b, err := os.ReadFile(filepath.Join(dir, "board/sys/a"))
		got <- string(b)
		if err != nil {
			t.Error(err)
		}
	}()
	if err := tr.set("sys/a", "2\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case s := <-got:
		t.Errorf("a held file answered %q", s)
	default:
	}
	if err := tr.release("sys/a"); err != nil {
		t.Fatal(err)
	}
	// The reader had opened the pipe or finds the new file; it gets the number or,
	// where it came between, an empty end.
	if s := <-got; s != "2\n" && s != "" {
		t.Errorf("the reader got %q", s)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "board/sys/a")); err != nil || string(b) != "2\n" {
		t.Errorf("after release: %q, %v", b, err)
	}
	if err := tr.hold("sys/none"); err == nil {
		t.Error("a file that is not there was held")
	}
}

func TestKindsAreThoseOfTheInventory(t *testing.T) {
	want := []string{"pi5", "pi4", "orin-nano", "agx-orin", "rb3gen2", "phone"}
	if !slices.Equal(Kinds(), want) {
		t.Errorf("kinds %v, want %v", Kinds(), want)
	}
	if _, err := specOf("pi6"); err == nil || !strings.Contains(err.Error(), "pi5, pi4") {
		t.Errorf("pi6: %v", err)
	}
}
