package bundle

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

func contents() Contents {
	at := time.Date(2026, 11, 28, 3, 0, 0, 5000, time.UTC)
	return Contents{
		Run: store.Run{
			ID: "r1", Plan: json.RawMessage(`{"bits":[8]}`), Command: "harness sweep --bits '<8>'", Model: "m", Dataset: "d",
			Started: at, Ended: at.Add(time.Minute), State: store.Done,
		},
		Environments: map[string]wire.Environment{"local": {OS: "linux"}, "a": {OS: "linux", Cores: 4}},
		Cells:        []store.Cell{{ID: "8b", Target: "local", Artefact: "k", Axes: json.RawMessage(`{"bits":8}`)}},
		Artefacts:    []store.Artefact{{Key: "k", Hash: "h", Bits: 8, RankRatio: 0.1, BuildS: 1.0 / 3, Report: json.RawMessage(`{}`)}},
		Qualities:    []store.Quality{{Subject: "k", Result: wire.EvalResult{Labels: []string{"a", "b"}, Predictions: []int{1, 0}, Truth: []int{1, -1}}}},
		Events:       []store.Event{{At: at, Level: store.Warning, Code: "c", Text: "ä <b>"}},
	}
}

func trials() []store.Trial {
	at := time.Date(2026, 11, 28, 3, 0, 1, 0, time.UTC)
	return []store.Trial{
		{ID: 1, Cell: "8b", Started: at, Ended: at.Add(time.Second), Result: wire.MeasureResult{
			Verdict: wire.Valid, WindowS: 0.1, Samples: []wire.Sample{{TimeS: 1e-9, LatencyMS: math.Nextafter(2, 3), Items: 1, Tokens: 9}, {TimeS: 0.1, LatencyMS: 1.0 / 3, Items: 2}},
		}},
		{ID: 2, Cell: "8b", Repeat: 1, Started: at, Ended: at, Result: wire.MeasureResult{Verdict: wire.Faulted, Reason: "gone"}},
	}
}

// small writes a bundle of a run that is small enough to flip every byte of.
func small(t testing.TB, change func(*Writer)) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := New(&out, Manifest{ToolVersion: "v1", Rules: 1}, contents())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range trials() {
		if err := w.Trial(x); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(w)
	}
	v := 1.5
	if err := w.Close([]stat.Row{{Run: "r1", Cell: "8b", Metric: "latency_ms_p50", Value: &v}}, map[string]int{"x": 1}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(data []byte) (*Bundle, error) { return Open(bytes.NewReader(data), int64(len(data))) }

// What a colleague opens must be what was measured, to the last bit, and the same
// run must give the same file twice.
func TestRoundTrip(t *testing.T) {
	data := small(t, nil)
	if !bytes.Equal(data, small(t, nil)) {
		t.Error("the same run gave two different bundles")
	}
	b, err := open(data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Contents()
	if err != nil {
		t.Fatal(err)
	}
	got.Run.Plan = bytes.TrimSpace(got.Run.Plan)
	if diff := cmp.Diff(contents(), got); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
	var ts []store.Trial
	if err := b.Trials(func(x store.Trial) error { ts = append(ts, x); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(trials(), ts); diff != "" {
		t.Errorf("trials (-want +got):\n%s", diff)
	}
	var summary map[string]int
	rows, err := b.Published(&summary)
	if err != nil || len(rows) != 1 || *rows[0].Value != 1.5 || summary["x"] != 1 {
		t.Errorf("published %+v %v, %v", rows, summary, err)
	}
}

// A figure whose evidence was changed, by a failing disk or on purpose, must not
// pass for measured. Every byte counts, also those between the files.
func TestEveryFlippedByteIsFoundAndNamed(t *testing.T) {
	data := small(t, nil)
	good, err := open(data)
	if err != nil {
		t.Fatal(err)
	}
	in := make([]string, len(data)) // the file that a byte is the content of
	for name, p := range good.at {
		for i := p.offset; i < p.offset+p.size; i++ {
			in[i] = name
		}
	}
	for i := range data {
		if in[i] == "" && data[i] == 0 && i%7 != 0 {
			continue // most of the padding, which is all alike
		}
		flip := byte(1) << (i % 8)
		data[i] ^= flip
		_, err := open(data)
		data[i] ^= flip
		var damage *DamageError
		switch {
		case err == nil:
			t.Fatalf("byte %d (%s) flipped, and the bundle opens", i, in[i])
		case in[i] == "" && (errors.As(err, &damage) || i < 512 && strings.Contains(err.Error(), "beginning is damaged")):
		case in[i] == sumFile && errors.As(err, &damage) && damage.Member == manifestFile:
		case in[i] != "" && errors.As(err, &damage) && damage.Member == in[i]:
		default:
			t.Fatalf("byte %d of %q flipped: %v", i, in[i], err)
		}
	}
	for _, n := range []int{0, 1, 511, 512, 513, len(data) / 2, len(data) - 512, len(data) - 1} {
		if _, err := open(data[:n]); err == nil {
			t.Errorf("cut at %d of %d bytes, and the bundle opens", n, len(data))
		}
	}
	if _, err := open(append(slices.Clone(data), 0)); err == nil {
		t.Error("a byte was appended, and the bundle opens")
	}
}

// A bundle of a newer harness must say so instead of being read half.
func TestNewerVersion(t *testing.T) {
	_, err := open(small(t, func(w *Writer) { w.manifest.Version = Version + 1 }))
	if err == nil || !strings.Contains(err.Error(), "has version 2; this harness reads up to 1: update it") {
		t.Error(err)
	}
	if _, err := open(small(t, func(w *Writer) { w.manifest.Format = "other" })); err == nil {
		t.Error("another format was opened")
	}
}

// A bundle comes from anywhere: opening it must not write a file, take memory that
// it does not have, or believe what it lists.
func TestHostileArchives(t *testing.T) {
	archive := func(headers ...tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush() //nolint:errcheck // it may want the content that is not there
		return b.Bytes()
	}
	file := func(name string, size int64) tar.Header { return *header(name, size) }
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"no archive":           {[]byte(strings.Repeat("text ", 500)), "no evidence bundle"},
		"empty":                {nil, "there is no file in it"},
		"a path out of it":     {archive(file("../../etc/passwd", 0)), "is no file of a bundle"},
		"an absolute path":     {archive(file("/run.json", 0)), "is no file of a bundle"},
		"a link":               {archive(tar.Header{Typeflag: tar.TypeSymlink, Name: runFile, Linkname: "/etc/passwd"}), "is no file of a bundle"},
		"a folder":             {archive(tar.Header{Typeflag: tar.TypeDir, Name: "trials/"}), "is no file of a bundle"},
		"more than it has":     {archive(file(runFile, 1<<33-1)), "it says it has 8589934591 bytes, and the archive has 0 left"},
		"twice":                {archive(file(runFile, 0), file(runFile, 0)), "it is there twice"},
		"another mode":         {archive(tar.Header{Typeflag: tar.TypeReg, Name: runFile, Mode: 0o777}), "not as written"},
		"a long name":          {archive(tar.Header{Typeflag: tar.TypeReg, Name: strings.Repeat("a", 300), Format: tar.FormatPAX}), "is no file of a bundle"},
		"a file nobody lists":  {small(t, func(w *Writer) { w.add("trials/000003.json", nil); w.manifest.Members = w.manifest.Members[:9] }), "in its place"},
		"a number left out":    {small(t, func(w *Writer) { w.trials = 7; w.Trial(trials()[0]) }), "trials/000003.json: the archive has trials/000008.json"},
		"columns of two sizes": {small(t, func(w *Writer) { w.json("trials/000003.json", trial{Samples: samples{TimeS: []float64{1}}}) }), "columns have 1, 0, 0 and 0 samples"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := open(c.data)
			if err == nil {
				err = b.Trials(func(store.Trial) error { return nil })
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// Classes that there are none of would be read beyond the end of a table.
func TestHostileQualities(t *testing.T) {
	for _, r := range []wire.EvalResult{
		{Labels: []string{"a"}, Predictions: []int{1}, Truth: []int{0}},
		{Labels: []string{"a"}, Predictions: []int{-1}, Truth: []int{0}},
		{Labels: []string{"a"}, Predictions: []int{0}, Truth: []int{math.MaxInt}},
		{Labels: []string{"a"}, Predictions: []int{0}, Truth: []int{-2}},
		{Predictions: []int{0}},
	} {
		c := contents()
		c.Qualities[0].Result = r
		var out bytes.Buffer
		w, err := New(&out, Manifest{}, c)
		if err == nil {
			err = w.Close(nil, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := open(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Contents(); err == nil || !strings.Contains(err.Error(), "is class") {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// Nothing that is opened may crash the one who opens it.
func FuzzOpen(f *testing.F) {
	data := small(f, nil)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add(data[512:])
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := open(data)
		if err != nil {
			return
		}
		b.Contents()                                     //nolint:errcheck // it must only return
		b.Trials(func(store.Trial) error { return nil }) //nolint:errcheck
		var summary any
		b.Published(&summary) //nolint:errcheck
	})
}
