package virtual

import (
	"strings"
	"testing"

	"github.com/pkg/sftp"
)

// A user tries a plan on a Raspberry Pi 5 that is not there: it must look, and
// be reached, like one.
func TestAPi5(t *testing.T) {
	b := start(t, Options{Kind: "pi5", Name: "kitchen"})
	c := dial(t, b)
	for line, want := range map[string]string{
		"uname -m": "aarch64",
		"uname -r": "6.6.51+rpt-rpi-2712",
		"hostname": "kitchen",
		"whoami":   b.User,
		"pwd":      b.Home,
		"cat /proc/device-tree/model | tr -d '\\0'": "Raspberry Pi 5 Model B Rev 1.0",
		"cat /sys/class/thermal/thermal_zone0/type": "cpu-thermal",
		"grep -c '^processor' /proc/cpuinfo":        "4",
		"vcgencmd get_throttled":                    "throttled=0x0",
		"vcgencmd pmic_read_adc | wc -l":            "26",
		"cat /etc/harness-virtual | head -n 1":      "kind: pi5",
		"false || echo \"a  b\" '$HOME'":            "a  b $HOME",
	} {
		if got := sh(t, c, line); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
	files, err := sftp.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	f, err := files.Create(b.Home + "/note")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("seen by both\n")); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if got := sh(t, c, "cat note"); got != "seen by both" {
		t.Errorf("a file put by SFTP: the shell sees %q", got)
	}
	if st, err := files.StatVFS(b.Home); err != nil || b.Isolated && st.TotalSpace() != diskBytes {
		t.Errorf("the disk: %v, %v", st, err)
	}
	if _, err := try(c, "exit 7"); err == nil || !strings.Contains(err.Error(), "7") {
		t.Errorf("an exit status of 7 came as %v", err)
	}
}
