package profile_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	pprof "github.com/google/pprof/profile"

	"github.com/seed-c6f48606/harness/reports/profile"
)

var update = flag.Bool("update", false, "rewrite golden files")

const module = "example.com/m"

// made returns a profile of stacks, outermost function first, with their CPU
// time in ms.
func made(stacks map[string]int64) *pprof.Profile {
	p := &pprof.Profile{
		SampleType: []*pprof.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &pprof.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1e7,
	}
	functions := map[string]*pprof.Location{}
	location := func(name string) *pprof.Location {
		if l := functions[name]; l != nil {
			return l
		}
		id := uint64(len(functions) + 1)
		file := "x.go"
		if strings.HasSuffix(name, "AVX2") {
			file = "x_amd64.s"
		}
		f := &pprof.Function{ID: id, Name: name, Filename: file}
		l := &pprof.Location{ID: id, Line: []pprof.Line{{Function: f}}}
		functions[name] = l
		p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		return l
	}
	for stack, ms := range stacks {
		s := &pprof.Sample{Value: []int64{ms / 10, ms * 1e6}}
		for _, name := range strings.Split(stack, ";") {
			s.Location = append([]*pprof.Location{location(name)}, s.Location...)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func example() *pprof.Profile {
	return made(map[string]int64{
		"runtime.main;main.main;example.com/m/runners/engine.(*Engine).Forward;example.com/m/kernels.(*Pool).Run;example.com/m/kernels.dotAVX2": 600,
		"runtime.main;main.main;example.com/m/runners/engine.(*Engine).Forward;example.com/m/kernels.(*Pool).Run":                               20,
		"runtime.main;main.main;example.com/m/runners/engine.(*Engine).Forward;example.com/m/kernels.normalize[go.shape.float32]":               40,
		"example.com/m/kernels.(*Pool).serve;example.com/m/kernels.dotAVX2":                                                                     300,
		"runtime.mcall;runtime.park_m;runtime.schedule":                                                                                         30,
		"example.com/m/kernels.(*Pool).serve;strings.Repeat":                                                                                    9,
		"runtime.main;main.main;example.com/m/engine.(*Engine).Forward;example.com/m/engine.tooLittleToSee;example.com/m/engine.nor<this>AVX2":  0,
	})
}

func draw(t *testing.T, f profile.Flame, p *pprof.Profile) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The picture in the docs is compared with the one of another day: the same
// profile must give the same bytes.
func TestFlameGolden(t *testing.T) {
	f := profile.Flame{Title: "decode", Note: "an example & its note", Module: module, From: module + "/runners/engine."}
	got := draw(t, f, example())
	path := filepath.Join("testdata", "flame.svg")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got; -update rewrites it):\n%s", diff)
	}
	for range 5 { // samples come in the order of a map
		if !bytes.Equal(draw(t, f, example()), got) {
			t.Fatal("the picture differs from run to run")
		}
	}
}

func TestFlame(t *testing.T) {
	text := string(draw(t, profile.Flame{Title: "a <b>", Module: module, From: module + "/runners/engine."}, example()))
	for _, want := range []string{
		"a &lt;b&gt;", "engine.(*Engine).Forward, 66.1 %", "kernels.dotAVX2, 60.1 %", "assembly 90.1 %", "Go runtime 3.0 %", "all, 100.0 %",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, not := range []string{"main.main", "tooLittleToSee", "http://www.w3.org/1999", "<script", "href"} {
		if strings.Contains(text, not) {
			t.Errorf("%q is in it", not)
		}
	}
	wellFormed(t, text)
}

func wellFormed(t *testing.T, text string) {
	t.Helper()
	for dec := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
	}
}

// Names of generic or closure functions hold what XML does not like.
func TestFlameEscapes(t *testing.T) {
	wellFormed(t, string(draw(t, profile.Flame{Title: `"&<>`, Note: "<&>"}, made(map[string]int64{`a.f[<-chan "x"&];b.g`: 10}))))
}

func TestNothingToDraw(t *testing.T) {
	var f profile.Flame
	for _, p := range []*pprof.Profile{{}, made(nil), made(map[string]int64{"a": 0})} {
		if err := f.Write(io.Discard, p); err == nil {
			t.Error("drawn")
		}
	}
}
