package board

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// folder is a board in a folder: its files lie below it, its tools are scripts
// that keep their state in files, and its shell is a real one.
type folder struct {
	t    *testing.T
	root string
	ran  []string
	fail string // a command that fails
}

const (
	nvpmodelScript = `#!/bin/sh
case "$1" in
-q) id=$(cat "$ROOT/mode"); echo "NV Power Mode: $(sed -n "s/.*ID=$id NAME=\([^ ]*\).*/\1/p" "$ROOT/etc/nvpmodel.conf")"; echo "$id";;
-m) [ -e "$ROOT/stuck" ] || echo "$2" > "$ROOT/mode";;
esac
`
	clocksScript = `#!/bin/sh
case "$1" in
--store) cp "$ROOT/clocks" "$2";;
--restore) cp "$2" "$ROOT/clocks";;
*) echo locked > "$ROOT/clocks";;
esac
`
	sudoScript = "#!/bin/sh\n[ \"$1\" = -n ] || exit 1\nshift\nexec \"$@\"\n"
	governor0  = "sys/devices/system/cpu/cpufreq/policy0/scaling_governor"
	governor4  = "sys/devices/system/cpu/cpufreq/policy4/scaling_governor"
	bootID     = "proc/sys/kernel/random/boot_id"
	record     = "home/.local/state/harness/setting.json"
)

func newFolder(t *testing.T) *folder {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there is no POSIX shell")
	}
	f := &folder{t: t, root: treeOf(t, map[string]string{
		"etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=25W >\n",
		"mode":              "0\n", "clocks": "free\n", governor0: "schedutil\n", governor4: "ondemand\n", bootID: "one\n", "home/x": "",
		"bin/nvpmodel": nvpmodelScript, "bin/jetson_clocks": clocksScript, "bin/sudo": sudoScript,
	})}
	for _, name := range []string{"nvpmodel", "jetson_clocks", "sudo"} {
		if err := os.Chmod(filepath.Join(f.root, "bin", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *folder) Run(ctx context.Context, argv []string, stdin []byte) ([]byte, error) {
	f.ran = append(f.ran, strings.Join(argv, " "))
	if f.fail != "" && strings.Join(argv, " ") == f.fail {
		return nil, errors.New("it failed")
	}
	var args []string
	for _, a := range argv {
		for _, dir := range []string{"/sys/devices", "/proc/sys", "/etc/"} {
			a = strings.ReplaceAll(a, dir, f.root+dir)
		}
		args = append(args, a)
	}
	path := filepath.Join(f.root, "bin")
	name := args[0]
	if own := filepath.Join(path, name); exists(own) {
		name = own
	}
	c := exec.CommandContext(ctx, name, args[1:]...)
	c.Env = []string{"ROOT=" + f.root, "HOME=" + filepath.Join(f.root, "home"), "PATH=" + path + ":" + os.Getenv("PATH")}
	c.Stdin = bytes.NewReader(stdin)
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w", argv, err)
	}
	return bytes.ReplaceAll(out, []byte(f.root), nil), nil
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func (f *folder) read(name string) string {
	f.t.Helper()
	b, err := os.ReadFile(filepath.Join(f.root, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func (f *folder) write(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// is fails the test unless the board is as said: mode, clocks, both governors.
func (f *folder) is(want string) {
	f.t.Helper()
	got := strings.Join([]string{f.read("mode"), f.read("clocks"), f.read(governor0), f.read(governor4)}, " ")
	if got != want {
		f.t.Errorf("the board is %q, want %q", got, want)
	}
}

var everything = Setting{PowerMode: "25W", Clocks: true, Governor: "performance", Sudo: []string{SudoPowerMode, SudoClocks, SudoGovernor}}

const (
	asFound  = "0 free schedutil ondemand"
	asWanted = "1 locked performance performance"
)

// A user lends a board: it must come back as it was.
func TestASettingIsRestored(t *testing.T) {
	f := newFolder(t)
	if err := everything.Apply(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	f.is(asWanted)
	was, err := Restore(t.Context(), f)
	if err != nil || !was {
		t.Fatalf("restored %v, %v", was, err)
	}
	f.is(asFound)
	if exists(filepath.Join(f.root, record)) {
		t.Error("the record stays")
	}
	if was, err := Restore(t.Context(), f); was || err != nil {
		t.Errorf("a second time: restored %v, %v", was, err)
	}
}

// The controller may die at any moment; the next one to come must mend the board
// and not take the changed state for the original.
func TestACrashIsMendedByTheNextConnection(t *testing.T) {
	f := newFolder(t)
	for range 2 { // no Restore in between
		if err := everything.Apply(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		f.is(asWanted)
	}
	if _, err := Restore(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	f.is(asFound)
}

// A reboot puts governors back, and writing old ones would be a change; the power
// mode outlives it.
func TestAfterARebootOnlyTheModeIsRestored(t *testing.T) {
	f := newFolder(t)
	if err := everything.Apply(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	f.write(bootID, "two\n")
	f.write(governor0, "interactive\n")
	if _, err := Restore(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	f.is("0 locked interactive performance")
}

// Root's commands are run only where the user has said so.
func TestNothingIsSetWithoutConsent(t *testing.T) {
	for _, permit := range everything.Sudo {
		s := everything
		s.Sudo = nil
		for _, p := range everything.Sudo {
			if p != permit {
				s.Sudo = append(s.Sudo, p)
			}
		}
		f := newFolder(t)
		err := s.Apply(t.Context(), f)
		if err == nil || !strings.Contains(err.Error(), "add "+permit+" to the target's sudo list") {
			t.Errorf("without %s: %v", permit, err)
		}
		if len(f.ran) > 0 {
			t.Errorf("without %s: ran %v", permit, f.ran)
		}
	}
}

// Where a setting cannot be had, the board must be as before, and the user told why.
func TestAFailedSettingLeavesTheBoardAsItWas(t *testing.T) {
	tests := []struct {
		name    string
		setting Setting
		prepare func(*folder)
		text    string
	}{
		{"no such mode", Setting{PowerMode: "50W", Sudo: everything.Sudo}, nil, `power mode "50W": this board has 15W, 25W`},
		{"a mode that needs a reboot", everything, func(f *folder) { f.write("stuck", "") }, "may need a reboot: sudo nvpmodel -m 1"},
		{"clocks", everything, func(f *folder) { f.fail = "sudo -n jetson_clocks" }, "locking the clocks: it failed"},
		{"a governor", everything, func(f *folder) { f.fail = "sudo -n tee /" + governor4 }, "setting /" + governor4 + " to performance: it failed"},
		{"no place for the record", everything, func(f *folder) { f.fail = "sh -c " + saveScript }, "keeping the board's settings on the board"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFolder(t)
			if tt.prepare != nil {
				tt.prepare(f)
			}
			err := tt.setting.Apply(t.Context(), f)
			if err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %q", err, tt.text)
			}
			if f.fail != "sudo -n tee /"+governor4 { // that one fails in both directions
				f.is(asFound)
			}
		})
	}
}

// A record that cannot be carried out stays for another try; one that was
// tampered with must not write elsewhere as root.
func TestRecordsThatCannotBeRestored(t *testing.T) {
	tests := []struct{ name, record, text string }{
		{"garbled", "{", "look at ~/.local/state/harness/setting.json"},
		{"another file", `{"boot_id":"one","governors":{"/etc/passwd":"x"}}`, `"/etc/passwd" in the record is no governor's file`},
		{"a path that climbs", `{"boot_id":"one","governors":{"/sys/devices/system/cpu/cpufreq/policy0/../x/scaling_governor":"x"}}`, "no governor's file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFolder(t)
			f.write(record, tt.record)
			_, err := Restore(t.Context(), f)
			if err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %q", err, tt.text)
			}
			if f.read(record) != tt.record {
				t.Error("the record is gone")
			}
		})
	}
}

func TestASettingThatIsAlreadySoChangesNothing(t *testing.T) {
	f := newFolder(t)
	if err := (Setting{PowerMode: "15W", Sudo: []string{SudoPowerMode}}).Apply(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	f.is(asFound)
	if exists(filepath.Join(f.root, record)) {
		t.Error("there is a record of no change")
	}
}
