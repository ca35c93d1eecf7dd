package power

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func golden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The sums and the estimates of the samples were reckoned apart, in decimals.
// full.txt is the sample of github.com/jfikar/RPi5-power, where the fit is from.
func TestPMICSample(t *testing.T) {
	for name, want := range map[string]struct{ core, sum, total float64 }{
		"pmic/busy.txt": {6.27795632, 8.110838639880, 9.875621326527},
		"pmic/full.txt": {9.761432554, 10.799894446989, 12.954859131247},
	} {
		channels, err := parsePMIC(golden(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(channels) != 14 {
			t.Fatalf("%s: %d rails, want 12 pairs, EXT5V and BATT", name, len(channels))
		}
		sum := 0.0
		for _, c := range channels {
			switch c.Rail {
			case "EXT5V", "BATT":
				if !math.IsNaN(c.Amps) || math.IsNaN(c.Volts) {
					t.Errorf("%s: %+v: want a voltage and no current", name, c)
				}
				continue
			case "VDD_CORE":
				if w := c.Volts * c.Amps; math.Abs(w-want.core) > 1e-8 {
					t.Errorf("%s: VDD_CORE at %.10g W, want %.10g", name, w, want.core)
				}
			}
			sum += c.Volts * c.Amps
		}
		if math.Abs(sum-want.sum) > 1e-8 {
			t.Errorf("%s: sum %.12g W, want %.12g", name, sum, want.sum)
		}
		if total := pmicFit.Gain*sum + pmicFit.OffsetW; math.Abs(total-want.total) > 1e-8 {
			t.Errorf("%s: estimate %.12g W, want %.12g", name, total, want.total)
		}
	}
}

// Currents meet voltages by name: index 16 is a current of 0V8_AON, 15 a voltage
// of VDD_CORE.
func TestPMICPairsByName(t *testing.T) {
	got, err := parsePMIC(golden(t, "pmic/facts.txt"))
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	want := []pmicChannel{
		{"3V7_WL_SW", 3.799996, 0},
		{"3V3_SYS", nan, 0.06245952},
		{"VDD_CORE", 0.8974594, 10.87674},
		{"0V8_AON", nan, 0.00579975},
		{"HDMI", 5.07056, nan},
		{"EXT5V", 5.06788, nan},
		{"BATT", 3.0111080, nan},
	}
	if diff := cmp.Diff(want, got, attrNear); diff != "" {
		t.Errorf("channels (-want +got):\n%s", diff)
	}
}

func TestPMICRefusesOtherText(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":        "",
		"error":          `error=1 error_msg="Command not registered"`,
		"unit":           " VDD_CORE_A current(7)=10.87V",
		"kind":           " VDD_CORE_A volt(7)=10.87A",
		"negative":       " VDD_CORE_A current(7)=-1.0A",
		"exponent":       " VDD_CORE_A current(7)=1e300A",
		"twice":          " VDD_CORE_A current(7)=1A\n VDD_CORE_A current(8)=1A",
		"one pair wrong": golden(t, "pmic/facts.txt") + "junk\n",
	} {
		if got, err := parsePMIC(text); err == nil {
			t.Errorf("%s: read as %v", name, got)
		}
	}
}

// firmware is a root of a Raspberry Pi 5 whose vcgencmd prints a sample.
func firmware(t *testing.T, script string) string {
	t.Helper()
	root := t.TempDir()
	put(t, root, "proc/device-tree/compatible", "raspberrypi,5-model-b\x00brcm,bcm2712\x00")
	put(t, root, "usr/bin/vcgencmd", "#!/bin/sh\n"+script)
	if err := os.Chmod(filepath.Join(root, "usr/bin/vcgencmd"), 0o755); err != nil {
		t.Fatal(err)
	}
	// A mailbox that is none: an ordinary file answers no ioctl.
	put(t, root, "dev/vcio", "")
	return root
}

// A user of a Pi 5 gets the estimate, labelled as one, with every raw rail.
func TestPMICThroughTheCommand(t *testing.T) {
	sample, err := filepath.Abs("testdata/pmic/busy.txt")
	if err != nil {
		t.Fatal(err)
	}
	m, err := OpenPMIC(firmware(t, `test "$1" = pmic_read_adc && exec cat '`+sample+`'`), Facts{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	d := m.Describe()
	if len(d.Rails) != 12 || d.Total != pmicFit || d.Scope != "board-5V" || !strings.Contains(d.TotalRule, "estimated") || d.Cycle != 100*time.Millisecond {
		t.Errorf("description %+v", d)
	}
	rails, total := totalOf(t, m)
	if math.Abs(total-9.875621326527) > 1e-9 || math.Abs(rails["VDD_CORE"]-6.27795632) > 1e-9 {
		t.Errorf("total %g W, core %g W", total, rails["VDD_CORE"])
	}
	// At once again, the firmware is left alone.
	values := make([]Value, 12)
	if err := m.Read(values); err != nil || values[0].Flags != Stale || values[7].Watts != rails["VDD_CORE"] {
		t.Errorf("again: %v, %+v; want the same, stale", err, values[7])
	}
}

func TestPMICIsUnavailable(t *testing.T) {
	pi4 := firmware(t, "exit 0")
	put(t, pi4, "proc/device-tree/compatible", "raspberrypi,4-model-b\x00brcm,bcm2711\x00")
	for name, c := range map[string]struct{ root, want string }{
		"Pi 4":      {pi4, "no sensor of current"},
		"no way":    {t.TempDir(), "vcgencmd"},
		"old":       {firmware(t, `echo ' VDD_CORE_A current(7)=1.0A'`), "pairs no current"},
		"fails":     {firmware(t, "exit 255"), "exit status 255"},
		"says junk": {firmware(t, "echo junk"), "line 1"},
		"endless":   {firmware(t, "exec cat /dev/zero"), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := OpenPMIC(c.root, Facts{})
			if err == nil {
				m.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// The message is the one that vcgencmd sends: 263 words, tag 0x00030080.
func TestVCIOMessages(t *testing.T) {
	m, err := vcioRequest("pmic_read_adc")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint32{1052, 0, 0x00030080, 1024, 0, 0}, m[:6]); diff != "" || m[262] != 0 {
		t.Errorf("header (-want +got):\n%s end tag %d", diff, m[262])
	}
	if text, err := vcioAnswer(m); err != nil || text != "pmic_read_adc" {
		t.Errorf("text %q, %v", text, err)
	}
	m[5] = 1
	if _, err := vcioAnswer(m); err == nil {
		t.Error("an error code was overlooked")
	}
	m[5] = 0
	for i := vcioText; i < vcioText+vcioMaxText/4; i++ {
		m[i] = 0x41414141
	}
	if _, err := vcioAnswer(m); err == nil {
		t.Error("a text without end was taken")
	}
	for _, bad := range []string{strings.Repeat("x", 1024), "a\x00b"} {
		if _, err := vcioRequest(bad); err == nil {
			t.Errorf("command %q was taken", clip(bad))
		}
	}
}

// In between two turns the last values come again; after, the meter is asked.
func TestPace(t *testing.T) {
	inner := &PMIC{what: Description{Rails: []Rail{{Name: "A"}}}, index: map[string]int{"A": 0}, close: func() error { return nil }}
	asked := 0
	inner.fetch = func() (string, error) {
		if asked++; asked == 2 {
			return "", errors.New("busy")
		}
		return " A_A current(0)=1.0A\n A_V volt(1)=2.0V\n", nil
	}
	now := time.Unix(0, 0)
	p := pace(inner, time.Second)
	p.now = func() time.Time { return now }
	v := make([]Value, 1)
	for _, step := range []struct {
		after time.Duration
		flags Flag
		fails bool
	}{{0, 0, false}, {999 * time.Millisecond, Stale, false}, {time.Millisecond, 0, true}, {0, 0, false}, {1, Stale, false}} {
		now = now.Add(step.after)
		if err := p.Read(v); (err != nil) != step.fails {
			t.Fatalf("at %v: %v", now, err)
		} else if err == nil && (v[0].Flags != step.flags || v[0].Watts != 2) {
			t.Errorf("at %v: %+v, want flags %b", now, v[0], step.flags)
		}
	}
}

func FuzzParsePMIC(f *testing.F) {
	f.Add(" VDD_CORE_A current(7)=10.87674000A\n VDD_CORE_V volt(15)=0.89745940V\n")
	f.Add("error=1 error_msg=\"Command not registered\"")
	f.Fuzz(func(t *testing.T, text string) {
		channels, err := parsePMIC(text)
		if err != nil {
			return
		}
		for _, c := range channels {
			if math.IsNaN(c.Amps) && math.IsNaN(c.Volts) || c.Amps < 0 || c.Volts < 0 || math.IsInf(c.Amps, 0) {
				t.Errorf("%+v from %q", c, text)
			}
		}
	})
}
