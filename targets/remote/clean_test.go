package remote

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLitter: every run leaves markers. When nobody takes them away, a board that
// is swept every night refuses to be listed one day; when too many are taken away,
// a model that is in use is collected.
func TestLitter(t *testing.T) {
	target, o := (&testServer{}).serve(t)
	h := connect(t, target, o)
	whole, none := strings.Repeat("a", 64), strings.Repeat("b", 64)
	old, older := ownerName("0badcafe", 1<<30), ownerName("0badcafe", 1<<30-1)
	other, another := ownerName("deadbeef", 1), ownerName("deadbeef", 2)
	now := time.Now()
	ages := map[string]time.Duration{
		whole:                            0,
		whole + "." + old + ".use":       10 * time.Minute,
		whole + "." + older + ".use":     20 * time.Minute, // beside a later one
		whole + "." + other + ".use":     30 * time.Minute, // it may be at work
		whole + "." + another + ".use":   48 * time.Hour,   // it is not
		none + "." + old + ".use":        time.Minute,      // of no entry
		none + "." + old + ".part":       time.Minute,
		none + "." + other + ".part":     time.Minute,
		"notes of the board's owner.use": 48 * time.Hour,
	}
	for name, age := range ages {
		at := filepath.Join(h.facts.Cache, name)
		if err := os.WriteFile(at, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(at, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(h.facts.Cache)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		if e.Name() != runFolder {
			left = append(left, e.Name())
		}
	}
	want := []string{whole, whole + "." + old + ".use", whole + "." + other + ".use", none + "." + other + ".part", "notes of the board's owner.use"}
	slices.Sort(want)
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("left on the board (-want +got):\n%s", diff)
	}
}

// TestSilentAgent: an agent forwarded over a link that is gone takes questions and
// answers none; a sweep must not wait for it at night.
func TestSilentAgent(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	target, o := (&testServer{}).serve(t)
	o.Agent, o.Timeout = socket, 2*time.Second
	h, err := Dial(t.Context(), target, o)
	if err != nil {
		t.Fatal(err) // the key file is good
	}
	h.Close()
}
