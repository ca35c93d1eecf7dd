package board

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// powerMode finds the present mode and the wanted one.
func (s Setting) powerMode(ctx context.Context, x Executor) (now, want PowerMode, err error) {
	answer, err := x.Run(ctx, []string{"sudo", "-n", "nvpmodel", "-q"}, nil)
	if err != nil {
		return now, want, fmt.Errorf("asking for the power mode: %w", err)
	}
	if now, err = ParseModeQuery(string(answer)); err != nil {
		return now, want, err
	}
	if now.is(s.PowerMode) {
		return now, now, nil
	}
	config, err := x.Run(ctx, []string{"cat", "/" + modeConfig}, nil)
	if err != nil {
		return now, want, fmt.Errorf("reading the power modes: %w", err)
	}
	modes := ParseModes(string(config))
	want, ok := findMode(modes, s.PowerMode)
	if !ok {
		return now, want, fmt.Errorf("power mode %q: this board has %s", s.PowerMode, modeNames(modes))
	}
	return now, want, nil
}

// change makes the board as wanted.
func (s Setting) change(ctx context.Context, x Executor, mode *PowerMode, old state) error {
	if mode != nil {
		if err := setMode(ctx, x, *mode); err != nil {
			return err
		}
	}
	if s.Clocks {
		if _, err := x.Run(ctx, []string{"sudo", "-n", "jetson_clocks"}, nil); err != nil {
			return fmt.Errorf("locking the clocks: %w", err)
		}
	}
	if old.Governors == nil {
		return nil
	}
	// Another power mode has other cores, and with them other clocks.
	all, err := readGovernors(ctx, x)
	if err != nil {
		return err
	}
	for path, g := range all {
		if g == s.Governor {
			continue
		}
		if err := setGovernor(ctx, x, path, s.Governor); err != nil {
			return err
		}
	}
	return nil
}

// setMode changes the power mode and looks whether it did: some changes need a
// reboot, which is the user's to decide.
func setMode(ctx context.Context, x Executor, mode PowerMode) error {
	_, failed := x.Run(ctx, []string{"sudo", "-n", "nvpmodel", "-m", strconv.Itoa(mode.ID)}, []byte("NO\n"))
	answer, err := x.Run(ctx, []string{"sudo", "-n", "nvpmodel", "-q"}, nil)
	if err != nil {
		return fmt.Errorf("setting power mode %s: %w", mode.Name, errors.Join(failed, err))
	}
	now, err := ParseModeQuery(string(answer))
	switch {
	case err != nil:
		return fmt.Errorf("setting power mode %s: %w", mode.Name, err)
	case now.ID == mode.ID:
		return nil
	case failed != nil:
		return fmt.Errorf("setting power mode %s: %w", mode.Name, failed)
	}
	return fmt.Errorf("setting power mode %s: the board stays at %s; it may need a reboot: sudo nvpmodel -m %d, then sudo reboot", mode.Name, now.Name, mode.ID)
}

func setGovernor(ctx context.Context, x Executor, path, governor string) error {
	if _, err := x.Run(ctx, []string{"sudo", "-n", "tee", path}, []byte(governor+"\n")); err != nil {
		return fmt.Errorf("setting %s to %s: %w", path, governor, err)
	}
	return nil
}

// governorPath says whether a path is one that setGovernor may write.
func governorPath(path string) bool {
	rest, ok := strings.CutPrefix(path, "/sys/devices/system/cpu/cpufreq/policy")
	number, ok2 := strings.CutSuffix(rest, "/scaling_governor")
	n, err := strconv.Atoi(number)
	return ok && ok2 && err == nil && n >= 0 && n < maxCPU
}

// readGovernors lists the governors by the paths of their files.
func readGovernors(ctx context.Context, x Executor) (map[string]string, error) {
	answer, err := script(ctx, x, listScript, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the governors: %w", err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(answer)) {
		path, governor, _ := strings.Cut(strings.TrimSpace(line), " ")
		if governorPath(path) && governor != "" && len(out) < maxCPU {
			out[path] = governor
		}
	}
	if len(out) == 0 {
		return nil, errors.New("this board has no cpufreq governors; take the governor out of the target's settings")
	}
	return out, nil
}

// restoreClocks puts back clocks and governors.
func (old state) restoreClocks(ctx context.Context, x Executor) []error {
	var failed []error
	if old.Clocks {
		if _, err := script(ctx, x, backScript, nil); err != nil {
			failed = append(failed, fmt.Errorf("restoring the clocks: %w", err))
		}
	}
	for path, governor := range old.Governors {
		if !governorPath(path) {
			failed = append(failed, fmt.Errorf("%q in the record is no governor's file", path))
			continue
		}
		if err := setGovernor(ctx, x, path, governor); err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}
