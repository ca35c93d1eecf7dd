package power

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParsePlugs(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		file    string
		parse   func([]byte, int) (plugReading, error)
		channel int
		want    plugReading
	}{
		{"plug/tasmota.json", parseTasmota, 0, plugReading{27, 234, 0.122, 3.185 * 3.6e6}},
		{"plug/tasmota-strip.json", parseTasmota, 0, plugReading{12, 231, 0.085, 3.6e6}},
		{"plug/tasmota-strip.json", parseTasmota, 1, plugReading{7, 231, 0.055, 0.5 * 3.6e6}},
		{"plug/shelly-gen2.json", parseShelly2, 0, plugReading{8.9, 232.7, 0.062, 4211.532 * 3600}},
		{"plug/shelly-gen1.json", parseShelly1, 0, plugReading{2.21, nan, nan, 439237 * 60}},
	} {
		got, err := c.parse([]byte(golden(t, c.file)), c.channel)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		if diff := cmp.Diff(c.want, got, attrNear); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.file, diff)
		}
	}
	// A count of all outlets together is not one of the first.
	if got, err := parseTasmota([]byte(`{"StatusSNS":{"ENERGY":{"Power":[5,7],"Total":3}}}`), 0); err != nil || got.Watts != 5 || !math.IsNaN(got.EnergyJ) {
		t.Errorf("a strip's first outlet: %+v, %v", got, err)
	}
	// An outlet that does not measure is not one that uses nothing.
	for name, c := range map[string]struct {
		parse func([]byte, int) (plugReading, error)
		text  string
	}{
		"no energy":  {parseTasmota, `{"StatusSNS":{"Time":"x","Switch1":"OFF"}}`},
		"no outlet":  {parseTasmota, `{"StatusSNS":{"ENERGY":{"Power":[]}}}`},
		"no apower":  {parseShelly2, `{"id":0,"output":true}`},
		"not valid":  {parseShelly1, `{"power":0,"is_valid":false}`},
		"impossible": {parseShelly1, `{"power":1e300}`},
		"html":       {parseShelly2, `<html>`},
	} {
		if got, err := c.parse([]byte(c.text), 0); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

// plugServer is a device that answers at one address.
func plugServer(t *testing.T, path, file string) *httptest.Server {
	t.Helper()
	body := golden(t, file)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != path {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

// A plug is recognised by what it answers, whatever its maker calls it.
func TestPlugsAreRecognised(t *testing.T) {
	for _, c := range []struct {
		path, file, source, kind string
		watts                    float64
		channel                  int
	}{
		{"/cm?cmnd=Status%208", "plug/tasmota.json", "tasmota", "", 27, 0},
		{"/rpc/Switch.GetStatus?id=0", "plug/shelly-gen2.json", "shelly-gen2", "", 8.9, 0},
		{"/rpc/Switch.GetStatus?id=3", "plug/shelly-gen2.json", "shelly-gen2", "shelly", 8.9, 3},
		{"/meter/0", "plug/shelly-gen1.json", "shelly-gen1", "", 2.21, 0},
	} {
		t.Run(c.source, func(t *testing.T) {
			s := plugServer(t, c.path, c.file)
			m, err := OpenPlug(t.Context(), PlugConfig{URL: s.URL, Kind: c.kind, Channel: c.channel})
			if err != nil {
				t.Fatal(err)
			}
			d := m.Describe()
			if d.Source != c.source || d.Scope != "wall" || d.Rails[0].Budget.GainRel != 0.02 || !d.Rails[1].Counter || d.Rails[1].InTotal || d.Settings["outlet"] != fmt.Sprint(c.channel+1) {
				t.Errorf("description %+v", d)
			}
			v := make([]Value, 2)
			if err := m.Read(v); err != nil || v[0].Watts != c.watts || v[1].Flags != Stale || v[1].Joules != 0 {
				t.Errorf("%v, %+v", err, v)
			}
			// Wi-Fi drops out: a hole in the record, not the end of the sweep.
			m.(*paced).now = func() time.Time { return time.Now().Add(time.Hour) }
			s.Close()
			if err := m.Read(v); err != nil || v[0].Flags != Missing {
				t.Errorf("without the plug: %v, %+v", err, v[0])
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whatever sits at the address, a user gets a sentence in bounded time and memory.
func TestHostilePlugs(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		}, "more than 65536 bytes"},
		"password": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, "password"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		}, "302"},
		"silent": {func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "timeout"},
		"deep":   {func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("[", 60000)) }, "depth"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.handler)
			defer s.Close()
			_, err := OpenPlug(t.Context(), PlugConfig{URL: s.URL, Timeout: 300 * time.Millisecond})
			if err == nil || !strings.Contains(strings.ToLower(err.Error()), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestPlugConfigIsChecked(t *testing.T) {
	for _, c := range []PlugConfig{
		{URL: ""},
		{URL: "plug.local"},
		{URL: "file:///etc/passwd"},
		{URL: "http://h/x?y"},
		{URL: "http://u:p@h"},
		{URL: "http://h", Channel: -1},
		{URL: "http://h", Kind: "fritz"},
	} {
		if _, err := OpenPlug(context.Background(), c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func FuzzParsePlugs(f *testing.F) {
	for _, s := range []string{`{"apower":8.9,"aenergy":{"total":1}}`, `{"power":2.2,"total":4,"is_valid":true}`, `{"StatusSNS":{"ENERGY":{"Power":[1,2],"Total":3}}}`} {
		f.Add([]byte(s), 0)
	}
	f.Fuzz(func(t *testing.T, body []byte, channel int) {
		if channel < 0 {
			return
		}
		for _, kind := range plugKinds {
			if r, err := kind.parse(body, channel); err == nil && (math.IsNaN(r.Watts) || math.Abs(r.Watts) > maxOutletW || r.EnergyJ < 0) {
				t.Errorf("%s: %+v of %q", kind.name, r, body)
			}
		}
	})
}
