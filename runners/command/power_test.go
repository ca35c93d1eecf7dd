package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/targets/power"
)

// What a board's sensor shows must be the same on the user's screen, also where
// it shows nothing.
func TestPowerLinesGoThrough(t *testing.T) {
	d := power.Description{Source: "x", Scope: "module", TotalRule: "A", Rails: []power.Rail{{Name: "A", InTotal: true}, {Name: "B"}}, Simulated: true}
	nan := math.NaN()
	frames := []power.Frame{
		{At: 0, Total: power.Rolling{NowW: 1, MeanW: 1, MinW: 1, MaxW: 1}, Rails: []power.Rolling{{NowW: 1, MeanW: 1, MinW: 1, MaxW: 1, Flags: power.Saturated}, {NowW: nan, MeanW: nan, MinW: nan, MaxW: nan, Flags: power.Missing}}},
		{At: 1500 * time.Millisecond, Total: power.Rolling{NowW: 2.5, MeanW: 1.75, MinW: 1, MaxW: 2.5}, Rails: []power.Rolling{{NowW: 2.5}, {NowW: 0.25}}},
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	if err := enc.Encode(PowerLine{Sensor: &d}); err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		if err := enc.Encode(PowerLine{Frame: frameOf(f)}); err != nil {
			t.Fatal(err)
		}
	}
	var sensor power.Description
	var got []power.Frame
	err := ReadPower(&b, func(d power.Description) error { sensor = d; return nil }, func(f power.Frame) error { got = append(got, f); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, sensor); diff != "" {
		t.Errorf("sensor (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(frames, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

// A board may say anything; it must not crash the controller or fill its memory.
func FuzzReadPower(f *testing.F) {
	f.Add([]byte(`{"sensor":{"Rails":[{"Name":"A"}]}}` + "\n" + `{"frame":{"at_s":1,"total":{"now_w":1},"rails":[{"now_w":null}]}}`))
	f.Add([]byte(`{"frame":{"rails":[]}}`))
	f.Add([]byte(`{"sensor":{}}` + "\n" + `{"sensor":{}}`))
	f.Add([]byte("\x00\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rails := -1
		err := ReadPower(bytes.NewReader(b), func(d power.Description) error { rails = len(d.Rails); return nil }, func(fr power.Frame) error {
			if len(fr.Rails) != rails {
				t.Errorf("a frame of %d rails of a sensor with %d", len(fr.Rails), rails)
			}
			return nil
		})
		if err == nil && bytes.Contains(b, []byte("\xff")) {
			t.Errorf("%q was read", b)
		}
	})
}

// So may it of a calibration, of which the controller prints what it was told.
func FuzzReadCalibration(f *testing.F) {
	f.Add([]byte(`{"sensor":{"Rails":[{"Name":"A"}]},"steps":[{"name":"idle","total_w":1,"rails":[{"name":"A","mean_w":null}]}],"cost":{"loss_rel":0.1}}`))
	f.Add([]byte(`{"steps":null}`))
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ReadCalibration(bytes.NewReader(b))
		if (c == nil) != (err != nil) {
			t.Errorf("calibration %v, error %v", c, err)
		}
	})
}

func TestBrokenPowerLines(t *testing.T) {
	const sensor = `{"sensor":{"Rails":[{"Name":"A"}]}}` + "\n"
	stop := errors.New("enough")
	for text, want := range map[string]string{
		"Segmentation fault\n":                            "line 1",
		`{"frame":{"rails":[]}}`:                          "line 1: neither",
		sensor + `{"frame":{"rails":[]}}`:                 "line 2: neither",
		sensor + sensor:                                   "line 2: neither",
		sensor + strings.Repeat("x", 2*maxPowerLine):      "too long",
		sensor + `{"frame":{"rails":[{"now_w":1}]}}`:      "enough",
		sensor + `{"frame":{"rails":[{"now_w":"much"}]}}`: "line 2",
	} {
		err := ReadPower(strings.NewReader(text), func(power.Description) error { return nil }, func(power.Frame) error { return stop })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: got %v, want an error with %q", text, err, want)
		}
	}
}

// The flag carries what a user wrote into the inventory to the board and back.
func TestSensorsFlag(t *testing.T) {
	want := Sensors{
		ShuntUOhm: map[string]float64{"VDD_IN": 5000}, Total: []string{"VDD_IN"},
		I2C: &power.I2C{Bus: "1", Chip: "ina226", Rails: []power.I2CRail{{Name: "5V", ShuntUOhm: 10000}}},
	}
	argv, err := want.Argv()
	if err != nil || len(argv) != 2 || argv[0] != "--sensors" {
		t.Fatalf("%q, %v", argv, err)
	}
	var got Sensors
	if err := (sensorsVar{&got}).Set(argv[1]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(power.I2C{}, "Sleep")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, text := range []string{"", "[]", `{"shunts":{}}`, `{"i2c":{"rails":[]}}`, `{"i2c":{"chip":"ina999","rails":[{"name":"a","shunt_uohm":1}]}}`} {
		if err := (sensorsVar{&Sensors{}}).Set(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if argv, err := (Sensors{}).Argv(); argv != nil || err != nil {
		t.Errorf("nothing is told by %q, %v", argv, err)
	}
}
