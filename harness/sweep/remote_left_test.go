package sweep

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/targets/board"
)

// here runs commands on this machine.
type here struct{}

func (here) Run(ctx context.Context, argv []string, _ []byte) ([]byte, error) {
	return exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
}

// Without a sudo list a killed run's settings stayed, and nobody heard of it.
func TestSettingsOfAKilledRunAreTold(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell here")
	}
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	left, err := board.FindLeft(t.Context(), here{})
	if warnOf(left, log, "orin"); left != nil || err != nil || b.Len() > 0 {
		t.Fatalf("nothing was left, and found %+v, %v: %s", left, err, &b)
	}
	path := filepath.Join(dir, "harness", "setting.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	for record, want := range map[string]string{
		`{"boot_id":"x","power_mode":{"id":2,"name":"15W"},"clocks":true,"governors":{"a":"schedutil","b":"schedutil"}}`: `power mode "15W" (nvpmodel), clocks (jetson_clocks), governors ["schedutil"] (cpufreq-governor)`,
		`{"boot`: "cannot be read",
	} {
		if err := os.WriteFile(path, []byte(record), 0o600); err != nil {
			t.Fatal(err)
		}
		left, err := board.FindLeft(t.Context(), here{})
		if err != nil || left == nil || left.Path != path || !strings.Contains(left.Before, want) {
			t.Fatalf("left %+v, %v; want %s", left, err, want)
		}
		b.Reset()
		if warnOf(left, log, "orin"); !strings.Contains(b.String(), path) || !strings.Contains(b.String(), "sudo list") {
			t.Errorf("the warning is %s", &b)
		}
	}
}
