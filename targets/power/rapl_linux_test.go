package power

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Since CVE-2020-8694 only root may read the counters. A user who is told so,
// and what mends it, has energy figures after one line of udev.
func TestCountersOfRootOnly(t *testing.T) {
	root := tree(t, server())
	for d := root; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	energy := filepath.Join(root, powercap, "intel-rapl:0/energy_uj")
	if err := os.Chmod(energy, 0o400); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		if err := os.Chmod(energy, 0); err != nil {
			t.Fatal(err)
		}
	} else {
		// Root may read everything: act as nobody on this thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer unix.Setfsuid(0) //nolint:errcheck
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
	}
	_, err := OpenRAPL(root)
	var u *Unavailable
	if !errors.As(err, &u) || !strings.Contains(u.Reason, "only root may read") || !strings.Contains(u.Reason, "energy_uj") || !strings.Contains(u.Mend, "udev") {
		t.Errorf("got %v", err)
	}
}
