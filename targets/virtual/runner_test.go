package virtual

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/seed-c6f48606/harness/targets/power"
)

// deploy builds this module's runner for the board and puts it there by SFTP.
func deploy(t *testing.T, b *Board, c *ssh.Client) string {
	t.Helper()
	local := filepath.Join(t.TempDir(), "runner")
	build := exec.Command("go", "build", "-trimpath", "-o", local, "github.com/seed-c6f48606/harness/runners/runner")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("no runner: %v: %.500s", err, out)
	}
	files, err := sftp.NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	binary, err := os.ReadFile(local)
	if err != nil {
		t.Fatal(err)
	}
	remote := b.Home + "/runner"
	f, err := files.Create(remote)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(binary); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := files.Chmod(remote, 0o755); err != nil {
		t.Fatal(err)
	}
	return remote
}

// The runner on the board must see the board, not the machine that it really
// runs on: else a report names the wrong hardware.
func TestTheRunnerSeesTheBoard(t *testing.T) {
	for _, kind := range []string{"orin-nano", "phone"} {
		t.Run(kind, func(t *testing.T) {
			b := start(t, Options{Kind: kind})
			c := dial(t, b)
			runner := deploy(t, b, c)
			text := sh(t, c, runner+" info -o json")
			var info struct {
				Env struct {
					Board, Arch, Kernel, Governor, BootID string
					Cores                                 int
				}
				Energy string
			}
			if err := json.Unmarshal([]byte(text), &info); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			if e := info.Env; !strings.Contains(b.spec.model+" Qualcomm Kalama MTP", e.Board) || e.Arch != "arm64" || e.Kernel != b.spec.kernel || e.Governor != "performance" {
				t.Errorf("the runner sees %+v", e)
			}
		})
	}
}

// Work on the board must show in its power and its temperature.
func TestWorkHeatsTheBoard(t *testing.T) {
	b := start(t, Options{Kind: "orin-nano"})
	c := dial(t, b)
	before := b.Truth()
	busy, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if err := busy.Start("for i in 1 2 3 4; do while :; do :; done & done; wait"); err != nil {
		t.Fatal(err)
	}
	// Four of six cores.
	eventually(t, "the load shows", func() bool {
		now := b.Truth()
		return now.Load > 0.5 && now.PowerW > before.PowerW+3 && now.TempC > before.TempC+3
	})
	watts := func() float64 {
		var v, a float64
		dir := b.place.tree(strings.TrimPrefix("sys/class/hwmon/hwmon1", "/"))
		readNumber(t, filepath.Join(dir, "in1_input"), &v)
		readNumber(t, filepath.Join(dir, "curr1_input"), &a)
		return v * a / 1e6
	}
	if got := watts(); got < before.PowerW+2 {
		t.Errorf("VDD_IN shows %.2f W, at rest it was %.2f W", got, before.PowerW)
	}
	if out := sh(t, c, "cat /proc/stat | head -n 1"); strings.HasPrefix(out, "cpu  0 ") {
		t.Errorf("the board's /proc/stat shows no work: %s", out)
	}
	busy.Close()
	// It kills itself too, with an error.
	if _, err := try(c, "killall -9 sh busybox"); err == nil {
		t.Error("there was nothing to kill")
	}
	eventually(t, "the load goes", func() bool { return b.Truth().Load < 0.2 })
}

func readNumber(t *testing.T, path string, to *float64) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(strings.TrimSpace(string(text))), to); err != nil {
		t.Fatal(err)
	}
}

// A Raspberry Pi 4 has no rails: the controller reads an INA226 in its lead, by
// the driver that reads real ones.
func TestTheControllerReadsTheSupplyOfAPi4(t *testing.T) {
	b := start(t, Options{Kind: "pi4", Seed: 5})
	if b.Sensor == nil {
		t.Fatal("there is no sensor")
	}
	m, err := power.OpenI2C(b.Sensor.I2C)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	d := m.Describe()
	if !d.Simulated || d.Source != "ina226" {
		t.Errorf("it is described as %+v", d)
	}
	time.Sleep(200 * time.Millisecond) // a cycle of the sensor
	v := make([]power.Value, 1)
	if err := m.Read(v); err != nil {
		t.Fatal(err)
	}
	if want := b.Truth(); math.Abs(v[0].Watts/want.PowerW-1) > 0.03 || math.Abs(v[0].Volts-want.Volts) > 0.05 {
		t.Errorf("it reads %+v, the board takes %.3f W at %.3f V", v[0], want.PowerW, want.Volts)
	}
	if err := b.Inject(Fault{Kind: Gap, For: 500 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sensor is silent", func() bool { return m.Read(v) != nil })
	eventually(t, "the sensor answers again", func() bool { return m.Read(v) == nil && v[0].Watts > 1 })
}
