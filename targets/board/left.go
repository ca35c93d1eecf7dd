package board

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Left is what a killed run has left set on a board.
type Left struct {
	Path   string // of the record on the board
	Before string // what was before, as "power mode 15W, governors [schedutil]"
}

// Mend says how it is put back.
func (l Left) Mend() string {
	return "allow what it names in the target's sudo list, and the next connection restores it; or restore it yourself and remove the file"
}

// leftScript prints the record that Restore reads, after its path.
const leftScript = folderLine + `if [ -e "$d/setting.json" ]; then echo "$d/setting.json"; cat "$d/setting.json"; fi`

// FindLeft looks for the settings that a killed run left; nil where there are none.
func FindLeft(ctx context.Context, x Executor) (*Left, error) {
	b, err := script(ctx, x, leftScript, nil)
	if err != nil {
		return nil, fmt.Errorf("looking for settings that were left: %w", err)
	}
	file, record, found := strings.Cut(string(b), "\n")
	if !found {
		return nil, nil
	}
	var was state
	if err := json.Unmarshal([]byte(record), &was); err != nil {
		return &Left{Path: file, Before: "what cannot be read: " + err.Error()}, nil
	}
	var all []string
	if was.PowerMode != nil {
		all = append(all, fmt.Sprintf("power mode %q (%s)", was.PowerMode.Name, SudoPowerMode))
	}
	if was.Clocks {
		all = append(all, "clocks ("+SudoClocks+")")
	}
	if len(was.Governors) > 0 {
		names := slices.Compact(slices.Sorted(maps.Values(was.Governors)))
		all = append(all, fmt.Sprintf("governors %q (%s)", names, SudoGovernor))
	}
	return &Left{Path: file, Before: strings.Join(all, ", ")}, nil
}
