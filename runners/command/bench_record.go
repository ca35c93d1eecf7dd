package command

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// benchRecord is what is known of one test: first llama-bench's fields under its
// names and in its order, then ours. Rates are tokens a second. A nil pointer
// means that there is no such figure.
type benchRecord struct {
	BuildCommit   string  `json:"build_commit"`
	BuildNumber   int     `json:"build_number"`
	CPUInfo       string  `json:"cpu_info"`
	GPUInfo       string  `json:"gpu_info"`
	Backends      string  `json:"backends"`
	ModelFilename string  `json:"model_filename"`
	ModelType     string  `json:"model_type"`
	ModelSize     int64   `json:"model_size"`
	ModelParams   int64   `json:"model_n_params"`
	Batch         int     `json:"n_batch"`
	Ubatch        int     `json:"n_ubatch"`
	Threads       int     `json:"n_threads"`
	TypeK         string  `json:"type_k"`
	TypeV         string  `json:"type_v"`
	GPULayers     int     `json:"n_gpu_layers"`
	Prompt        int     `json:"n_prompt"`
	Gen           int     `json:"n_gen"`
	Depth         int     `json:"n_depth"`
	TestTime      string  `json:"test_time"`
	AvgNS         int64   `json:"avg_ns"`
	StddevNS      int64   `json:"stddev_ns"`
	AvgTS         float64 `json:"avg_ts"`
	StddevTS      float64 `json:"stddev_ts"`

	Engine   string `json:"engine"`
	Version  string `json:"tool_version"`
	Tier     string `json:"tier"`
	Host     string `json:"host"`
	Governor string `json:"governor"`
	Warmup   bool   `json:"warmup"`
	Parallel int    `json:"n_parallel"` // sequences at once
	Labels   int    `json:"label_rows"` // of the head; 0 = all

	// The median of samples_ts with its interval, and the level that so many
	// samples reach.
	MedianTS float64 `json:"median_ts"`
	LoTS     float64 `json:"lo_ts"`
	HiTS     float64 `json:"hi_ts"`
	Level    float64 `json:"level"`

	// A step of generation, in which every sequence gets a token.
	LatencyP50 *float64 `json:"latency_ms_p50"`
	LatencyP90 *float64 `json:"latency_ms_p90"`
	LatencyP99 *float64 `json:"latency_ms_p99"`

	LoadMS       float64 `json:"load_ms"`
	FirstTokenMS float64 `json:"ttft_ms"`
	MemoryBytes  int64   `json:"memory_bytes"` // of the weights in the engine
	KVBytes      int64   `json:"kv_bytes"`
	PeakRSSBytes int64   `json:"peak_rss_bytes"`

	GBPerS    *float64 `json:"gb_s"`
	GOPS      *float64 `json:"gops"`
	LimitGBS  *float64 `json:"limit_gb_s"`
	LimitGOPS *float64 `json:"limit_gops"`
	LimitMix  string   `json:"limit_mix"` // of the products whose peak is limit_gops
	ShareGBS  *float64 `json:"share_gb_s"`
	ShareGOPS *float64 `json:"share_gops"`

	Verdict  wire.Verdict   `json:"verdict"`
	Reason   string         `json:"reason"`
	Warnings []wire.Warning `json:"warnings"`

	// ProductGOPS is what a product of bytes in the caches did beside the test.
	ProductGOPS *float64 `json:"product_gops"`

	SamplesNS []int64   `json:"samples_ns"`
	SamplesTS []float64 `json:"samples_ts"`
}

// about fills in what all records share.
func (r *benchRun) about(ctx context.Context) {
	env := r.machine.Environment(ctx)
	r.base = benchRecord{
		BuildCommit: env.Commit, CPUInfo: env.CPU, Backends: "CPU",
		Engine: "harness", Version: env.ToolVersion, Host: env.Host, Governor: env.Governor,
	}
}

// record describes a finished test.
func (r *benchRun) record(c benchCell, t measure.Timing, limits *measure.Ceilings) benchRecord {
	m, rec := r.bench.Model(), r.base
	rec.ModelFilename = c.path
	rec.ModelType = fmt.Sprintf("%s %s %s", m.Config.ModelType, size(m.Params), storage(c.path, m.Params, m.StoredBytes))
	rec.ModelSize, rec.ModelParams = m.StoredBytes, m.Params
	rec.Batch, rec.Ubatch, rec.Threads = c.test.Batch, c.options.Chunk, m.Threads
	rec.Prompt, rec.Gen, rec.Depth, rec.Parallel = c.test.Prompt, c.test.Gen, c.test.Depth, c.test.Parallel
	rec.Labels, rec.Warmup, rec.Tier = c.options.LabelRows, !c.test.Cold, t.Work.Tier.String()
	rec.TypeK, rec.TypeV = c.options.KV.String(), c.options.KV.String()
	rec.TestTime = time.Now().UTC().Format(time.RFC3339)

	tokens := float64(c.test.Parallel * (c.test.Prompt + c.test.Gen))
	for _, d := range t.Samples {
		rec.SamplesNS = append(rec.SamplesNS, d.Nanoseconds())
		rec.SamplesTS = append(rec.SamplesTS, tokens/d.Seconds())
	}
	ns := make([]float64, len(rec.SamplesNS))
	for i, v := range rec.SamplesNS {
		ns[i] = float64(v)
	}
	avg, dev := spread(ns)
	rec.AvgNS, rec.StddevNS = int64(avg), int64(dev)
	rec.AvgTS, rec.StddevTS = spread(rec.SamplesTS)
	median := stat.MedianCI(rec.SamplesTS, 0.95)
	rec.MedianTS, rec.LoTS, rec.HiTS, rec.Level = median.Value, median.Lo, median.Hi, median.Level

	if len(t.StepNS) > 0 {
		ms := make([]float64, len(t.StepNS))
		for i, v := range t.StepNS {
			ms[i] = float64(v) / 1e6
		}
		for p, at := range map[float64]**float64{0.5: &rec.LatencyP50, 0.9: &rec.LatencyP90, 0.99: &rec.LatencyP99} {
			v := stat.Quantile(ms, p)
			*at = &v
		}
	}
	rec.LoadMS, rec.FirstTokenMS = milliseconds(m.Load), milliseconds(m.FirstToken)
	rec.MemoryBytes, rec.KVBytes, rec.PeakRSSBytes = m.MemoryBytes, t.KVBytes, t.PeakRSS

	roof := t.Work.Roofline(limits)
	rec.GBPerS, rec.GOPS = roof.GBPerS, roof.GOPS
	rec.LimitGBS, rec.LimitGOPS, rec.ShareGBS, rec.ShareGOPS = roof.ReadLimit, roof.PeakLimit, roof.ReadShare, roof.PeakShare
	if roof.PeakLimit != nil {
		rec.LimitMix = roof.Mix.String()
	}
	if limits != nil && len(limits.Products) > 0 {
		rec.ProductGOPS = ptrOf(limits.Products[0].GOPS.Median)
	}
	rec.Verdict, rec.Reason, rec.Warnings = t.Verdict, t.Reason, t.Warnings
	return rec
}

// spread is the mean and the sample standard deviation, 0 of one value.
func spread(xs []float64) (mean, deviation float64) {
	mean = stat.Mean(xs)
	if len(xs) < 2 {
		return mean, 0
	}
	for _, x := range xs {
		deviation += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(deviation / float64(len(xs)-1))
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// name is llama-bench's name of a test, with the number of sequences.
func (c benchCell) name() string {
	return testName(c.test.Prompt, c.test.Gen, c.test.Depth, c.test.Parallel)
}

func (r *benchRecord) name() string { return testName(r.Prompt, r.Gen, r.Depth, r.Parallel) }

func testName(prompt, gen, depth, parallel int) string {
	var s string
	switch {
	case gen == 0:
		s = fmt.Sprintf("pp%d", prompt)
	case prompt == 0:
		s = fmt.Sprintf("tg%d", gen)
	default:
		s = fmt.Sprintf("pp%d+tg%d", prompt, gen)
	}
	if parallel > 1 {
		s += fmt.Sprintf(" x %d", parallel)
	}
	if depth > 0 {
		s += fmt.Sprintf(" @ d%d", depth)
	}
	return s
}

// label is the model's name in a table.
func (r *benchRecord) label() string { return filepath.Base(r.ModelFilename) }
