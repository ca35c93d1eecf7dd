package power_test

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/targets/power"
	"github.com/seed-c6f48606/harness/targets/power/sim"
)

const (
	killedChild = "POWER_TEST_KILLED_READER" // the chip that the child opens
	killedBus   = "sim-killed"
)

// A runner that the kernel kills leaves its averaging in the user's sensor. The next
// measurement must give back what was there before both, and until the first is
// dead it must not set the chip up under its hands.
func TestAKilledReaderIsMadeGoodFor(t *testing.T) {
	cfg := func(chip string) power.I2C {
		return power.I2C{Bus: killedBus, Chip: chip, Rails: []power.I2CRail{{Name: "in", ShuntUOhm: shuntUOhm}}}
	}
	if chip := os.Getenv(killedChild); chip != "" {
		if _, err := power.OpenI2C(cfg(chip)); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("open\n")
		select {}
	}
	if runtime.GOOS != "linux" {
		t.Skip("user cache folders are set as on Linux")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sensors {
		chip := s.chip(sim.Channel{Load: steady(5, 1), ShuntUOhm: shuntUOhm})
		start := time.Now()
		bus := sim.NewBus("killed", func() time.Duration { return time.Since(start) })
		if err := bus.Add(0x40, chip); err != nil {
			t.Fatal(err)
		}
		b := &bench{bus: bus}
		dir := t.TempDir()
		socket := filepath.Join(dir, "i2c")
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		go power.ServeI2C(t.Context(), l, bus) //nolint:errcheck // its end is the test's

		name := killedBus + strconv.Itoa(i)
		if err := power.RegisterSocketBus(name, "unix", socket); err != nil {
			t.Fatal(err)
		}
		t.Setenv("XDG_CACHE_HOME", dir)
		found := b.register(t, 0)
		cmd := exec.Command(exe, "-test.run=^TestAKilledReaderIsMadeGoodFor$")
		cmd.Env = append(os.Environ(), killedChild+"="+s.name, power.SocketEnv+"="+killedBus+"=unix:"+socket)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			if errors.Is(err, syscall.ENOEXEC) {
				t.Skip("an emulated test binary cannot start itself without binfmt")
			}
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if line != "open\n" {
			t.Fatalf("%s: the child says %q, %v", s.name, line, err)
		}
		// The same bus by another name is another chip to the notes.
		other := cfg(s.name)
		other.Bus = name
		note := soleFile(t, power.NotesDir())
		if err := os.Symlink(note, strings.Replace(note, killedBus+"=", name+"=", 1)); err != nil {
			t.Fatal(err)
		}
		_, err = power.OpenI2C(other)
		if err == nil || !strings.Contains(err.Error(), "is being read by process "+strconv.Itoa(cmd.Process.Pid)) {
			t.Errorf("%s: while another reads it: %v", s.name, err)
		}
		cmd.Process.Kill() //nolint:errcheck // Wait tells
		cmd.Wait()         //nolint:errcheck // it was killed
		if left := b.register(t, 0); left == found {
			t.Fatalf("%s: the child left no configuration of its own", s.name)
		}
		m, err := power.OpenI2C(other)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if got := b.register(t, 0); got != found {
			t.Errorf("%s: configuration %04x, found before the killed reader %04x", s.name, got, found)
		}
	}
}

func soleFile(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d notes in %s, %v; want one", len(entries), dir, err)
	}
	return filepath.Join(dir, entries[0].Name())
}

// A note that is none, a chip that was switched off since, a folder that cannot be:
// none of them may stop a measurement, or put into a chip what was never in it.
func TestNotesThatDoNotApply(t *testing.T) {
	cfg := func(notes string) power.I2C {
		c := oneRail(power.ChipINA226)
		c.Notes = notes
		return c
	}
	newChip := func() *bench {
		return newBench(t, sim.NewINA226(sim.Channel{Load: steady(5, 1), ShuntUOhm: shuntUOhm}))
	}
	dir := t.TempDir()
	b := newChip()
	m := b.open(t, b.bus, cfg(dir))
	path := soleFile(t, dir)
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%d notes of a chip that was given back, %v", len(left), err)
	}
	for name, text := range map[string]string{
		"as noted, but the chip was reset": string(kept), "empty": "", "cut off": string(kept[:len(kept)/2]),
		"junk": "\x00\xff", "another form": `[1]`, "long": `{"writes":[` + strings.Repeat("1,", 1<<20) + "1]}",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b := newChip()
		found := b.register(t, 0)
		m := b.open(t, b.bus, cfg(dir))
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if got := b.register(t, 0); got != found {
			t.Errorf("%s: configuration %04x, found %04x", name, got, found)
		}
	}
	b = newChip()
	m = b.open(t, b.bus, cfg(filepath.Join(os.DevNull, "notes")))
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
