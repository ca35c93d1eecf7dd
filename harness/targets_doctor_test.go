package main

import (
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/targets/board"
)

// A governor that a killed run set makes the next measurements those of another board.
func TestDoctorTellsOfSettingsThatWereLeft(t *testing.T) {
	left := leftFinding("orin", board.Left{Path: "/s/setting.json", Before: `power mode "15W"`})
	all := []examination{{Target: "pi5", Facts: &board.Facts{}}, {Target: "orin", Facts: &board.Facts{}}}
	_, before, _ := findings(all)
	_, list, _ := findings(all, left)
	if len(list) != len(before)+1 {
		t.Fatalf("%d findings with what was left, %d without", len(list), len(before))
	}
	if last := list[len(list)-1]; last.Target != "orin" || !strings.Contains(last.Evidence, `/s/setting.json holds what was before: power mode "15W"`) || last.Mend == "" {
		t.Errorf("the finding is %+v", last)
	}
}
