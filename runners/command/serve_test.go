package command_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/runners/command"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// patience is how long a test waits for what has to happen. Nothing is measured
// against it: a runner that is right is done long before.
const patience = 30 * time.Second

// serving is a runner behind pipes in memory.
type serving struct {
	in     io.WriteCloser
	out    io.ReadCloser
	status chan int
	stderr strings.Builder // to be read after the end
}

func serve(t *testing.T, args ...string) *serving {
	t.Helper()
	r, in := io.Pipe()
	out, w := io.Pipe()
	s := &serving{in: in, out: out, status: make(chan int, 1)}
	go func() {
		status := command.Run(context.Background(), append([]string{"serve"}, args...), r, w, &s.stderr)
		w.Close()
		s.status <- status
	}()
	t.Cleanup(func() { in.Close(); out.Close() })
	return s
}

func (s *serving) dial(t *testing.T) *wire.Client {
	t.Helper()
	c, err := wire.Dial(t.Context(), s.out, s.in)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// end waits for the runner's exit.
func (s *serving) end(t *testing.T, want int) {
	t.Helper()
	select {
	case got := <-s.status:
		if got != want {
			t.Errorf("exit status %d, want %d; it said %q", got, want, s.stderr.String())
		}
	case <-time.After(patience):
		t.Fatal("the runner does not end")
	}
}

// short is a trial of three inferences.
func short(items string) wire.Measure {
	return wire.Measure{Items: items, Batch: 2, Window: time.Hour, MaxInferences: 3, WarmupLimit: time.Millisecond, NoEnergy: true}
}

// long is a trial that only a cancel ends.
func long(items string) wire.Measure {
	return wire.Measure{Items: items, Batch: 1, Window: time.Hour, WarmupLimit: time.Millisecond, NoEnergy: true}
}

func kindOf(err error) wire.ErrorKind {
	var e *wire.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// A sweep is these requests, over and over.
func TestServe(t *testing.T) {
	s := serve(t)
	c := s.dial(t)
	ctx, items := t.Context(), writeItems(t)
	if h := c.Hello(); h.Tier == "" || h.PID == 0 {
		t.Errorf("hello %+v", h)
	}
	if info, err := c.Info(ctx); err != nil || len(info.Tiers) == 0 || info.Env.Cores == 0 {
		t.Errorf("info %+v, %v", info, err)
	}
	if _, err := c.Measure(ctx, short(items), nil); kindOf(err) != wire.Harness || !strings.Contains(err.Error(), "no model is loaded") {
		t.Errorf("measuring without a model: %v", err)
	}
	if _, err := c.Evaluate(ctx, wire.Evaluate{Items: items, Batch: 1}, nil); kindOf(err) != wire.Harness {
		t.Errorf("evaluating without a model: %v", err)
	}
	if _, err := c.Load(ctx, wire.Load{Model: items + "x"}, nil); kindOf(err) != wire.Target {
		t.Errorf("loading what is not there: %v", err)
	}
	for range 2 { // the second model replaces the first
		loaded, err := c.Load(ctx, wire.Load{Model: writeModel(t, 1), Threads: 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"card", "loan"}, loaded.Labels); diff != "" || loaded.Hash == "" || loaded.Threads != 1 {
			t.Errorf("loaded %+v\n%s", loaded, diff)
		}
	}
	var stages []string
	res, err := c.Measure(ctx, short(items), func(p wire.Progress) { stages = append(stages, p.Stage) })
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Samples) != 3 || res.Items != 6 || res.Verdict == "" {
		t.Errorf("%d samples of %d items, verdict %q", len(res.Samples), res.Items, res.Verdict)
	}
	if diff := cmp.Diff([]string{"tokenize", "warm-up", "work"}, stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	eval, err := c.Evaluate(ctx, wire.Evaluate{Items: items, Batch: 2, Perplexity: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{0, 1, -1}, eval.Truth); diff != "" || len(eval.Predictions) != 3 || eval.Perplexity == nil {
		t.Errorf("evaluated %+v\n%s", eval, diff)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	s.end(t, 0)
}

// After a cancel the same runner goes on: the controller retries on it.
func TestServeCancels(t *testing.T) {
	s := serve(t)
	c := s.dial(t)
	items := writeItems(t)
	if _, err := c.Load(t.Context(), wire.Load{Model: writeModel(t, 1), Threads: 1}, nil); err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"warm-up", "work"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req := long(items)
		if stage == "warm-up" {
			req.WarmupLimit = time.Hour
		}
		c.Grace = patience
		_, err := c.Measure(ctx, req, func(p wire.Progress) {
			if p.Stage == stage {
				cancel()
			}
		})
		if kindOf(err) != wire.Canceled || errors.Unwrap(err) != nil {
			t.Errorf("canceled at %s: %v", stage, err)
		}
	}
	if _, err := c.Measure(t.Context(), short(items), nil); err != nil {
		t.Errorf("measuring after a cancel: %v", err)
	}
}

// A dead controller must not leave a board busy.
func TestServeEndsWithItsInput(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		s := serve(t)
		s.dial(t)
		s.in.Close()
		s.end(t, 0)
	})
	t.Run("before the hello", func(t *testing.T) {
		s := serve(t)
		s.in.Close()
		s.end(t, 0)
	})
	t.Run("within a line", func(t *testing.T) {
		s := serve(t)
		s.dial(t)
		if _, err := io.WriteString(s.in, `{"type":"in`); err != nil {
			t.Fatal(err)
		}
		s.in.Close()
		s.end(t, 0)
	})
	t.Run("measuring", func(t *testing.T) {
		s := serve(t)
		c := s.dial(t)
		if _, err := c.Load(t.Context(), wire.Load{Model: writeModel(t, 1), Threads: 1}, nil); err != nil {
			t.Fatal(err)
		}
		_, err := c.Measure(t.Context(), long(writeItems(t)), func(p wire.Progress) {
			if p.Stage == "work" {
				s.in.Close()
			}
		})
		if err == nil {
			t.Error("a trial of an hour was answered")
		}
		s.end(t, 0)
	})
	t.Run("with an output that nobody reads", func(t *testing.T) {
		s := serve(t)
		if err := wire.NewEncoder(s.in).Encode(1, wire.NewHello(1)); err != nil {
			t.Fatal(err)
		}
		s.in.Close()
		s.end(t, 0)
	})
}

// The readings of a sensor at the controller are put beside the work by this clock.
func TestServeTellsItsTime(t *testing.T) {
	s := serve(t)
	c, err := wire.Dial(t.Context(), s.out, s.in)
	if err != nil {
		t.Fatal(err)
	}
	var last wire.TimeResult
	for range 20 {
		began := time.Now()
		now, err := c.Time(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if now.Heard <= last.Answered || now.Answered < now.Heard || now.Answered-now.Heard > time.Since(began) {
			t.Errorf("%+v after %+v", now, last)
		}
		last = now
	}
	c.Quit() //nolint:errcheck // its end tells
	s.end(t, 0)
}

// A controller of another build would misread what follows.
func TestServeRefusesAnotherController(t *testing.T) {
	other := wire.NewHello(1)
	other.Version += "-other"
	tests := []struct {
		name  string
		first wire.Message
		want  wire.Message // kind of the answer
		text  string
	}{
		{"another version", other, wire.Hello{}, "deploy the runner of this harness again"},
		{"no hello", wire.Info{}, wire.Error{}, "the first line is no hello"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t)
			if err := wire.NewEncoder(s.in).Encode(9, tt.first); err != nil {
				t.Fatal(err)
			}
			line, err := wire.NewDecoder(s.out, 0).Decode()
			if err != nil {
				t.Fatal(err)
			}
			if _, isHello := line.Message.(wire.Hello); line.ID != 9 || isHello != (tt.want == wire.Message(wire.Hello{})) {
				t.Errorf("answered %+v", line)
			}
			s.end(t, 1)
			if !strings.Contains(s.stderr.String(), tt.text) {
				t.Errorf("said %q, want %q", s.stderr.String(), tt.text)
			}
		})
	}
}

// One bad line must cost its own answer, not the runner.
func TestServeAnswersBadRequests(t *testing.T) {
	s := serve(t)
	enc, dec := wire.NewEncoder(s.in), wire.NewDecoder(s.out, 0)
	for i, m := range []wire.Message{wire.NewHello(1), wire.Load{Model: writeModel(t, 1), Threads: 1}} {
		if err := enc.Encode(uint64(i), m); err != nil {
			t.Fatal(err)
		}
		for { // the answer, after any progress
			line, err := dec.Decode()
			if err != nil {
				t.Fatal(err)
			}
			if _, more := line.Message.(wire.Progress); !more {
				break
			}
		}
	}
	busy := "{\"type\":\"measure\",\"id\":20,\"body\":{\"items\":\"" + writeItems(t) + "\",\"batch\":1,\"window_ns\":3600000000000}}\n"
	tests := []struct {
		name, line string
		id         uint64
		kind       wire.ErrorKind
		text       string
	}{
		{"no JSON", "hello\n", 0, wire.Harness, "reading line"},
		{"unknown type", "{\"type\":\"dance\",\"id\":11}\n", 11, wire.Unsupported, "dance"},
		{"unknown key", "{\"type\":\"load\",\"id\":12,\"body\":{\"modell\":\"x\"}}\n", 12, wire.Harness, "modell"},
		{"an answer as request", "{\"type\":\"loaded\",\"id\":13,\"body\":{}}\n", 13, wire.Harness, "no request"},
		{"a second hello", "{\"type\":\"hello\",\"id\":14,\"body\":{}}\n", 14, wire.Harness, "no request"},
		{"no items", "{\"type\":\"evaluate\",\"id\":15,\"body\":{\"items\":\"nowhere\",\"batch\":1}}\n", 15, wire.Target, "nowhere"},
		{"a cancel of nothing, then a bad batch", "{\"type\":\"cancel\",\"id\":16}\n{\"type\":\"measure\",\"id\":16,\"body\":{\"items\":\"x\"}}\n", 16, wire.Harness, "batch 0"},
		{"two at once", busy + "{\"type\":\"info\",\"id\":21}\n", 21, wire.Harness, "while request 20 is running"},
		{"cancel", "{\"type\":\"cancel\",\"id\":20}\n", 20, wire.Canceled, "canceled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			go io.WriteString(s.in, tt.line) //nolint:errcheck // the answer tells
			for {
				line, err := dec.Decode()
				if err != nil {
					t.Fatal(err)
				}
				switch m := line.Message.(type) {
				case wire.Progress:
					continue
				case wire.Error:
					if line.ID != tt.id || m.Kind != tt.kind || !strings.Contains(m.Error(), tt.text) {
						t.Errorf("got %d: %s: %s; want %d: %s: %s", line.ID, m.Kind, m.Error(), tt.id, tt.kind, tt.text)
					}
				default:
					t.Errorf("got %T", m)
				}
				return
			}
		})
	}
	s.in.Close()
	s.end(t, 0)
}
