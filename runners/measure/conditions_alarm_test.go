package measure

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/board"
)

// A Jetson slows itself down by the current: a trial in which its sensor raised an alarm is
// of a slower board. An alarm from before the window is not of it.
func TestAJetsonsOverCurrentIsThrottling(t *testing.T) {
	const dir, fan = "sys/class/hwmon/hwmon1/", "sys/class/hwmon/hwmon7/"
	m := tree(t, map[string]string{
		dir + "name": "ina3221\n", dir + "in1_label": "VDD_IN\n", dir + "in1_input": "5000\n",
		dir + "curr1_max_alarm": "0\n", dir + "curr1_crit_alarm": "1\n",
		fan + "name": "pwm_tach\n", fan + "rpm": "1500\n",
	})
	w := m.newWatch(string(board.OrinNano), DefaultLimits, nil)
	put(t, m, dir+"curr1_crit_alarm", "0\n") // as the chip does once it was read
	at := time.Unix(1000, 0)
	look := func() wire.Evidence {
		at = at.Add(slowLook)
		w.look(t.Context(), at)
		var e wire.Evidence
		w.seen.fill(&e)
		return e
	}
	judge := func(e wire.Evidence) (wire.Verdict, string) {
		verdict, reason, _ := DefaultLimits.judge(facts{evidence: e, windowS: 1, settled: true, cores: 1, threads: 1})
		return verdict, reason
	}
	if verdict, reason := judge(look()); verdict != wire.Valid {
		t.Errorf("%s before anything happened: %s", verdict, reason)
	}
	put(t, m, dir+"curr1_max_alarm", "1\n")
	put(t, m, fan+"rpm", "2400\n")
	look()
	put(t, m, dir+"curr1_max_alarm", "0\n")
	put(t, m, fan+"rpm", "1800\n")
	e := look()
	want := wire.Evidence{
		Looks: 3, OverCurrent: []wire.OverCurrent{{Rail: "VDD_IN", Limit: "warning", Looks: 1}},
		Fans: []wire.Fan{{Name: "pwm_tach", MinRPM: 1500, MaxRPM: 2400}},
	}
	if diff := cmp.Diff(want, e, near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if verdict, reason := judge(e); verdict != wire.Throttled || !strings.Contains(reason, "VDD_IN was above its warning limit") {
		t.Errorf("%s: %s", verdict, reason)
	}
}
