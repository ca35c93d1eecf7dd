package sweep

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/store/bundle"
	"github.com/seed-c6f48606/harness/reports/stat"
)

func unzip(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err == nil {
		raw, err = io.ReadAll(z)
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func openBundle(data []byte) (*bundle.Bundle, *Record, error) {
	b, err := bundle.Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, nil, err
	}
	r, err := FromBundle(b)
	return b, r, err
}

const fixtures = "../store/bundle/testdata"

// Every bundle that was ever given away must open and give the figures that were
// published, with every later version.
func TestReplayOfEveryFixture(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(fixtures, "*.tar.gz"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures, %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b, r, err := openBundle(unzip(t, path))
			if err != nil {
				t.Fatal(err)
			}
			rows := r.Rows()
			n, diffs, err := Replay(b, r, rows)
			if err != nil || len(diffs) > 0 {
				t.Errorf("%d of %d figures differ, %v: %+v", len(diffs), n, err, diffs)
			}
			if len(rows) < 20 || n < len(rows) {
				t.Errorf("%d rows and %d figures are no run", len(rows), n)
			}
			var page bytes.Buffer
			if err := r.Report(&page, rows); err != nil || !strings.Contains(page.String(), r.Run.ID) {
				t.Errorf("report without a store: %d bytes, %v", page.Len(), err)
			}
		})
	}
}

// The store of an older harness must give the figures that it gave then, but for
// those that the rules no longer tell.
func TestFiguresOfAnOldStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v2.db")
	if err := os.WriteFile(path, unzip(t, "../store/testdata/v2.db.gz"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := Read(t.Context(), s, store.Last)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../store/testdata/v2.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var figures bytes.Buffer
	enc := json.NewEncoder(&figures)
	enc.SetEscapeHTML(false)
	rows := r.Rows()
	for _, row := range rows {
		if err := enc.Encode(row); err != nil {
			t.Fatal(err)
		}
	}
	if runtime.GOARCH != "amd64" {
		if !alike(want, figures.Bytes()) {
			t.Error("the figures differ in their first nine digits")
		}
	} else if diff := cmp.Diff(string(want), figures.String()); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}

	// The same run by way of a bundle.
	var out bytes.Buffer
	if err := r.WriteBundle(t.Context(), &out, s, rows); err != nil {
		t.Fatal(err)
	}
	b, again, err := openBundle(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, diffs, err := Replay(b, again, again.Rows()); err != nil || len(diffs) > 0 {
		t.Errorf("%v, %v", diffs, err)
	}
	var first, second bytes.Buffer
	if err := r.Report(&first, rows); err != nil {
		t.Fatal(err)
	}
	if err := again.Report(&second, rows); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("the report from the bundle is not that from the store, %v", err)
	}
}

// rebuild writes a bundle anew with other contents of some files and sums that fit.
func rebuild(t testing.TB, data []byte, change map[string][]byte) []byte {
	t.Helper()
	var manifest bundle.Manifest
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(name string, content []byte) {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o644, Format: tar.FormatUSTAR})
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var members []bundle.Member
	for in := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := change[h.Name]; ok {
			content = c
		}
		switch h.Name {
		case "manifest.json":
			if err := json.Unmarshal(content, &manifest); err != nil {
				t.Fatal(err)
			}
			manifest.Members = members
			if content, err = json.Marshal(manifest); err != nil {
				t.Fatal(err)
			}
			change = maps.Clone(change)
			if change == nil {
				change = map[string][]byte{}
			}
			change["manifest.sha256"] = fmt.Appendf(nil, "%x  manifest.json\n", sha256.Sum256(content))
		default:
			members = append(members, bundle.Member{Name: h.Name, SizeBytes: int64(len(content)), SHA256: fmt.Sprintf("%x", sha256.Sum256(content))})
		}
		add(h.Name, content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func encoded(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func member(t testing.TB, data []byte, name string) []byte {
	t.Helper()
	for in := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := in.Next()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if h.Name == name {
			content, err := io.ReadAll(in)
			if err != nil {
				t.Fatal(err)
			}
			return content
		}
	}
}

// Figures that were made better than measured, with every sum made to fit, come out
// when they are computed again; so does a sample that was made faster.
func TestReplayNamesWhatWasChanged(t *testing.T) {
	data, _ := tiny(t)
	_, r, err := openBundle(data)
	if err != nil || len(r.Trials) != 4 {
		t.Fatalf("the bundle written anew: %v", err)
	}
	var lines []byte
	for _, row := range r.Rows() {
		lines = append(append(lines, encoded(t, row)...), '\n')
	}
	data = rebuild(t, data, map[string][]byte{
		"rows.jsonl": lines, "summary.json": encoded(t, r.Summary()), "environment.json": encoded(t, r.environments()),
	})
	if b, r, err := openBundle(data); err != nil {
		t.Fatal(err)
	} else if _, diffs, err := Replay(b, r, r.Rows()); err != nil || len(diffs) > 0 {
		t.Fatalf("before anything is changed: %+v, %v", diffs, err)
	}
	rows := strings.SplitAfter(string(member(t, data, "rows.jsonl")), "\n")
	var row stat.Row
	if err := json.Unmarshal([]byte(rows[3]), &row); err != nil {
		t.Fatal(err)
	}
	*row.Value *= 1 + 1e-8
	better := slices.Clone(rows)
	better[3] = string(encoded(t, row)) + "\n"
	faster := bytes.Replace(member(t, data, "trials/000001.json"), []byte(`"latency_ms":[1]`), []byte(`"latency_ms":[0.5]`), 1)
	for name, c := range map[string]struct {
		file    string
		content []byte
		want    string
	}{
		"a figure":      {"rows.jsonl", []byte(strings.Join(better, "")), row.Metric + " of cell " + row.Cell},
		"a row removed": {"rows.jsonl", []byte(strings.Join(rows[:len(rows)-2], "")), "skip_rate of cell c"},
		"a sample":      {"trials/000001.json", faster, "trial 1"},
		"a machine":     {"environment.json", []byte(`{"local":{"os":"plan9"}}`), "environment"},
	} {
		t.Run(name, func(t *testing.T) {
			b, r, err := openBundle(rebuild(t, data, map[string][]byte{c.file: c.content}))
			if err != nil {
				t.Fatal(err)
			}
			_, diffs, err := Replay(b, r, r.Rows())
			named := slices.ContainsFunc(diffs, func(d Difference) bool { return strings.HasPrefix(d.Figure, c.want) })
			if err != nil || !named {
				t.Errorf("%v: %+v does not name %q", err, diffs, c.want)
			}
		})
	}
}

// On the processor that computed a figure its last bit counts; on another, whose
// exponential rounds otherwise, nine digits do.
func TestTheLastBit(t *testing.T) {
	for _, c := range []struct {
		was, now any
		exact    bool
		same     bool
	}{
		{[]float64{1}, []float64{1}, true, true},
		{[]float64{1}, []float64{math.Nextafter(1, 2)}, true, false},
		{[]float64{1}, []float64{math.Nextafter(1, 2)}, false, true},
		{[]float64{1}, []float64{1 + 1e-8}, false, false},
		{[]float64{1}, []float64{1, 1}, false, false},
		{map[string]any{"a": 1.0, "b": "x"}, map[string]any{"a": 1.0, "b": "y"}, false, false},
		{map[string]any{"a": 1.0}, map[string]any{"a": nil}, false, false},
		{0.0, 1e-300, false, false},
	} {
		x := comparison{exact: c.exact}
		x.compare("x", c.was, c.now)
		if same := len(x.diffs) == 0; same != c.same || x.err != nil {
			t.Errorf("%v and %v, exact %v: same %v, %v", c.was, c.now, c.exact, same, x.err)
		}
	}
}

// tiny is a bundle whose figures take no time, and the files that it has of its own.
func tiny(t testing.TB) (data []byte, names []string) {
	small := map[string][]byte{
		"qualities.json": []byte(`[{"subject":"reference","threshold":0,"result":{"labels":["a","b"],"predictions":[0,1],"truth":[0,0],"items":2}},{"subject":"k","threshold":0,"result":{"labels":["a","b"],"predictions":[1,1],"truth":[0,1],"items":2,"text_nll":[1],"text_tokens":[2]}}]`),
		"cells.json":     []byte(`[{"id":"c","target":"local","position":0,"artefact":"k","axes":{"bits":8}}]`),
		"artefacts.json": []byte(`[{"key":"k","hash":"h","bits":8,"rank_ratio":1,"prune_ratio":0,"build_s":1,"report":{}}]`),
	}
	for n := 1; n <= 4; n++ {
		small[fmt.Sprintf("trials/%06d.json", n)] = []byte(`{"cell":"c","repeat":0,"attempt":0,"started":"2026-11-28T00:00:00Z","ended":"2026-11-28T00:00:01Z","result":{"verdict":"valid","window_s":1,"items":1},"samples":{"t_s":[0],"latency_ms":[1],"items":[1],"tokens":[1]}}`)
	}
	return rebuild(t, unzip(t, filepath.Join(fixtures, "v1.tar.gz")), small), slices.Sorted(maps.Keys(small))
}

// Whatever a bundle says, computing its figures must end, and not by a crash.
func FuzzReplay(f *testing.F) {
	data, names := tiny(f)
	names = append(names, "run.json", "plan.json", "environment.json", "events.json", "rows.jsonl", "summary.json")
	for i, name := range names {
		f.Add(uint8(i), member(f, data, name))
	}
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		name := names[int(which)%len(names)]
		b, r, err := openBundle(rebuild(t, data, map[string][]byte{name: content}))
		if err != nil {
			return
		}
		rows := r.Rows()
		if _, _, err := Replay(b, r, rows); err != nil {
			return
		}
		r.Report(io.Discard, rows) //nolint:errcheck // it must only return
	})
}
