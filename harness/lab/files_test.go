package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/harness/queue"
	"github.com/seed-c6f48606/harness/harness/sweep"
)

// fileTree is an operator's folder, with links out of it, and a secret beside it.
func fileTree(t *testing.T) (dir, secret string) {
	t.Helper()
	top := t.TempDir()
	dir, secret = filepath.Join(top, "files"), filepath.Join(top, "secret.csv")
	for _, d := range []string{"model", "linked"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{secret, filepath.Join(dir, "model", "config.json"), filepath.Join(dir, "model", "train.csv")} {
		if err := os.WriteFile(path, []byte("root:x:0:0\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"out.csv", "linked/train.csv"} {
		if err := os.Symlink(secret, filepath.Join(dir, link)); err != nil {
			t.Skipf("no links here: %v", err)
		}
	}
	return dir, secret
}

// A lab user who names any path reads the controllers' files by the errors.
func TestFilesOfPlans(t *testing.T) {
	dir, secret := fileTree(t)
	files, err := NewFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewFiles(secret); err == nil {
		t.Error("a file is taken for a folder")
	}
	s := newSite(t, nil)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, test := range []struct {
		name        string
		change      func(*sweep.Plan)
		below, none bool // whether it is taken with the folder, and without
	}{
		{"built in", func(*sweep.Plan) {}, true, true},
		{"catalogued", func(p *sweep.Plan) { p.Data.Spec = "banking77" }, true, true},
		{"model below", func(p *sweep.Plan) { p.Model = at("model") }, true, false},
		{"data below", func(p *sweep.Plan) { p.Data.Spec = "csv:" + at("model/train.csv") }, true, false},
		{"not there", func(p *sweep.Plan) { p.Data.Spec = at("later") }, true, false},
		{"model elsewhere", func(p *sweep.Plan) { p.Model = secret }, false, false},
		{"data elsewhere", func(p *sweep.Plan) { p.Data.Spec = "csv:/etc/passwd" }, false, false},
		{"test file elsewhere", func(p *sweep.Plan) { p.Data.TestFile = secret }, false, false},
		{"dots", func(p *sweep.Plan) { p.Data.Spec = "csv:" + dir + "/../secret.csv" }, false, false},
		{"relative", func(p *sweep.Plan) { p.Data.Spec = "csv:model/train.csv" }, false, false},
		{"link out", func(p *sweep.Plan) { p.Data.Spec = "csv:" + at("out.csv") }, false, false},
		{"folder with a link out", func(p *sweep.Plan) { p.Data.Spec = at("linked") }, false, false},
	} {
		p := plan("pi5")
		test.change(&p)
		var refused *FileError
		if err := files.Check(p); (err == nil) != test.below || err != nil && !errors.As(err, &refused) {
			t.Errorf("%s: with a folder: %v", test.name, err)
		}
		_, err := s.client("ada").Submit(t.Context(), Submission{ID: queue.NewSweepID(), Plan: p})
		if (err == nil) != test.none {
			t.Errorf("%s: without a folder: %v", test.name, err)
		}
		var status *StatusError
		if err != nil && (!errors.As(err, &status) || status.Status != http.StatusBadRequest || !strings.Contains(status.Text, "--files")) {
			t.Errorf("%s: is refused by %v", test.name, err)
		}
	}
}

// What a submitter hears of a plan that a controller cannot prepare must not say
// what lies on the controller.
func TestFaultsTellNoFiles(t *testing.T) {
	dir, secret := fileTree(t)
	for _, test := range []struct{ spec, logged string }{
		{"csv:" + secret, "data set"},
		{"csv:" + filepath.Join(dir, "model", "train.csv"), "root:x"},
	} {
		var logged bytes.Buffer
		b := &Bench{Shelf: &Shelf{Cache: sweep.Cache{Root: t.TempDir()}, Files: Files{dir}, Log: slog.New(slog.NewTextHandler(&logged, nil))}}
		p := plan("pi5")
		p.Data.Spec = test.spec
		raw, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		o, err := b.Measure(t.Context(), queue.Trial{Sweep: "x", Plan: raw, Axes: json.RawMessage("{}")})
		if err != nil || o.Reason == "" {
			t.Fatalf("%s: %+v %v", test.spec, o, err)
		}
		for _, leak := range []string{"root", "column", "no such", filepath.Base(secret), "hash is"} {
			if strings.Contains(o.Reason, leak) {
				t.Errorf("%s: the submitter hears %q", test.spec, o.Reason)
			}
		}
		if !strings.Contains(logged.String(), test.logged) {
			t.Errorf("%s: the operator's log has only %q", test.spec, logged.String())
		}
	}
}
