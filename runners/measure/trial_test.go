package measure

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// A trial's record must be whole whatever its verdict: the controller stores it
// and never asks again.
func TestMeasure(t *testing.T) {
	s := load(t, writeModel(t, 1, labels), This())
	var stages []string
	got, err := s.Measure(t.Context(), wire.Measure{
		Items: writeItems(t, testItems), Batch: 2, Window: time.Minute, MaxInferences: 4, WarmupLimit: time.Millisecond,
		Seed: 7, NoEnergy: true, IdleWindow: time.Millisecond,
	}, func(stage string, _, _ int) { stages = append(stages, stage) })
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Samples) != 4 || got.Items != 8 || got.Scenario != wire.SingleStream || got.Threads != 1 || got.Verdict == "" {
		t.Errorf("%d samples, %d items, scenario %q, %d threads, verdict %q", len(got.Samples), got.Items, got.Scenario, got.Threads, got.Verdict)
	}
	if got.ModelBytes == 0 || got.ExecutedMAC == 0 || got.WindowS <= 0 || got.WarmupInferences == 0 || got.WarmupS <= 0 {
		t.Errorf("%d model bytes, %d MACs, %g s, %d warm-up inferences in %g s",
			got.ModelBytes, got.ExecutedMAC, got.WindowS, got.WarmupInferences, got.WarmupS)
	}
	if got.Energy != nil || got.EnergyReason == "" {
		t.Errorf("energy %v without a reason", got.Energy)
	}
	if got.Env.Tier == "" || got.Env.Cores == 0 {
		t.Errorf("environment %+v", got.Env)
	}
	if want := "tokenize warm-up idle work idle"; strings.Join(stages, " ") != want {
		t.Errorf("stages %v, want %s", stages, want)
	}
}

// The joules of a result must be those of its window, and a sensor that dies
// must cost the energy, not the times.
func TestMeasureWithAnEnergySensor(t *testing.T) {
	request := func(t *testing.T) wire.Measure {
		return wire.Measure{
			Items: writeItems(t, testItems), Batch: 1, Window: 100 * time.Millisecond, WarmupLimit: time.Millisecond, IdleWindow: 20 * time.Millisecond,
		}
	}
	t.Run("read", func(t *testing.T) {
		s := load(t, writeModel(t, 1, labels), tree(t, raplTree))
		got, err := s.Measure(t.Context(), request(t), quiet)
		if err != nil {
			t.Fatal(err)
		}
		e := got.Energy
		if e == nil || got.EnergyReason != "" {
			t.Fatalf("no energy: %s", got.EnergyReason)
		}
		if math.Abs(e.WindowS-got.WindowS) > 1e-9 || len(e.Rails) != 2 || e.NetJ != e.GrossJ-e.IdleW*e.WindowS {
			t.Errorf("%+v of a window of %g s", e, got.WindowS)
		}
	})
	t.Run("lost", func(t *testing.T) {
		machine := tree(t, raplTree)
		s := load(t, writeModel(t, 1, labels), machine)
		got, err := s.Measure(t.Context(), request(t), func(stage string, _, _ int) {
			if stage == "work" {
				if err := os.RemoveAll(filepath.Join(machine.Root, "sys")); err != nil {
					t.Error(err)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if got.Energy != nil || !strings.Contains(got.EnergyReason, "was lost") || !strings.Contains(got.Reason, "the energy sensor was lost") {
			t.Errorf("energy %v, reason %q; verdict %s: %s", got.Energy, got.EnergyReason, got.Verdict, got.Reason)
		}
		if len(got.Samples) == 0 {
			t.Error("the times are gone with the sensor")
		}
	})
}

func TestMeasureIsCanceledInTheWindow(t *testing.T) {
	s := load(t, writeModel(t, 1, labels), tree(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := s.Measure(ctx, wire.Measure{
		Items: writeItems(t, testItems), Batch: 1, Window: time.Hour, WarmupLimit: time.Millisecond,
	}, func(stage string, _, _ int) {
		if stage == "work" {
			cancel()
		}
	})
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.Canceled {
		t.Errorf("got %v, want a canceled error", err)
	}
}

// A request that cannot be measured must say what can.
func TestMeasureRefuses(t *testing.T) {
	s := load(t, writeModel(t, 1, labels), tree(t))
	items := writeItems(t, testItems)
	garbled := filepath.Join(t.TempDir(), "garbled.jsonl")
	if err := os.WriteFile(garbled, []byte("{\"text\":\"a\"}\n{\"text\":\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		req  wire.Measure
		kind wire.ErrorKind
		text string
	}{
		{"batch 0", wire.Measure{Items: items}, wire.Harness, "batch 0: an inference has 1 to 4096 items"},
		{"batch too large", wire.Measure{Items: items, Batch: 4097}, wire.Harness, "batch 4097"},
		{"threshold", wire.Measure{Items: items, Batch: 1, Threshold: 1.5}, wire.Harness, "threshold 1.5 is outside [0, 1]"},
		{"threshold NaN", wire.Measure{Items: items, Batch: 1, Threshold: math.NaN()}, wire.Harness, "threshold NaN"},
		{"scenario", wire.Measure{Items: items, Batch: 1, Scenario: "server"}, wire.Unsupported, `scenario "server"; use single-stream or offline`},
		{"window", wire.Measure{Items: items, Batch: 1, Window: -1}, wire.Harness, "window -1ns"},
		{"inferences", wire.Measure{Items: items, Batch: 1, MinInferences: -1}, wire.Harness, "inferences from -1"},
		{"no file", wire.Measure{Items: items + "x", Batch: 1}, wire.Target, "reading items: open"},
		{"wrong file", wire.Measure{Items: garbled, Batch: 1}, wire.Harness, garbled + ": reading items: line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Measure(t.Context(), tt.req, quiet)
			var e *wire.Error
			if !errors.As(err, &e) || e.Kind != tt.kind || !strings.Contains(e.Error(), tt.text) {
				t.Errorf("got %v, want %s error with %q", err, tt.kind, tt.text)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	classifier, small := writeModel(t, 1, labels), writeModel(t, 1, nil)
	other := writeModel(t, 1, nil)
	config := filepath.Join(other, "config.json")
	raw, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, bytes.ReplaceAll(raw, []byte("ernie4_5"), []byte("llama")), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := writeModel(t, 1, nil)
	weights := filepath.Join(broken, "model.safetensors")
	if raw, err = os.ReadFile(weights); err != nil {
		t.Fatal(err)
	}
	for i := len(raw) / 2; i < len(raw); i++ {
		raw[i] = 0xff // NaN
	}
	if err := os.WriteFile(weights, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		req  wire.Load
		kind wire.ErrorKind
		text string
	}{
		{"no model", wire.Load{Model: classifier + "x"}, wire.Target, "opening model"},
		{"another architecture", wire.Load{Model: other}, wire.Unsupported, "llama"},
		{"no tokenizer", wire.Load{Model: small, Tokenizer: t.TempDir()}, wire.Target, "loading the tokenizer"},
		{"weights that are no numbers", wire.Load{Model: broken}, wire.Target, "finite"},
		{"threads", wire.Load{Model: small, Threads: -1}, wire.Harness, "threads is -1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(t.Context(), tt.req, tree(t), quiet)
			var e *wire.Error
			if !errors.As(err, &e) || e.Kind != tt.kind || !strings.Contains(e.Error(), tt.text) {
				t.Errorf("got %v, want %s error with %q", err, tt.kind, tt.text)
			}
		})
	}
}
