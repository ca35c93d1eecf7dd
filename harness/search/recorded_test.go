package search_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/harness/search"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// The recordings are of real sweeps; docs/search.md says which and how. NAME.cells.csv.gz
// has a line a cell with the values of its valid trials, joined by semicolons;
// NAME.answers.gz has what each artefact and threshold answered.
var recordings = []string{"service-nano", "clinc150-nano", "hwu64"}

func recordingFiles(name string) (cells, answers string) {
	return "testdata/" + name + ".cells.csv.gz", "testdata/" + name + ".answers.gz"
}

var recordFrom = flag.String("record", "", "NAME=STORE: rewrite a recording from the last run of this store; of several, joined by commas, a trial is taken from the first that has its samples")

// recording is a sweep in which every cell was measured.
type recording struct {
	axes     []sweep.Axes
	subjects []int
	// trials are by metric, cell and repeat.
	trials map[string][][]float64
	truth  []int
	// answers are by subject and item.
	answers [][]int
}

// recorded are the metrics of trials that the recording has.
var recorded = []string{"latency_ms_p50", "throughput_per_s", "model_bytes", "peak_rss_bytes"}

// TestRecord makes the recording anew from a store.
func TestRecord(t *testing.T) {
	name, stores, ok := strings.Cut(*recordFrom, "=")
	if !ok {
		t.Skip("no -record NAME=STORE")
	}
	var r *sweep.Record
	for _, name := range strings.Split(stores, ",") {
		s, err := store.OpenExisting(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		part, err := sweep.Read(context.Background(), s, store.Last)
		if err != nil {
			t.Fatal(err)
		}
		if r == nil {
			r = part
			continue
		}
		for _, trial := range part.Trials {
			same := func(q store.Trial) bool {
				return q.Cell == trial.Cell && q.Repeat == trial.Repeat && q.Attempt == trial.Attempt && len(q.Result.Samples) > 0
			}
			if len(trial.Result.Samples) > 0 && !slices.ContainsFunc(r.Trials, same) {
				r.Trials = append(r.Trials, trial)
			}
		}
	}
	rec := fromRun(r)
	var cells, answers bytes.Buffer
	if err := rec.write(&cells, &answers); err != nil {
		t.Fatal(err)
	}
	cellsFile, answersFile := recordingFiles(name)
	for name, b := range map[string]*bytes.Buffer{cellsFile: &cells, answersFile: &answers} {
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if _, err := b.WriteTo(z); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", name, packed.Len())
		if err := os.WriteFile(name, packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func fromRun(r *sweep.Record) recording {
	rec := recording{trials: map[string][][]float64{}}
	index := map[string]int{}
	valid := map[string][]store.Trial{}
	for _, t := range r.Trials {
		if t.Result.Verdict == wire.Valid {
			valid[t.Cell] = append(valid[t.Cell], t)
		}
	}
	for _, c := range r.Cells {
		key := fmt.Sprintf("%s %g", c.Artefact, c.Axes.Threshold)
		if _, ok := index[key]; !ok {
			for _, q := range r.Qualities {
				if q.Subject == c.Artefact && q.Threshold == c.Axes.Threshold {
					index[key] = len(rec.answers)
					rec.answers, rec.truth = append(rec.answers, q.Result.Predictions), q.Result.Truth
				}
			}
		}
		rec.axes = append(rec.axes, c.Axes)
		rec.subjects = append(rec.subjects, index[key])
		rows := map[string][]float64{}
		for _, t := range valid[c.ID] {
			var latencies []float64
			for _, s := range t.Result.Samples {
				latencies = append(latencies, s.LatencyMS)
			}
			m := t.Result
			for k, v := range []float64{stat.Median(latencies), float64(m.Items) / m.WindowS, float64(m.ModelBytes), float64(m.PeakRSSBytes)} {
				rows[recorded[k]] = append(rows[recorded[k]], v)
			}
		}
		for _, name := range recorded {
			rec.trials[name] = append(rec.trials[name], rows[name])
		}
	}
	return rec
}

func (r recording) write(cells, answers io.Writer) error {
	w := csv.NewWriter(cells)
	head := []string{"bits", "rank_ratio", "prune_ratio", "threshold", "batch", "threads", "subject"}
	if err := w.Write(append(head, recorded...)); err != nil {
		return err
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 5, 64) }
	for i, a := range r.axes {
		line := []string{
			strconv.Itoa(a.Bits), number(a.RankRatio), number(a.PruneRatio), number(a.Threshold),
			strconv.Itoa(a.Batch), strconv.Itoa(a.Threads), strconv.Itoa(r.subjects[i]),
		}
		for _, name := range recorded {
			var texts []string
			for _, v := range r.trials[name][i] {
				texts = append(texts, strconv.FormatFloat(v, 'g', map[bool]int{true: -1, false: 5}[strings.HasSuffix(name, "_bytes")], 64))
			}
			line = append(line, strings.Join(texts, ";"))
		}
		if err := w.Write(line); err != nil {
			return err
		}
	}
	w.Flush()
	// The answers: how many items, their classes, how many subjects, and of each
	// its wrong ones: how many, then distance from the last one and class.
	out := binary.AppendUvarint(nil, uint64(len(r.truth)))
	for _, c := range r.truth {
		out = append(out, byte(c))
	}
	out = binary.AppendUvarint(out, uint64(len(r.answers)))
	for _, answer := range r.answers {
		var wrong []byte
		n, last := 0, 0
		for i, c := range answer {
			if c != r.truth[i] {
				wrong = append(binary.AppendUvarint(wrong, uint64(i-last)), byte(c))
				n, last = n+1, i
			}
		}
		out = append(binary.AppendUvarint(out, uint64(n)), wrong...)
	}
	_, err := answers.Write(out)
	return err
}

func readRecording(t *testing.T, name string) recording {
	t.Helper()
	cellsFile, answersFile := recordingFiles(name)
	open := func(name string) *bufio.Reader {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		return bufio.NewReader(z)
	}
	rec := recording{trials: map[string][][]float64{}}
	lines, err := csv.NewReader(open(cellsFile)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	number := func(text string) float64 {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, line := range lines[1:] {
		rec.axes = append(rec.axes, sweep.Axes{
			Bits: int(number(line[0])), RankRatio: number(line[1]), PruneRatio: number(line[2]),
			Threshold: number(line[3]), Batch: int(number(line[4])), Threads: int(number(line[5])),
		})
		rec.subjects = append(rec.subjects, int(number(line[6])))
		for k, name := range recorded {
			var values []float64
			for _, text := range strings.FieldsFunc(line[7+k], func(r rune) bool { return r == ';' }) {
				values = append(values, number(text))
			}
			rec.trials[name] = append(rec.trials[name], values)
		}
	}
	in := open(answersFile)
	next := func() int {
		v, err := binary.ReadUvarint(in)
		if err != nil {
			t.Fatal(err)
		}
		return int(v)
	}
	class := func() int {
		b, err := in.ReadByte()
		if err != nil {
			t.Fatal(err)
		}
		return int(b)
	}
	for range next() {
		rec.truth = append(rec.truth, class())
	}
	for range next() {
		answer := slices.Clone(rec.truth)
		at := 0
		for range next() {
			at += next()
			answer[at] = class()
		}
		rec.answers = append(rec.answers, answer)
	}
	return rec
}

// results are the subjects' answers as evaluations return them.
func (r recording) results() []wire.EvalResult {
	classes := 0
	for _, c := range r.truth {
		classes = max(classes, c+1)
	}
	out := make([]wire.EvalResult, len(r.answers))
	for i, a := range r.answers {
		out[i] = wire.EvalResult{Labels: make([]string, classes), Predictions: a, Truth: r.truth, Items: len(r.truth)}
	}
	return out
}

// rows are each cell's trials in the order of columns.
func (r recording) rows(columns []search.Metric) [][][]float64 {
	out := make([][][]float64, len(r.axes))
	for c := range out {
		out[c] = make([][]float64, len(r.trials[recorded[0]][c]))
		for i := range out[c] {
			out[c][i] = make([]float64, len(columns))
			for k, m := range columns {
				if values, ok := r.trials[m.Name]; ok {
					out[c][i][k] = values[c][i]
				}
			}
		}
	}
	return out
}
