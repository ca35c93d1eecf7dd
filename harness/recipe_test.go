package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// A key that is read and not applied is a plan that nobody asked for.
func TestARecipeSetsThePlan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.yaml")
	text := `target: [local]
bits: [8]
retries: 5
energy: false
window: 12s
idle_window: 3s
warmup_limit: 1m
min_inferences: 7
limits:
  foreign_cpu: 0.1
  cool_limit_s: 10
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := readRecipeFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := sweep.Reference()
	f.apply(&got)
	want := sweep.Reference()
	limits := wire.DefaultLimits()
	limits.ForeignCPU, limits.CoolLimitS = 0.1, 10
	want.Bits, want.Retries, want.Energy, want.Limits = []int{8}, 5, false, &limits
	want.Window, want.IdleWindow, want.WarmupLimit, want.MinInferences = 12*time.Second, 3*time.Second, time.Minute, 7
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"limits: {psi_cpu: 3}":   "psi_cpu",
		"limits: {psi: 0.1}":     "psi",
		"limits: [1]":            "limits",
		"window: soon":           "soon",
		"target: local":          "1:9",
		"bits: [8]\nlimit: {}\n": "limit",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readRecipeFile(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error that names the file and %s", text, err, want)
		}
	}
}
