package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func ptr[T any](v T) *T { return &v }

// messages has one of each kind, so that a record without a reader is found.
var messages = []Message{
	NewHello(7),
	Load{Model: "m", Threads: 2, Exact: true, Chunk: 7},
	Measure{Items: "i", Batch: 16, Threshold: 0.5, Window: time.Second, Seed: 1 << 63, Own: []int{1}},
	Evaluate{Items: "i", Batch: 1, Reference: "r", Perplexity: true},
	Info{},
	Cancel{},
	Quit{},
	Time{},
	TimeResult{Heard: 1, Answered: 1 << 40},
	Progress{Stage: "work", Done: 1, Total: 2},
	Loaded{ModelType: "ernie4_5", Labels: []string{"a", "查询余额"}, ModelBytes: 1},
	MeasureResult{
		Verdict: Contended, Warnings: []Warning{{Code: "c", Text: "<t>"}},
		Samples: []Sample{{TimeS: 0.1, LatencyMS: 2, Items: 1, Tokens: 9}},
		Energy:  &Energy{Source: "rapl", Rails: []Rail{{Name: "package-0", EnergyJ: 2}}},
		Evidence: Evidence{
			ForeignCPU: ptr(0.25),
		},
	},
	EvalResult{Predictions: []int{1}, Truth: []int{-1}, KL: &Estimate{Value: 1e-9, SE: 1, N: 2}},
	InfoResult{Tiers: []string{"generic"}},
	Error{Kind: Target, Text: "t", Mend: "m"},
}

func TestEveryMessageSurvivesTheWire(t *testing.T) {
	if len(messages) != len(readers) {
		t.Fatalf("%d messages are tested, %d kinds have a reader", len(messages), len(readers))
	}
	var pipe bytes.Buffer
	enc := NewEncoder(&pipe)
	for i, m := range messages {
		if err := enc.Encode(uint64(i), m); err != nil {
			t.Fatal(err)
		}
	}
	dec := NewDecoder(&pipe, 0)
	for i, want := range messages {
		got, err := dec.Decode()
		if err != nil {
			t.Fatalf("%s: %v", want.kind(), err)
		}
		if diff := cmp.Diff(Line{uint64(i), want}, got, cmpopts.IgnoreUnexported(Error{})); diff != "" {
			t.Errorf("%s changed on the wire (-want +got):\n%s", want.kind(), diff)
		}
	}
	if _, err := dec.Decode(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last line: %v, want EOF", err)
	}
}

func TestLinesThatAreNoMessageAreRefused(t *testing.T) {
	tests := []struct {
		name, in string
		want     error     // or
		kind     ErrorKind // one of the two
	}{
		{name: "empty", in: "", want: io.EOF},
		{name: "blank lines only", in: "\n \n", want: io.EOF},
		{name: "cut line", in: `{"type":"info","id":1`, want: io.ErrUnexpectedEOF},
		{name: "too long", in: strings.Repeat("x", 1001), want: ErrTooLong},
		{name: "too long with end", in: strings.Repeat("x", 1001) + "\n", want: ErrTooLong},
		{name: "no JSON", in: "hello\n", kind: Harness},
		{name: "unknown type", in: `{"type":"dance","id":1}` + "\n", kind: Unsupported},
		{name: "unknown key", in: `{"type":"load","id":1,"body":{"modell":"x"}}` + "\n", kind: Harness},
		{name: "wrong type", in: `{"type":"load","id":1,"body":{"threads":"x"}}` + "\n", kind: Harness},
		{name: "negative id", in: `{"type":"info","id":-1}` + "\n", kind: Harness},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewDecoder(strings.NewReader(tt.in), 1000).Decode()
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			var e *Error
			if tt.kind != "" && (!errors.As(err, &e) || e.Kind != tt.kind) {
				t.Errorf("got %v, want kind %s", err, tt.kind)
			}
		})
	}
}

func TestALineOfExactlyTheLimitIsRead(t *testing.T) {
	line := `{"type":"info","id":1}`
	if _, err := NewDecoder(strings.NewReader(line+"\n"), len(line)).Decode(); err != nil {
		t.Error(err)
	}
}

// A runner's output is bytes from another machine: no line may crash the
// controller, and what it accepts must mean the same when sent on.
func FuzzDecode(f *testing.F) {
	for i, m := range messages {
		var line bytes.Buffer
		if err := NewEncoder(&line).Encode(uint64(i), m); err != nil {
			f.Fatal(err)
		}
		f.Add(line.Bytes())
	}
	f.Add([]byte(`{"type":"hello","id":1,"body":{"later":1}}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dec := NewDecoder(bytes.NewReader(raw), 1<<16)
		for {
			line, err := dec.Decode()
			var e *Error
			if errors.As(err, &e) {
				continue
			}
			if err != nil {
				return
			}
			var again bytes.Buffer
			if err := NewEncoder(&again).Encode(line.ID, line.Message); err != nil {
				t.Fatalf("accepted %#v, but cannot write it: %v", line, err)
			}
			back, err := NewDecoder(&again, 0).Decode()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(line, back, cmpopts.IgnoreUnexported(Error{}), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("changed (-first +second):\n%s", diff)
			}
		}
	})
}

func FuzzReadItems(f *testing.F) {
	f.Add([]byte("{\"text\":\"a\",\"label\":\"b\"}\n\n{\"text\":\"余额\"}"))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		items, err := ReadItems(bytes.NewReader(raw))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := WriteItems(&out, items); err != nil {
			t.Fatal(err)
		}
		back, err := ReadItems(&out)
		if err != nil || !cmp.Equal(items, back) {
			t.Fatalf("%v became %v (%v)", items, back, err)
		}
	})
}
