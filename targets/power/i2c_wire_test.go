package power

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
)

func FuzzSocketRequest(f *testing.F) {
	f.Add(socketRequest{addr: 0x40, write: []byte{0}, read: 2}.append(nil))
	f.Add([]byte{0xFF, 0xFF, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := readSocketRequest(bytes.NewReader(b))
		if err != nil {
			return
		}
		if again := q.append(nil); !bytes.HasPrefix(b, again) {
			t.Errorf("%x is read as %+v, which is %x", b, q, again)
		}
	})
}

func FuzzSocketReply(f *testing.F) {
	f.Add(appendSocketReply(nil, []byte{0x71, 0x27}, nil), 2)
	f.Add(appendSocketReply(nil, nil, errors.New("no device answers")), 2)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		data := make([]byte, max(0, n)%(socketMax+1))
		if readSocketReply(bytes.NewReader(b), data) != nil {
			return
		}
		if again := appendSocketReply(nil, data, nil); !bytes.HasPrefix(b, again) {
			t.Errorf("%x is read as %x", b, data)
		}
	})
}

func TestSocketReplies(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want string
	}{
		{"short", []byte{0, 2, 1}, "EOF"},
		{"another length", []byte{0, 1, 1}, "1 bytes where 2"},
		{"another protocol", []byte("HTTP/1.1 400 Bad Request" + strings.Repeat(" ", 99)), "does not speak"},
		{"control characters", appendSocketReply(nil, nil, errors.New("\x1b[2J")), `\x1b`},
		{"endless text", appendSocketReply(nil, nil, errors.New(strings.Repeat("x", 1e6))), "xxx"},
	}
	for _, tt := range tests {
		if err := readSocketReply(bytes.NewReader(tt.in), make([]byte, 2)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

// A recording that does not replay is no evidence.
func TestRecordAndReplay(t *testing.T) {
	s := (&script{addr: 0x40}).
		reads(0xFE, 0x5449, 0xFF, 0x2260, 0x00, 0x4127, 0x05, 0).
		writes(0x05, 0x0800).writes(0x00, 0x4000|planINA(35*time.Millisecond, 1).bits()).
		reads(0x06, 8, 0x05, 0x0800, 0x01, 0x0FA0, 0x02, 0x0FA0, 0x04, 0x0FA0, 0x03, 0x0320, 0x01, 0x0FA0, 0x02, 0x0FA0).
		reads(0x06, 8, 0x01, 0x07D0, 0x02, 0x0FA0).
		reads(0x06, 0)
	cfg := I2C{Chip: ChipINA226, Sleep: noSleep, Rails: []I2CRail{{Name: "5V", ShuntUOhm: 10000}}}
	var file bytes.Buffer
	rec := Record(s.bus(), &file)
	_, want := readTwice(t, rec, cfg)
	if err := rec.Flush(); err != nil {
		t.Fatal(err)
	}
	if want[0].Watts != 2.5 || want[1].Flags != Stale {
		t.Fatalf("recorded %+v, want 2.5 W and then the same, stale", want)
	}
	replay, err := Replay(&file)
	if err != nil {
		t.Fatal(err)
	}
	m, got := readTwice(t, replay, cfg)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replayed (-recorded +replayed):\n%s", diff)
	}
	if !m.Describe().Simulated {
		t.Error("a replay passes for a measurement")
	}
	if err := m.Read(make([]Value, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the meter behind the end says %v, want io.EOF", err)
	}
	if replay.Elapsed() < 0 {
		t.Error("time goes back")
	}
}

// What a meter writes when it is closed ends its recording, not with an error.
func TestReplayEndsWhereTheSensorWasGivenBack(t *testing.T) {
	s := (&script{addr: 0x40}).
		reads(0xFE, 0x5449, 0xFF, 0x2260, 0x00, 0x4127, 0x05, 0).
		writes(0x05, 0x0800).writes(0x00, 0x4000|planINA(35*time.Millisecond, 1).bits()).
		reads(0x06, 8, 0x05, 0x0800, 0x01, 0x0FA0, 0x02, 0x0FA0, 0x04, 0x0FA0, 0x03, 0x0320, 0x01, 0x0FA0, 0x02, 0x0FA0).
		reads(0x06, 8, 0x01, 0x07D0, 0x02, 0x0FA0).
		writes(0x05, 0).writes(0x00, 0x4127)
	cfg := I2C{Chip: ChipINA226, Sleep: noSleep, Rails: []I2CRail{{Name: "5V", ShuntUOhm: 10000}}}
	var file bytes.Buffer
	rec := Record(s.bus(), &file)
	m, err := OpenI2COn(rec, cfg)
	if err != nil {
		t.Fatal(err)
	}
	read := func(m Meter) error { return m.Read(make([]Value, 1)) }
	if err := errors.Join(read(m), m.Close(), rec.Flush()); err != nil {
		t.Fatal(err)
	}
	replay, err := Replay(&file)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = OpenI2COn(replay, cfg); err != nil {
		t.Fatal(err)
	}
	if err := read(m); err != nil {
		t.Fatal(err)
	}
	if err := read(m); !errors.Is(err, io.EOF) {
		t.Errorf("behind the last reading: %v, want io.EOF", err)
	}
}

func readTwice(t *testing.T, bus i2c.Bus, cfg I2C) (Meter, []Value) {
	t.Helper()
	m, err := OpenI2COn(bus, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var got []Value
	for range 2 {
		v := make([]Value, 1)
		if err := m.Read(v); err != nil {
			t.Fatal(err)
		}
		got = append(got, v[0])
	}
	return m, got
}

func TestReplayRefuses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "\n\n", "it is empty"},
		{"no JSON", `{"addr":64,"w":"00"}` + "\nBUS\n", "line 2"},
		{"no hexadecimals", `{"addr":64,"w":"0x"}`, "line 1: w"},
		{"half a byte", `{"addr":64,"r":"712"}`, "r \"712\""},
		{"address", `{"addr":200}`, "7 bits"},
		{"unknown key", `{"addr":64,"q":1}`, `"q"`},
		{"two objects", `{"addr":64}{}`, "more than one"},
		{"time", `{"t_us":-1,"addr":64}`, "t_us"},
		{"a later header", `{"addr":64,"w":"00"}` + "\n" + `{"recording":1,"i2c":{"rails":[{"name":"a","shunt_uohm":1}]}}`, "line 2"},
		{"two headers", strings.Repeat(`{"recording":1,"i2c":{"rails":[{"name":"a","shunt_uohm":1}]}}`+"\n", 2), "line 2"},
		{"only a header", `{"recording":1,"i2c":{"rails":[{"name":"a","shunt_uohm":1}]}}`, "it is empty"},
		{"header's version", `{"recording":2,"i2c":{"rails":[{"name":"a","shunt_uohm":1}]}}`, "version 1"},
		{"header's key", `{"recording":1,"i2c":{"rail":[]}}`, `"rail"`},
		{"header's sensor", `{"recording":1,"i2c":{"address":16,"rails":[{"name":"a","shunt_uohm":1}]}}`, "0x10"},
		{"header's name", `{"recording":1,"i2c":{"rails":[{"name":"` + strings.Repeat("a", 65) + `","shunt_uohm":1}]}}`, "64 characters"},
		{"header and more", `{"recording":1,"i2c":{"rails":[{"name":"a","shunt_uohm":1}]}}]`, "more than one"},
		{"endless line", `{"addr":64,"w":"` + strings.Repeat("00", 5000), "longer than 4096"},
	}
	for _, tt := range tests {
		if _, err := Replay(strings.NewReader(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte(`{"t_us":1250,"addr":64,"w":"01","r":"07d0"}` + "\n"))
	f.Add([]byte(`{"recording":1,"i2c":{"chip":"ina3221","rails":[{"name":"a","channel":3,"shunt_uohm":5000}]},"kernel_driver":"ina3221"}` + "\n" + `{"addr":64,"w":"01","r":"07d0"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Replay(bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if p.head != nil {
			if err := WriteHeader(&again, *p.head); err != nil {
				t.Fatal(err)
			}
		}
		rec := Record(&i2ctest.Playback{Ops: p.play.Ops, DontPanic: true}, &again)
		for _, op := range p.play.Ops {
			if err := rec.Tx(op.Addr, op.W, make([]byte, len(op.R))); err != nil {
				t.Fatal(err)
			}
		}
		if err := rec.Flush(); err != nil {
			t.Fatal(err)
		}
		q, err := Replay(&again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p.play.Ops, q.play.Ops); diff != "" {
			t.Errorf("recorded again (-first +second):\n%s", diff)
		}
		if diff := cmp.Diff(p.head, q.head); diff != "" {
			t.Errorf("headed again (-first +second):\n%s", diff)
		}
	})
}
