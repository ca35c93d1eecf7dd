package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/targets"
	"github.com/seed-c6f48606/harness/targets/power"
)

// meterOf reads the meter of an inventory as a user writes it.
func meterOf(t *testing.T, meter string) targets.Target {
	t.Helper()
	v, err := targets.Parse([]byte("targets:\n- {name: a, address: h, meter: " + meter + "}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return v.Targets[0]
}

// A sensor read at another channel, or in a range eight times too wide, gives
// joules that look right.
func TestMeterOfTheInventoryReachesTheSensor(t *testing.T) {
	for meter, want := range map[string]power.I2C{
		"{kind: i2c, bus: 1, address: 0x40, chip: ina219, shunt_uohm: 10000, scope: board-5V, max_amps: 4, volts: 5, shunt_rel: 0.005}": {
			Bus: "1", Address: 0x40, Chip: power.ChipINA219, Scope: "board-5V",
			Rails: []power.I2CRail{{Name: "input", ShuntUOhm: 10000, MaxAmps: 4, Volts: 5, ShuntRel: 0.005}},
		},
		"{kind: i2c, bus: 1, address: 0x41, chip: ina3221, channel: 2, shunt_uohm: 100000}": {
			Bus: "1", Address: 0x41, Chip: power.ChipINA3221,
			Rails: []power.I2CRail{{Name: "input", Channel: 2, ShuntUOhm: 100000}},
		},
	} {
		got := i2cOf(meterOf(t, meter).Meter)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(power.I2C{}, "Sleep")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", meter, diff)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: taken by the inventory, refused by the sensor: %v", meter, err)
		}
	}
	for meter, want := range map[string]int{
		"{kind: shelly, url: 'http://h'}": 0, "{kind: shelly, url: 'http://h', channel: 1}": 0, "{kind: tasmota, url: 'http://h', channel: 32}": 31,
	} {
		if got := plugOf(meterOf(t, meter).Meter).Channel; got != want {
			t.Errorf("%s asks for channel %d of the plug, want %d", meter, got, want)
		}
	}
}

// The board in the second outlet must not be billed what the first one draws.
func TestSecondOutletOfAStrip(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"StatusSNS":{"ENERGY":{"Power":[12,7],"Voltage":231,"Current":[0.085,0.055]}}}`)
	}))
	defer s.Close()
	for channel, want := range map[string]float64{"1": 12, "2": 7} {
		m, err := openMeter(t.Context(), meterOf(t, "{kind: tasmota, url: '"+s.URL+"', channel: "+channel+"}"))
		if err != nil {
			t.Fatal(err)
		}
		v := make([]power.Value, 1)
		if err := m.Read(v); err != nil || v[0].Watts != want {
			t.Errorf("outlet %s: %g W and %v, want %g W", channel, v[0].Watts, err, want)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}
