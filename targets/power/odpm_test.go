package power

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseODPM(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []odpmChannel
		err  string
	}{
		"with durations": {
			"t=349894\nCH0(T=349894)[S10M_VDD_TPU], 5578756\nCH1(T=349890)[VSYS_PWR_MODEM], 29110940\n",
			[]odpmChannel{{"S10M_VDD_TPU", 5578756, 349894}, {"VSYS_PWR_MODEM", 29110940, 349890}},
			"",
		},
		"early":          {"349894\nCH0[S10M_VDD_TPU], 5578756\n", []odpmChannel{{"S10M_VDD_TPU", 5578756, 349894}}, ""},
		"largest":        {"t=1\nCH0(T=1)[A], 18446744073709551615\n", []odpmChannel{{"A", math.MaxUint64, 1}}, ""},
		"empty":          {"", nil, "no channel"},
		"only a time":    {"t=5\n", nil, "no channel"},
		"junk":           {"t=5\nCH0(T=5)[A] 17\n", nil, "line 2"},
		"twice":          {"t=5\nCH0(T=5)[A], 1\nCH1(T=5)[A], 2\n", nil, "twice"},
		"overflow":       {"t=5\nCH0(T=5)[A], 18446744073709551616\n", nil, "line 2"},
		"endless line":   {"t=5\n" + strings.Repeat("x", 100000), nil, "too long"},
		"too many rails": {manyRails(odpmMax + 1), nil, "more than 64"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseODPM(c.text)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("channels (-want +got):\n%s", diff)
			}
		})
	}
}

func manyRails(n int) string {
	var b strings.Builder
	b.WriteString("t=1\n")
	for i := range n {
		b.WriteString("CH0(T=1)[R" + strings.Repeat("x", i%40) + string(rune('a'+i%26)) + strings.Repeat("y", i/26) + "], 1\n")
	}
	return b.String()
}

// The energy of a Pixel's rails is the difference of two readings; what a linear
// regulator takes from a measured rail is not counted twice.
func TestODPMCounts(t *testing.T) {
	root := plant(t, "odpm/pixel6.txtar")
	m, err := OpenODPM(root, Facts{})
	if err != nil {
		t.Fatal(err)
	}
	d := m.Describe()
	if len(d.Rails) != 11 || d.Cycle != 160*time.Millisecond {
		t.Fatalf("%d rails, cycle %v; want 11 and 20 samples at 125 Hz", len(d.Rails), d.Cycle)
	}
	values := make([]Value, 11)
	read := func() {
		t.Helper()
		if err := m.Read(values); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if values[0].Flags != Stale {
		t.Errorf("an unchanged counter has flags %b, want stale", values[0].Flags)
	}
	// Half a second later the TPU has used 1 J; the second monitor lost a rail.
	put(t, root, "sys/bus/iio/devices/iio:device0/energy_value", "t=350394\nCH0(T=350394)[S10M_VDD_TPU], 6578756\n")
	put(t, root, "sys/bus/iio/devices/iio:device1/energy_value", "t=359459\nCH1(T=359459)[L2S_VDD_AOC_RET], 2822929\n")
	read()
	for i, r := range d.Rails {
		switch r.Name {
		case "S10M_VDD_TPU":
			if math.Abs(values[i].Joules-1) > 1e-9 || math.Abs(values[i].Watts-2) > 1e-9 || !r.InTotal {
				t.Errorf("TPU: %+v in the total %v; want 1 J, 2 W, true", values[i], r.InTotal)
			}
		case "L2S_VDD_AOC_RET":
			if r.InTotal || math.Abs(values[i].Joules-1e-6) > 1e-12 {
				t.Errorf("linear regulator: %+v, in the total %v", values[i], r.InTotal)
			}
		default:
			if values[i].Flags != Missing || !r.InTotal {
				t.Errorf("%s: flags %b, in the total %v; want missing, true", r.Name, values[i].Flags, r.InTotal)
			}
		}
	}
	put(t, root, "sys/bus/iio/devices/iio:device0/energy_value", "t=1\nCH0(T=1)[S10M_VDD_TPU], 5\n")
	if err := m.Read(values); err == nil || !strings.Contains(err.Error(), "went back") {
		t.Errorf("a counter that went back: %v", err)
	}
}

// An inventory may name the rails of the processor alone.
func TestODPMTotalByTheInventory(t *testing.T) {
	root := plant(t, "odpm/pixel6.txtar")
	m, err := OpenODPM(root, Facts{TotalRails: []string{"S2M_VDD_CPUCL2", "S3M_VDD_CPUCL1", "S4M_VDD_CPUCL0"}, Scope: "SoC-package"})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range m.Describe().Rails {
		if r.InTotal {
			n++
		}
	}
	if n != 3 || m.Describe().Scope != "SoC-package" {
		t.Errorf("%d rails in the total of %s, want 3", n, m.Describe().Scope)
	}
	if _, err := OpenODPM(root, Facts{TotalRails: []string{"VDD_NONE"}}); err == nil {
		t.Error("a rail that is not there was taken")
	}
}

func FuzzParseODPM(f *testing.F) {
	f.Add("t=349894\nCH0(T=349894)[S10M_VDD_TPU], 5578756\n")
	f.Add("349894\nCH0[S10M_VDD_TPU], 5578756\n")
	f.Fuzz(func(t *testing.T, text string) {
		channels, err := parseODPM(text)
		if err == nil && (len(channels) == 0 || len(channels) > odpmMax) {
			t.Errorf("%d channels without an error", len(channels))
		}
	})
}
