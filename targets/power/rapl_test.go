package power

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// tree writes files below a new root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	root := t.TempDir()
	if err := os.CopyFS(root, m); err != nil {
		t.Fatal(err)
	}
	return root
}

const powercap = "sys/class/powercap/"

// server is a two-socket machine with every domain that must not be summed.
func server() map[string]string {
	files := map[string]string{powercap + "intel-rapl/enabled": "1\n"}
	add := func(zone, name, energy string) {
		files[powercap+zone+"/name"] = name + "\n"
		files[powercap+zone+"/energy_uj"] = energy + "\n"
		files[powercap+zone+"/max_energy_range_uj"] = "262143328850\n"
	}
	add("intel-rapl:0", "package-0", "262143328000")
	add("intel-rapl:0:0", "core", "1")
	add("intel-rapl:0:1", "uncore", "1")
	add("intel-rapl:0:2", "dram", "500")
	add("intel-rapl:1", "package-1", "0")
	add("intel-rapl:2", "psys", "7")
	add("intel-rapl-mmio:0", "package-0", "262143328000")
	return files
}

func TestRAPLSumsPackagesOnlyAndSurvivesWrap(t *testing.T) {
	root := tree(t, server())
	r, err := OpenRAPL(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []Rail{
		{Name: "package-0", InTotal: true, Counter: true},
		{Name: "dram-0", Counter: true},
		{Name: "package-1", InTotal: true, Counter: true},
		{Name: "psys", Counter: true},
	}
	if diff := cmp.Diff(want, r.Describe().Rails); diff != "" {
		t.Fatalf("rails (-want +got):\n%s", diff)
	}
	for zone, energy := range map[string]string{"intel-rapl:0": "1000", "intel-rapl:1": "2000000"} {
		if err := os.WriteFile(filepath.Join(root, powercap, zone, "energy_uj"), []byte(energy), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]Value, 4)
	for range 2 { // a second reading of a still counter adds nothing
		if err := r.Read(got); err != nil {
			t.Fatal(err)
		}
	}
	joules := make([]float64, len(got))
	for i, v := range got {
		joules[i] = v.Joules
	}
	if diff := cmp.Diff([]float64{1850e-6, 0, 2, 0}, joules); diff != "" {
		t.Errorf("joules (-want +got):\n%s", diff)
	}
	if err := r.Read(make([]Value, 1)); err == nil {
		t.Error("a short slice was accepted")
	}
}

// A counter turns over within the hour at 70 W; each turn must count once.
func TestElapsedOverATurn(t *testing.T) {
	for _, c := range []struct{ before, after, wrapsAt, want uint64 }{
		{5, 5, 100, 0},
		{5, 8, 100, 3},
		{98, 3, 100, 5},
		{100, 0, 100, 0},
		{1<<64 - 10, 5, 1<<64 - 1, 14},
	} {
		if got := elapsed(c.before, c.after, c.wrapsAt); got != c.want {
			t.Errorf("from %d to %d of %d: %d µJ, want %d", c.before, c.after, c.wrapsAt, got, c.want)
		}
	}
}

// A range that the counter has left would turn one reading into 10¹³ J.
func TestACounterBeyondItsRangeIsAnError(t *testing.T) {
	files := server()
	files[powercap+"intel-rapl:0/max_energy_range_uj"] = "1000\n"
	if _, err := OpenRAPL(tree(t, files)); err == nil || !strings.Contains(err.Error(), "range of 1000") {
		t.Errorf("opening: %v", err)
	}
	root := tree(t, server())
	r, err := OpenRAPL(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, powercap, "intel-rapl:1/energy_uj"), []byte("262143328851"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.Read(make([]Value, 4)); err == nil || !strings.Contains(err.Error(), "package-1") {
		t.Errorf("reading: %v", err)
	}
}

func TestALostCounterIsNamed(t *testing.T) {
	root := tree(t, server())
	r, err := OpenRAPL(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, powercap, "intel-rapl:2/energy_uj")); err != nil {
		t.Fatal(err)
	}
	if err := r.Read(make([]Value, 4)); err == nil || !strings.Contains(err.Error(), "psys") {
		t.Errorf("got %v", err)
	}
}

func TestMissingRAPLSaysWhyAndWhatMends(t *testing.T) {
	locked := tree(t, server())
	if err := os.Chmod(filepath.Join(locked, powercap, "intel-rapl:0/energy_uj"), 0); err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"no powercap tree":  t.TempDir(),
		"no package domain": tree(t, map[string]string{powercap + "dtpm/name": "dtpm"}),
		"root only":         locked,
	}
	for name, root := range tests {
		t.Run(name, func(t *testing.T) {
			if root == locked && os.Geteuid() == 0 {
				t.Skip("root reads files of any mode")
			}
			_, err := OpenRAPL(root)
			var u *Unavailable
			if !errors.As(err, &u) || u.Reason == "" || u.Mend == "" {
				t.Errorf("got %v, want an Unavailable with reason and mend", err)
			}
		})
	}
}

func TestBrokenRAPLIsAnErrorNotAZero(t *testing.T) {
	for _, file := range []string{"name", "energy_uj", "max_energy_range_uj"} {
		files := server()
		files[powercap+"intel-rapl:0/"+file] = "x1"
		if file == "name" {
			delete(files, powercap+"intel-rapl:0/"+file)
		}
		if _, err := OpenRAPL(tree(t, files)); err == nil {
			t.Errorf("a broken %s was accepted", file)
		}
	}
}
