package store

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// timed are samples as a runner takes them: whole nanoseconds, told in floats.
func timed(n int, seed uint64) []wire.Sample {
	r := rand.New(rand.NewPCG(seed, 1))
	var now time.Duration
	out := make([]wire.Sample, n)
	for i := range out {
		took := time.Duration(2e6 * math.Exp(0.05*r.NormFloat64()))
		out[i] = wire.Sample{TimeS: now.Seconds(), LatencyMS: 1e3 * took.Seconds(), Items: 1, Tokens: 8 + r.IntN(30)}
		now += took + time.Duration(2000+r.IntN(4000))
	}
	return out
}

// A figure that changes by the last bit between the board and the report cannot be
// recomputed from the evidence.
func TestSamplesComeBackBitForBit(t *testing.T) {
	for _, c := range []struct {
		name string
		xs   []wire.Sample
		most float64 // bytes a sample
	}{
		{"one", timed(1, 1), 20},
		{"as runners time", timed(10000, 2), 6.6},
		{"a batch of 16 each", func() []wire.Sample {
			xs := timed(1000, 3)
			for i := range xs {
				xs[i].Items, xs[i].Tokens = 16, 400
			}
			return xs
		}(), 6},
		{"no whole nanoseconds", []wire.Sample{{TimeS: math.Pi, LatencyMS: math.E, Items: 3}, {TimeS: 1e300, LatencyMS: -1e-300, Items: -1, Tokens: math.MaxInt}}, 40},
		{"signed zero, ends of the range", []wire.Sample{{TimeS: math.Copysign(0, -1), LatencyMS: math.MaxFloat64, Items: math.MinInt}}, 60},
		{"whole starts, odd latencies", []wire.Sample{{TimeS: 1, LatencyMS: 0.1234567890123}, {TimeS: 2, LatencyMS: 1}}, 40},
		{"backwards", []wire.Sample{{TimeS: 5, LatencyMS: 1}, {TimeS: 3, LatencyMS: 2}}, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, err := packSamples(c.xs)
			if err != nil {
				t.Fatal(err)
			}
			got, err := unpackSamples(data)
			bits := cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
			if diff := cmp.Diff(c.xs, got, bits); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			ms, err := unpackLatencies(data, nil)
			if err != nil || len(ms) != len(c.xs) || ms[len(ms)-1] != c.xs[len(ms)-1].LatencyMS {
				t.Errorf("latencies alone: %d, %v", len(ms), err)
			}
			per := float64(len(data)) / float64(len(c.xs))
			t.Logf("%.2f bytes a sample", per)
			if per > c.most {
				t.Errorf("%.2f bytes a sample, want at most %g", per, c.most)
			}
		})
	}
}

// A sample that the one database takes and the other refuses would come up when a
// laptop's runs are merged into the lab.
func TestSamplesThatAreNoNumbers(t *testing.T) {
	for _, x := range []wire.Sample{{LatencyMS: math.NaN()}, {TimeS: math.Inf(1)}, {LatencyMS: math.Inf(-1)}} {
		if _, err := packSamples([]wire.Sample{{}, x}); err == nil {
			t.Errorf("%+v was stored", x)
		}
	}
}

// A damaged store must be told, not crash the report or take all memory.
func FuzzUnpackSamples(f *testing.F) {
	for _, xs := range [][]wire.Sample{nil, timed(3, 1), {{LatencyMS: math.Pi, TimeS: math.E, Items: 1, Tokens: 2}}} {
		data, err := packSamples(xs)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Add([]byte{packedV1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, wholeNS})
	f.Fuzz(func(t *testing.T, data []byte) {
		ms, short := unpackLatencies(data, nil)
		xs, err := unpackSamples(data)
		if err != nil {
			return
		}
		if short != nil || len(ms) != len(xs) {
			t.Fatalf("%d latencies of %d samples, %v", len(ms), len(xs), short)
		}
		again, err := packSamples(xs)
		if err != nil {
			return // values that are not finite, in a raw column
		}
		back, err := unpackSamples(again)
		if diff := cmp.Diff(xs, back, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Fatalf("%v (-first +second):\n%s", err, diff)
		}
		third, err := packSamples(back)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("the same samples have two encodings: %v", err)
		}
	})
}
