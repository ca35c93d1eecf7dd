package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/targets/board"
)

// A governor that a killed run set makes the next measurements those of another board.
func TestDoctorTellsOfSettingsThatWereLeft(t *testing.T) {
	all := []examination{{Target: "pi5", Facts: &board.Facts{}}, {Target: "orin", Facts: &board.Facts{}}}
	_, before, _ := findings(all)
	all[1].left = &board.Left{Path: "/s/setting.json", Before: `power mode "15W"`}
	_, list, _ := findings(all)
	if len(list) != len(before)+1 {
		t.Fatalf("%d findings with what was left, %d without", len(list), len(before))
	}
	if last := list[len(list)-1]; last.Target != "orin" || !strings.Contains(last.Evidence, `/s/setting.json holds what was before: power mode "15W"`) || last.Mend == "" {
		t.Errorf("the finding is %+v", last)
	}
}

// Dialling a board again to look for what was left took seconds of each, and a phone's
// consent twice.
func TestDoctorConnectsOnce(t *testing.T) {
	entry, dials := adbStandIn(t, "pixel")
	leaveSettings(t)
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"targets", "doctor", "pixel", "--targets", writeInventory(t, entry), "--runner-dir", standInRunner(t), "--watch", "20ms", "-o", "json"}, nil, &out, &errs)
	if code != exitDone && code != exitTarget { // this machine may be in a bad way
		t.Fatalf("status %d: %s", code, errs.String())
	}
	if !strings.Contains(out.String(), "a run that was killed left its settings") {
		t.Errorf("what was left is not told: %s", out.String())
	}
	if n := dials(); n != 1 {
		t.Errorf("the target was dialled %d times", n)
	}
}
