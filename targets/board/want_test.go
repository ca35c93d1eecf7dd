package board

import (
	"strings"
	"testing"
)

// What the inventory asks for and the board is not must be told, or figures of two
// settings, or of two boards, end up in one row.
func TestWishesAreCompared(t *testing.T) {
	fan := []Cooling{{Type: "pwm-fan", State: 1, Max: 4}}
	var pi, jetson, pi4, phone Facts
	pi.Kind, pi.Model, pi.Coolings = Pi5, "Raspberry Pi 5 Model B Rev 1.0", fan
	pi.Policies = []Policy{{Name: "policy0", CPUs: "0-3", Governor: "performance"}}
	jetson.Kind, jetson.Coolings = OrinNano, fan
	pi4.Kind, phone.Kind = Pi4, Generic
	for _, c := range []struct {
		name string
		f    Facts
		w    Want
		what string // "" = no finding
		mend string
	}{
		{"nothing wanted", pi, Want{}, "", ""},
		{"as wanted", pi, Want{Kind: Pi5, Governor: "performance", Fan: "25%"}, "", ""},
		{"another board", pi, Want{Kind: Pi4}, "another board", "board: of the target"},
		{"another governor", pi, Want{Governor: "ondemand"}, "governor is not as wanted", "echo ondemand"},
		{"fan at most", pi, Want{Fan: "max"}, "fan is not as wanted", "echo 4 |"},
		{"fan half", pi, Want{Fan: "50%"}, "fan is not as wanted", "echo 2 |"},
		{"fan of a Jetson", jetson, Want{Fan: "max"}, "fan is not as wanted", "jetson_clocks --fan"},
		{"the fan as it likes", pi, Want{Fan: "auto"}, "", ""},
		{"a phone that hides its make", phone, Want{Kind: Phone}, "", ""},
		{"no fan", pi4, Want{Fan: "max"}, "no fan tells", "take fan: out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d diagnosis
			d.identity(c.f, c.w)
			d.wishes(c.f, c.w)
			switch {
			case c.what == "" && len(d) > 0:
				t.Errorf("found %+v", d)
			case c.what != "" && (len(d) != 1 || !strings.Contains(d[0].What, c.what) || !strings.Contains(d[0].Mend, c.mend)):
				t.Errorf("found %+v; want %s, mended by %s", d, c.what, c.mend)
			}
		})
	}
}
