package main

import (
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
)

var scaleSamples = flag.Int("scale", 200_000, "samples of TestScale")

// TestScale: a store that is measured into every night has tens of millions of
// samples. It must not grow by more than ten bytes for each, a report must not
// read itself to death, and an export must not need the memory of what it writes.
// How long each takes is printed and decides nothing.
func TestScale(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and reads many samples")
	}
	for name, location := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "big.db") },
		"postgres": postgres,
	} {
		t.Run(name, func(t *testing.T) {
			where := location(t)
			s, err := store.Open(t.Context(), where)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			before, err := s.SizeBytes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			small := fill(t, s, *scaleSamples/10)
			big := fill(t, s, *scaleSamples)
			took := time.Since(began)
			after, err := s.SizeBytes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n := *scaleSamples + *scaleSamples/10
			per := float64(after-before) / float64(n)
			t.Logf("%d samples stored in %.1f s, %.2f bytes each with their trials", n, took.Seconds(), per)
			if per > 10 {
				t.Errorf("a sample takes %.2f bytes, want at most 10", per)
			}

			began = time.Now()
			r, err := sweep.Skim(t.Context(), s, big)
			if err != nil {
				t.Fatal(err)
			}
			read := time.Since(began)
			rows := r.Rows()
			t.Logf("report query: %.2f s to read the run, %.2f s with its %d figures", read.Seconds(), time.Since(began).Seconds(), len(rows))
			if n := r.Timing(r.Trials[0]).Samples; n != samplesATrial || !rows[0].Available() {
				t.Errorf("the first trial has %d samples, its figure is %+v", n, rows[0])
			}
			for _, args := range [][]string{
				{"report", "--out", filepath.Join(t.TempDir(), "r.html"), "--quiet"},
				{"export", "--samples", "--format", "jsonl"},
				{"export", "--samples", "--format", "csv"},
				{"export", "--samples", "--format", "parquet"},
				{"export", "--format", "bundle"},
			} {
				of := func(run string) (peak int64, took, cpu time.Duration) {
					began := time.Now()
					cmd := exec.Command(os.Args[0], append(args, "--store", where, "--run", run)...)
					cmd.Env = append(os.Environ(), asHarness+"=1")
					cmd.Stderr = os.Stderr
					if err := cmd.Run(); err != nil {
						t.Fatalf("%v: %v", args, err)
					}
					return peakRSS(cmd.ProcessState), time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				}
				little, _, _ := of(small)
				much, took, cpu := of(big)
				t.Logf("%v: %.1f s, %.1f s of processor, peak %d MB (a tenth of the samples: %d MB)", args, took.Seconds(), cpu.Seconds(), much>>20, little>>20)
				if much > little+little/2+64<<20 {
					t.Errorf("%v: %d MB for %d samples and %d MB for a tenth: memory grows with the run", args, much>>20, *scaleSamples, little>>20)
				}
			}
		})
	}
}

const samplesATrial = 10_000

// fill stores a run of cells with ten trials each, n samples in all, as a runner
// times them.
func fill(t *testing.T, s *store.Store, n int) string {
	t.Helper()
	p := sweep.Reference()
	p.Repeats = 10
	plan, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Create(t.Context(), store.Run{Plan: plan, Command: "harness sweep", Model: "m", Dataset: "d"})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := 0; i*samplesATrial < n; i++ {
		axes := sweep.Axes{Bits: 16, RankRatio: 1, Batch: 1 + i/10, Threads: 2}
		if i%10 == 0 {
			raw, err := json.Marshal(axes)
			if err == nil {
				err = l.AddCells(t.Context(), []store.Cell{{ID: axes.ID(), Position: i / 10, Artefact: "k", Axes: raw}})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		x := store.Trial{Cell: axes.ID(), Repeat: i % 10, Started: time.Now(), Ended: time.Now()}
		x.Result = wire.MeasureResult{Verdict: wire.Valid, Scenario: p.Scenario, Batch: axes.Batch, Threads: 2, Env: wire.Environment{OS: "linux", Arch: "amd64", CPU: "test"}}
		var now time.Duration
		for range min(samplesATrial, n-i*samplesATrial) {
			took := time.Duration(2e6 * math.Exp(0.05*r.NormFloat64()))
			x.Result.Samples = append(x.Result.Samples, wire.Sample{TimeS: now.Seconds(), LatencyMS: 1e3 * took.Seconds(), Items: 1, Tokens: 8 + r.IntN(30)})
			now += took + time.Duration(2000+r.IntN(4000))
			x.Result.Items++
		}
		x.Result.WindowS = now.Seconds()
		if err := l.AddTrial(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(t.Context(), store.Done, ""); err != nil {
		t.Fatal(err)
	}
	return l.Run()
}
