package loader

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// isolate gives the test a cache and a shared folder of its own.
func isolate(t *testing.T) (cache, shared string) {
	t.Helper()
	root := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(root, "cache"))
	t.Setenv("HARNESS_SHARED", filepath.Join(root, "shared"))
	return filepath.Join(root, "cache", "harness", "datasets"), filepath.Join(root, "shared", "data")
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A data set that is not here says how to get it.
func TestAMissingSetSaysHowToGetIt(t *testing.T) {
	cache, _ := isolate(t)
	for name, want := range map[string][]string{
		"banking77": {"harness datasets pull banking77"},
		"hwu64":     {"train.tsv and test.tsv", filepath.Join(cache, "hwu64"), "derived"},
	} {
		_, err := Load(name, Options{})
		wantError(t, err, want...)
		_, err = Verify(name, "")
		wantError(t, err, want...)
	}
	_, err := Verify("baking77", "")
	wantError(t, err, "unknown name", `nearest: "banking77"`)
}

// Half a set in the cache must not hide the whole one beside it.
func TestWhereASetIsLookedFor(t *testing.T) {
	cache, shared := isolate(t)
	e, _ := Lookup("banking77")
	small, _ := Lookup("clinc150-small")
	put(t, filepath.Join(shared, "banking77", "train.csv"), "x")
	put(t, filepath.Join(shared, "banking77", "test.csv"), "x")
	put(t, filepath.Join(shared, "clinc150", "data_small.json"), "x")
	put(t, filepath.Join(cache, "banking77", "train.csv"), "x")
	locate := func(e Entry, want string) {
		t.Helper()
		if got, err := Locate(e, ""); err != nil || got != want {
			t.Errorf("%s is found at %q (%v), want %q", e.Name, got, err, want)
		}
	}
	locate(e, filepath.Join(shared, "banking77"))
	locate(small, filepath.Join(shared, "clinc150"))
	put(t, filepath.Join(cache, "banking77", "test.csv"), "x")
	locate(e, filepath.Join(cache, "banking77"))
	t.Setenv("HARNESS_SHARED", filepath.Join(t.TempDir(), "none"))
	if got := Shared(); got != "" {
		t.Errorf("a shared folder that does not exist is %q", got)
	}
}

// A damaged file by a published name is refused before a row of it is believed.
func TestAFileOfTheWrongHashIsRefused(t *testing.T) {
	cache, _ := isolate(t)
	put(t, filepath.Join(cache, "banking77", "train.csv"), "text,category\na,x\nb,y\n")
	put(t, filepath.Join(cache, "banking77", "test.csv"), "text,category\na,x\n")
	_, loadErr := Load("banking77", Options{})
	_, verifyErr := Verify("banking77", "")
	for _, err := range []error{loadErr, verifyErr} {
		var wrong *HashError
		if !errors.As(err, &wrong) || wrong.File != filepath.Join(cache, "banking77", "train.csv") || wrong.Got == wrong.Want {
			t.Errorf("got %v, want a HashError of train.csv", err)
		}
		wantError(t, err, "SHA-256", "pull again")
	}
	if s, err := Load(filepath.Join(cache, "banking77"), Options{LabelColumn: "category"}); err != nil || s.License != "" {
		t.Errorf("as a folder of one's own it is %+v, %v; want it readable and without the publication's licence", s, err)
	}
}

func TestPublishedFilesVerify(t *testing.T) {
	for _, e := range Catalog() {
		t.Run(e.Name, func(t *testing.T) {
			dir := published(t, e.Name)
			if got, err := Verify(e.Name, ""); err != nil || got != dir {
				t.Errorf("verified %q, %v; want %q", got, err, dir)
			}
		})
	}
	if dir, err := Verify("builtin", ""); err != nil || dir != "" {
		t.Errorf("built-in set: %q, %v", dir, err)
	}
}

// server publishes two files and tells which were asked for.
func server(t *testing.T, files map[string]string) (base string, asked *[]string) {
	asked = new([]string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.Path)
		text, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(text))
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestPullKeepsOnlyWhatWasPublished(t *testing.T) {
	base, asked := server(t, map[string]string{"/train.csv": "good", "/test.csv": "also good", "/bad.csv": "tampered"})
	file := func(name, path, content string) File { return File{name, base + path, hashOf([]byte(content))} }
	train, test := file("train.csv", "/train.csv", "good"), file("test.csv", "/test.csv", "also good")
	for _, c := range []struct {
		name  string
		files []File
		old   map[string]string // in the cache before
		want  map[string]string // after
		asked []string
		err   string
	}{
		{
			"fresh",
			[]File{train, test},
			nil,
			map[string]string{"train.csv": "good", "test.csv": "also good"},
			[]string{"/train.csv", "/test.csv"},
			"",
		},
		{
			"one is there",
			[]File{train, test},
			map[string]string{"train.csv": "good"},
			map[string]string{"train.csv": "good", "test.csv": "also good"},
			[]string{"/test.csv"},
			"",
		},
		{
			"a damaged one is replaced",
			[]File{train},
			map[string]string{"train.csv": "go"},
			map[string]string{"train.csv": "good"},
			[]string{"/train.csv"},
			"",
		},
		{"tampered", []File{file("train.csv", "/bad.csv", "good")}, nil, nil, []string{"/bad.csv"}, "SHA-256"},
		{"gone", []File{file("train.csv", "/gone.csv", "good")}, nil, nil, []string{"/gone.csv"}, "404"},
		{"derived", []File{{Name: "train.tsv", SHA256: "0"}}, nil, nil, nil, "not published as such"},
		{"derived but there", []File{{Name: "train.tsv", SHA256: hashOf([]byte("x"))}}, map[string]string{"train.tsv": "x"}, map[string]string{"train.tsv": "x"}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			*asked = nil
			cache := t.TempDir()
			for name, text := range c.old {
				put(t, filepath.Join(cache, "set", name), text)
			}
			var heard int64
			dir, err := Pull(t.Context(), http.DefaultClient, Entry{Name: "set", Files: c.files}, cache, func(_ string, n int64) { heard = n })
			if c.err != "" {
				wantError(t, err, c.err, "set")
			} else if err != nil || dir != filepath.Join(cache, "set") {
				t.Errorf("folder %q, %v", dir, err)
			}
			if c.err == "SHA-256" {
				var wrong *HashError
				if !errors.As(err, &wrong) {
					t.Errorf("%v is no HashError", err)
				}
			}
			if diff := cmp.Diff(c.asked, *asked); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
			if c.err == "" && len(c.asked) > 0 && heard == 0 {
				t.Error("no progress was told")
			}
			var got map[string]string
			entries, _ := os.ReadDir(filepath.Join(cache, "set"))
			for _, e := range entries {
				if got == nil {
					got = map[string]string{}
				}
				text, _ := os.ReadFile(filepath.Join(cache, "set", e.Name()))
				got[e.Name()] = string(text)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("in the cache (-want +got):\n%s", diff)
			}
		})
	}
}

// An interrupted pull leaves nothing that a later command takes for the file.
func TestAnInterruptedPullLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Write([]byte("go"))
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	cache := t.TempDir()
	e := Entry{Name: "set", Files: []File{{"train.csv", s.URL + "/train.csv", hashOf([]byte("good"))}}}
	if _, err := Pull(ctx, s.Client(), e, cache, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
	if entries, _ := os.ReadDir(filepath.Join(cache, "set")); len(entries) > 0 {
		t.Errorf("%s is left behind", entries[0].Name())
	}
}
