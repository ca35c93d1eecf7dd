package wire

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

// dial starts a runner that answers each line by reply and returns its client.
func dial(t *testing.T, reply func(Line, *Encoder) bool) (*Client, error) {
	t.Helper()
	toRunner, fromClient := io.Pipe()
	toClient, fromRunner := io.Pipe()
	go func() {
		defer fromRunner.Close()
		dec, enc := NewDecoder(toRunner, 0), NewEncoder(fromRunner)
		for {
			line, err := dec.Decode()
			if err != nil || !reply(line, enc) {
				return
			}
		}
	}()
	t.Cleanup(func() { fromClient.Close(); toClient.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return Dial(ctx, toClient, fromClient)
}

func TestARunnerOfAnotherBuildIsRefused(t *testing.T) {
	tests := map[string]func(*Hello){
		"protocol": func(h *Hello) { h.Protocol++ },
		"version":  func(h *Hello) { h.Version = "v0.0.1" },
		"commit":   func(h *Hello) { h.Commit = "abc" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := dial(t, func(l Line, enc *Encoder) bool {
				h := l.Message.(Hello)
				change(&h)
				return enc.Encode(l.ID, h) == nil
			})
			var e *Error
			if !errors.As(err, &e) || e.Kind != Harness || e.Mend == "" {
				t.Errorf("got %v, want a harness error with a mend", err)
			}
		})
	}
}

func TestAClientGetsProgressThenItsAnswer(t *testing.T) {
	c, err := dial(t, func(l Line, enc *Encoder) bool {
		switch m := l.Message.(type) {
		case Hello:
			return enc.Encode(l.ID, m) == nil
		case Load:
			_ = enc.Encode(l.ID-1, Loaded{ModelType: "late answer of another request"})
			_ = enc.Encode(l.ID, Progress{Stage: "load"})
			_ = enc.Encode(l.ID, Loaded{ModelType: m.Model})
		case Info:
			_ = enc.Encode(l.ID, Error{Kind: Unsupported, Text: "no"})
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stages := context.Background(), 0
	loaded, err := c.Load(ctx, Load{Model: "x"}, func(Progress) { stages++ })
	if err != nil || loaded.ModelType != "x" || stages != 1 {
		t.Errorf("got %+v, %v after %d stages", loaded, err, stages)
	}
	var e *Error
	if _, err := c.Info(ctx); !errors.As(err, &e) || e.Kind != Unsupported {
		t.Errorf("an error came as %v", err)
	}
}

func TestADeadRunnerIsTheTargetsFault(t *testing.T) {
	c, err := dial(t, func(l Line, enc *Encoder) bool {
		h, ok := l.Message.(Hello)
		return ok && enc.Encode(l.ID, h) == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second request must not hang either
		var e *Error
		if _, err := c.Load(context.Background(), Load{}, nil); !errors.As(err, &e) || e.Kind != Target {
			t.Errorf("got %v, want a target error", err)
		}
	}
}

func TestACancelReachesTheRunner(t *testing.T) {
	var measuring uint64
	c, err := dial(t, func(l Line, enc *Encoder) bool {
		switch m := l.Message.(type) {
		case Hello:
			return enc.Encode(l.ID, m) == nil
		case Measure:
			measuring = l.ID
			return enc.Encode(l.ID, Progress{Stage: "work"}) == nil
		case Cancel:
			if l.ID == measuring {
				return enc.Encode(l.ID, Error{Kind: Canceled, Text: "canceled"}) == nil
			}
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err = c.Measure(ctx, Measure{}, func(Progress) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestARunnerThatIgnoresACancelIsGivenUp(t *testing.T) {
	c, err := dial(t, func(l Line, enc *Encoder) bool {
		h, ok := l.Message.(Hello)
		return !ok || enc.Encode(l.ID, h) == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Grace = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Measure(ctx, Measure{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestWrapKeepsTheInnerKind(t *testing.T) {
	inner := &Error{Kind: Unsupported, Text: "no", Mend: "do"}
	got := Wrap(Target, errors.Join(inner))
	if got.Kind != Unsupported || got.Error() != "no; do" {
		t.Errorf("got %s %q", got.Kind, got)
	}
	if k := Wrap(Target, context.Canceled).Kind; k != Canceled {
		t.Errorf("a canceled context became %s", k)
	}
}
