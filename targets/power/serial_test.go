package power

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseHeader(t *testing.T) {
	h, err := parseHeader("t_us,5V_mV,5V_mA,core_W,usb_hub_uJ\r\n")
	if err != nil {
		t.Fatal(err)
	}
	values := make([]Value, 3)
	raw, err := h.parse("1000000, 5000,2000,1.5,7000000", values)
	if err != nil || raw != 1e6 || h.seconds != 1e-6 {
		t.Fatalf("time %g × %g s, %v", raw, h.seconds, err)
	}
	nan := math.NaN()
	want := []Value{
		{Volts: 5, Amps: 2, Watts: 10, Joules: nan}, {Volts: nan, Amps: nan, Watts: 1.5, Joules: nan}, {Volts: nan, Amps: nan, Watts: nan, Joules: 7},
	}
	if diff := cmp.Diff(want, values, attrNear); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	for name, header := range map[string]string{
		"no time":       "V,A",
		"no rail":       "t_us",
		"unit":          "t_us,V,A,core_kW",
		"only volts":    "t_us,5V_V",
		"twice":         "t_us,W,W",
		"time of day":   "t_h,W",
		"no rail name":  "t_us,_W",
		"endless":       "t_us," + strings.Repeat("W,", 2000),
		"many columns":  "t_us" + strings.Repeat(",a_W", 64),
		"another start": "x,t_us,W",
	} {
		if h, err := parseHeader(header); err == nil {
			t.Errorf("%s: read as %+v", name, h)
		}
	}
	for _, row := range []string{"", "1,2,3,4", "1,2,3,4,5,6", "1,2,3,4,x", "1,2,3,4,NaN", "1,2,3,4,1e300", "1,Inf,3,4,5"} {
		if _, err := h.parse(row, values); err == nil {
			t.Errorf("row %q was taken", row)
		}
	}
}

// What lies between two polls counts too, and the device's clock may turn over:
// at 1 µs it does after 72 minutes.
func TestSerialIntegrates(t *testing.T) {
	h, err := parseHeader("t_us,W,count_J")
	if err != nil {
		t.Fatal(err)
	}
	var s serialSum
	v := make([]Value, 2)
	for _, row := range []string{
		"4294000000,2,10", "4294500000,4,11", "32704,4,12.5", // 0.5 s of 3 W, then 500 ms of 4 W over the turn
		"5,4,1",      // reset: the device's clock and its counter go back
		"100005,8,2", // 100 ms of 6 W
	} {
		raw, err := h.parse(row, v)
		if err != nil {
			t.Fatal(err)
		}
		s.add(&h, raw, v)
	}
	if diff := cmp.Diff([]float64{0.5*3 + 0.5*4 + 0.1*6, 2.5 + 1}, s.joules, attrNear); diff != "" {
		t.Errorf("joules (-want +got):\n%s", diff)
	}
	if s.breaks != 1 || s.rows != 5 {
		t.Errorf("%d breaks in %d rows, want 1 in 5", s.breaks, s.rows)
	}
}

// stream feeds a meter from a pipe.
func stream(t *testing.T, c SerialConfig, text string) (Meter, *io.PipeWriter, error) {
	t.Helper()
	r, w := io.Pipe()
	go io.WriteString(w, text) //nolint:errcheck // the reader may hang up
	m, err := ReadSerial(r, c)
	if err != nil {
		w.Close()
	} else {
		t.Cleanup(func() { m.Close() })
	}
	return m, w, err
}

func rows(from, n int) string {
	var b strings.Builder
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&b, "%d,5.0,2.0\n", i*1000)
	}
	return b.String()
}

// The first line may be the end of one, noise may fall into the middle: the rest
// of the stream is whole.
func TestSerialStream(t *testing.T) {
	m, w, err := stream(t, SerialConfig{}, "7,5.0\nt_us,V,A\n"+rows(0, 3)+"# a remark\n\xff\x00garbage\n"+strings.Repeat("9", 5000)+"\n"+rows(3, 8))
	if err != nil {
		t.Fatal(err)
	}
	d := m.Describe()
	if len(d.Rails) != 1 || d.Rails[0].Name != "supply" || !d.Rails[0].Counter || !d.Rails[0].InTotal || d.Cycle != time.Millisecond || d.Rails[0].Budget.GainRel != 0.02 {
		t.Errorf("description %+v", d)
	}
	io.WriteString(w, rows(11, 1)) //nolint:errcheck // a pipe takes it when it is read
	io.WriteString(w, "\n")        //nolint:errcheck // now the row before was taken
	v := make([]Value, 1)
	if err := m.Read(v); err != nil || math.Abs(v[0].Joules-0.110) > 1e-9 || v[0].Watts != 10 || v[0].Flags != 0 {
		t.Errorf("%v, %+v; want 11 ms of 10 W", err, v[0])
	}
	if err := m.Read(v); err != nil || v[0].Flags != Stale {
		t.Errorf("%v, %+v; want the same, stale", err, v[0])
	}
	io.WriteString(w, "1,5.0,2.0\n\n") //nolint:errcheck // the device was reset
	if err := m.Read(v); err != nil || v[0].Flags&Missing == 0 {
		t.Errorf("after a reset: %v, %+v", err, v[0])
	}
	w.CloseWithError(errors.New("unplugged"))
	<-m.(*Serial).done
	if err := m.Read(v); err == nil || !strings.Contains(err.Error(), "unplugged") {
		t.Errorf("after unplugging: %v", err)
	}
}

func TestSerialThatSaysNothingOfUse(t *testing.T) {
	for name, c := range map[string]struct {
		config SerialConfig
		text   string
		want   string
	}{
		"no header":    {SerialConfig{}, rows(0, 50), "no header"},
		"silence":      {SerialConfig{Header: "t_us,V,A"}, "", "sent 0 rows"},
		"other":        {SerialConfig{Header: "t_us,V,A"}, strings.Repeat("hello\n", serialMaxBad+5), "made no sense"},
		"no end":       {SerialConfig{}, strings.Repeat("x", 1<<20), "no header"},
		"bad header":   {SerialConfig{Header: "V,A"}, "", "first column"},
		"which total":  {SerialConfig{}, "\nt_us,a_W,b_W\n1,1,1\n2,1,1\n3,1,1\n4,1,1\n5,1,1\n", "add up"},
		"unknown rail": {SerialConfig{TotalRails: []string{"c"}}, "\nt_us,a_W,b_W\n1,1,1\n2,1,1\n3,1,1\n4,1,1\n5,1,1\n", "rail c"},
	} {
		t.Run(name, func(t *testing.T) {
			c.config.Wait = 200 * time.Millisecond
			_, _, err := stream(t, c.config, c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzSerial(f *testing.F) {
	f.Add("t_us,V,A", "1,5,2\n2,5,2\n")
	f.Add("t_ms,core_W,x_uJ", "1,5,2\n0,5,2\n4294967295,1,1\n")
	f.Fuzz(func(t *testing.T, header, text string) {
		h, err := parseHeader(header)
		if err != nil {
			return
		}
		var s serialSum
		v := make([]Value, len(h.rails))
		for _, line := range strings.Split(text, "\n") {
			if raw, err := h.parse(line, v); err == nil {
				s.add(&h, raw, v)
			}
		}
		for i, j := range s.joules {
			if math.IsNaN(j) {
				t.Errorf("rail %d of %q: NaN J of %q", i, header, text)
			}
		}
	})
}
