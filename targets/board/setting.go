package board

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Names in an inventory's list of commands that may be run by sudo.
const (
	SudoPowerMode = "nvpmodel"
	SudoClocks    = "jetson_clocks"
	SudoGovernor  = "cpufreq-governor"
)

// Executor runs a command on a board and returns its standard output; the error
// tells of a status other than 0.
type Executor interface {
	Run(ctx context.Context, argv []string, stdin []byte) ([]byte, error)
}

// Setting is what a user wants of a board's power mode and clocks. Empty fields
// stay as they are.
type Setting struct {
	PowerMode string // name or number of a Jetson's power mode
	Clocks    bool   // lock a Jetson's clocks at their greatest (jetson_clocks)
	Governor  string // of all CPUs
	// Sudo are the commands that the user allows: SudoPowerMode, SudoClocks, SudoGovernor.
	Sudo []string
}

// state is what was before, kept in a file on the board until it is restored, so
// that any later connection can.
type state struct {
	BootID    string            `json:"boot_id"`
	PowerMode *PowerMode        `json:"power_mode,omitempty"`
	Clocks    bool              `json:"clocks,omitempty"`
	Governors map[string]string `json:"governors,omitempty"` // by path
}

// The scripts are constants with arguments: nothing is quoted into them. The
// folder survives a reboot and is the user's own.
const (
	folderLine  = `d="${XDG_STATE_HOME:-${HOME:-/data/local/tmp}/.local/state}/harness"; `
	saveScript  = `set -e; ` + folderLine + `umask 077; mkdir -p "$d"; cat > "$d/setting.new"; sync "$d/setting.new" 2>/dev/null || sync; mv "$d/setting.new" "$d/setting.json"`
	loadScript  = folderLine + `if [ -e "$d/setting.json" ]; then cat "$d/setting.json"; fi`
	dropScript  = folderLine + `rm -f "$d/setting.json" "$d/setting.new" "$d/clocks"`
	storeScript = `set -e; ` + folderLine + `umask 077; mkdir -p "$d"; rm -f "$d/clocks"; exec sudo -n jetson_clocks --store "$d/clocks"`
	backScript  = folderLine + `exec sudo -n jetson_clocks --restore "$d/clocks"`
	listScript  = `for f in /sys/devices/system/cpu/cpufreq/policy*/scaling_governor; do echo "$f $(cat "$f")"; done`
)

const bootIDFile = "/proc/sys/kernel/random/boot_id"

func script(ctx context.Context, x Executor, text string, stdin []byte) ([]byte, error) {
	return x.Run(ctx, []string{"sh", "-c", text}, stdin)
}

// Validate refuses what the user did not allow.
func (s Setting) Validate() error {
	for _, need := range []struct {
		wanted       bool
		what, permit string
	}{
		{s.PowerMode != "", "power mode " + s.PowerMode, SudoPowerMode},
		{s.Clocks, "locked clocks", SudoClocks},
		{s.Governor != "", "governor " + s.Governor, SudoGovernor},
	} {
		if need.wanted && !slices.Contains(s.Sudo, need.permit) {
			return fmt.Errorf("%s: the inventory does not allow it; add %s to the target's sudo list", need.what, need.permit)
		}
	}
	return nil
}

// Apply sets the board as wanted and keeps a record on it of how it was, which
// Restore puts back. What an earlier session left is put back first. Where
// something fails, what was changed is put back too.
func (s Setting) Apply(ctx context.Context, x Executor) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if _, err := Restore(ctx, x); err != nil {
		return err
	}
	if s.PowerMode == "" && !s.Clocks && s.Governor == "" {
		return nil
	}
	var mode *PowerMode // nil = the mode stays
	old, err := s.record(ctx, x, &mode)
	if err != nil {
		return err
	}
	if old.PowerMode == nil && !old.Clocks && old.Governors == nil {
		return nil // it is as wanted
	}
	b, err := json.Marshal(old)
	if err != nil {
		return fmt.Errorf("keeping the board's settings: %w", err)
	}
	// Before the first change: a crash after it must be mended.
	if _, err := script(ctx, x, saveScript, b); err != nil {
		return fmt.Errorf("keeping the board's settings on the board: %w", err)
	}
	if err := s.change(ctx, x, mode, old); err != nil {
		// The change failed, so that its context may be over.
		_, undo := Restore(context.WithoutCancel(ctx), x)
		return errors.Join(err, undo)
	}
	return nil
}

// record reads how the board is now, of what will change.
func (s Setting) record(ctx context.Context, x Executor, mode **PowerMode) (state, error) {
	var old state
	id, err := x.Run(ctx, []string{"cat", bootIDFile}, nil)
	if err != nil {
		return old, fmt.Errorf("reading the boot id: %w", err)
	}
	old.BootID = strings.TrimSpace(string(id))
	if s.PowerMode != "" {
		now, want, err := s.powerMode(ctx, x)
		if err != nil {
			return old, err
		}
		if now.ID != want.ID {
			old.PowerMode, *mode = &now, &want
		}
	}
	if s.Clocks {
		if _, err := script(ctx, x, storeScript, nil); err != nil {
			return old, fmt.Errorf("storing the clocks: %w", err)
		}
		old.Clocks = true
	}
	if s.Governor != "" {
		all, err := readGovernors(ctx, x)
		if err != nil {
			return old, err
		}
		for path, g := range all {
			if g != s.Governor {
				if old.Governors == nil {
					old.Governors = map[string]string{}
				}
				old.Governors[path] = g
			}
		}
	}
	return old, nil
}

// Restore puts back what a session changed on the board, this one or one that
// ended without doing so. It says whether there was something.
func Restore(ctx context.Context, x Executor) (bool, error) {
	b, err := script(ctx, x, loadScript, nil)
	if err != nil {
		return false, fmt.Errorf("reading the board's former settings: %w", err)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return false, nil
	}
	var old state
	if err := json.Unmarshal(b, &old); err != nil {
		return false, fmt.Errorf("reading the board's former settings: %w; look at ~/.local/state/harness/setting.json on the board and remove it", err)
	}
	id, err := x.Run(ctx, []string{"cat", bootIDFile}, nil)
	if err != nil {
		return false, fmt.Errorf("reading the boot id: %w", err)
	}
	var failed []error
	// The power mode first: the clocks were those of its cores.
	if old.PowerMode != nil {
		if err := setMode(ctx, x, *old.PowerMode); err != nil {
			failed = append(failed, err)
		}
	}
	// A reboot has put back all but the power mode, which nvpmodel keeps.
	if strings.TrimSpace(string(id)) == old.BootID {
		failed = append(failed, old.restoreClocks(ctx, x)...)
	}
	if len(failed) > 0 {
		return true, fmt.Errorf("restoring the board's settings: %w", errors.Join(failed...)) // the record stays for another try
	}
	if _, err := script(ctx, x, dropScript, nil); err != nil {
		return true, fmt.Errorf("removing the record of the board's former settings: %w", err)
	}
	return true, nil
}
