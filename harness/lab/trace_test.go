package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/seed-c6f48606/harness/harness/queue"
)

// Whoever asks why a trial took an hour must find its waiting and its measuring in
// one trace, from who submitted it on.
func TestTrace(t *testing.T) {
	var out bytes.Buffer
	end, err := Trace(t.Context(), "stdout", "harness-test", "1", &out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	s := newSite(t, nil)
	x := s.submit("ada")
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- queue.Controller{
			Queue: s.queue, Name: "bench", Boards: []string{"pi5"}, Log: slog.New(slog.DiscardHandler), TTL: 4 * time.Second,
			Open: func(string) queue.Bench { return &record{} },
		}.Run(t.Context(), stop)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := s.client("ada").Watch(ctx, x.ID, func(Line) {}, func(Sweep) {}); err != nil {
		t.Error(err)
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := end(ctx); err != nil {
		t.Fatal(err)
	}
	spans, traces := map[string]int{}, map[string]bool{}
	for d := json.NewDecoder(&out); ; {
		var span struct {
			Name        string
			SpanContext struct{ TraceID string }
		}
		if err := d.Decode(&span); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		spans[span.Name]++
		traces[span.SpanContext.TraceID] = true
	}
	for name, want := range map[string]int{"lab.submit": 1, "lab.trial": 4, "lab.turn": 4, "lab.measure": 4, "lab.record": 4} {
		if spans[name] < want {
			t.Errorf("%d spans %s, want %d", spans[name], name, want)
		}
	}
	if len(traces) != 1 {
		t.Errorf("the spans are of %d traces", len(traces))
	}
}

func TestTraceIsOffUnlessAsked(t *testing.T) {
	for _, name := range []string{"OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		t.Setenv(name, "")
	}
	before := otel.GetTracerProvider()
	end, err := Trace(t.Context(), "", "harness-test", "1", io.Discard)
	if err != nil || otel.GetTracerProvider() != before {
		t.Errorf("traces are recorded: %v", err)
	}
	if err := end(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := Trace(t.Context(), "paper", "harness-test", "1", io.Discard); err == nil {
		t.Error("a way that is none is taken")
	}
}
