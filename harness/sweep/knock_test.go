package sweep

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/remote"
)

// A user who mistyped a key must hear of it before the artefacts are built, and a
// board that is asleep must not stop the others.
func TestKnock(t *testing.T) {
	wrongKey := wire.Wrap(wire.Target, &remote.HostKeyError{Name: "pi5", Got: "SHA256:a", Want: []string{"SHA256:b"}, Place: "targets.yaml"})
	noRunner := &wire.Error{Kind: wire.Harness, Text: "there is no runner for linux/arm64"}
	asleep := &wire.Error{Kind: wire.Target, Text: "no route to host"}
	for name, c := range map[string]struct {
		targets []string
		answers map[string]error
		lost    []string // what the run's error says; nil = it goes on
		told    []string // codes of events
	}{
		"all well":      {[]string{"pi5", Local}, nil, nil, nil},
		"asleep":        {[]string{"pi5"}, map[string]error{"pi5": asleep}, nil, []string{"target-away"}},
		"one wrong key": {[]string{"pi5", "nano"}, map[string]error{"pi5": wrongKey}, nil, []string{"target-refused"}},
		"with local":    {[]string{"pi5", Local}, map[string]error{"pi5": noRunner}, nil, []string{"target-refused"}},
		"none is left":  {[]string{"pi5", "nano"}, map[string]error{"pi5": wrongKey, "nano": noRunner}, []string{"SHA256:a", "SHA256:b", "no runner"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, open := boardsOf(t)
			r := onBoards(t, open, c.targets...)
			r.check = func(_ context.Context, name string) error { return c.answers[name] }
			err := r.knock(t.Context())
			var kind *wire.Error
			if (err != nil) != (c.lost != nil) || err != nil && !errors.As(err, &kind) {
				t.Fatalf("got %v, want %v and a kind, which decides the exit status", err, c.lost)
			}
			for _, want := range c.lost {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %s", err, want)
				}
			}
			events, err := r.store.Events(t.Context(), r.lease.Run())
			if err != nil {
				t.Fatal(err)
			}
			var told []string
			for _, e := range events {
				told = append(told, e.Code)
			}
			if strings.Join(told, " ") != strings.Join(c.told, " ") {
				t.Errorf("told %v, want %v", told, c.told)
			}
		})
	}
}
