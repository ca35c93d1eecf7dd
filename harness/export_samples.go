package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// sampleRow is one timed inference as it is exported.
type sampleRow struct {
	Run       string  `json:"run" parquet:"run,dict"`
	Cell      string  `json:"cell" parquet:"cell,dict"`
	Target    string  `json:"target" parquet:"target,dict"`
	Repeat    int     `json:"repeat" parquet:"repeat"`
	Attempt   int     `json:"attempt" parquet:"attempt"`
	Verdict   string  `json:"verdict" parquet:"verdict,dict"`
	Number    int     `json:"number" parquet:"number"`
	TimeS     float64 `json:"t_s" parquet:"t_s"`
	LatencyMS float64 `json:"latency_ms" parquet:"latency_ms"`
	Items     int     `json:"items" parquet:"items"`
	Tokens    int     `json:"tokens" parquet:"tokens"`
}

var sampleColumns = []string{"run", "cell", "target", "repeat", "attempt", "verdict", "number", "t_s", "latency_ms", "items", "tokens"}

// writeSamples streams a run's samples, one trial in memory at a time.
func writeSamples(ctx context.Context, w io.Writer, format string, s *store.Store, run string) error {
	cells, err := s.Cells(ctx, run)
	if err != nil {
		return err
	}
	targets := make(map[string]string, len(cells))
	for _, c := range cells {
		targets[c.ID] = c.Target
	}
	write, end := sampleWriter(w, format)
	var rows []sampleRow
	err = s.EachTrial(ctx, run, func(t store.Trial) error {
		rows = rows[:0]
		for i, x := range t.Result.Samples {
			rows = append(rows, sampleRow{
				run, t.Cell, targets[t.Cell], t.Repeat, t.Attempt, string(t.Result.Verdict), i, x.TimeS, x.LatencyMS, x.Items, x.Tokens,
			})
		}
		return write(rows)
	})
	if err != nil {
		return err
	}
	if err := end(); err != nil {
		return fmt.Errorf("writing %s: %w", format, err)
	}
	return nil
}

// rowsAGroup bounds what a parquet writer keeps in memory.
const rowsAGroup = 1 << 17

func sampleWriter(w io.Writer, format string) (write func([]sampleRow) error, end func() error) {
	switch format {
	case "csv":
		out := csv.NewWriter(w)
		header := out.Write(sampleColumns)
		return func(rows []sampleRow) error {
			for _, r := range rows {
				if err := out.Write([]string{
					r.Run, r.Cell, r.Target, strconv.Itoa(r.Repeat), strconv.Itoa(r.Attempt), r.Verdict, strconv.Itoa(r.Number),
					plain(r.TimeS), plain(r.LatencyMS), strconv.Itoa(r.Items), strconv.Itoa(r.Tokens),
				}); err != nil {
					return csvError(err)
				}
			}
			return csvError(header)
		}, func() error { out.Flush(); return out.Error() }
	case "parquet":
		out := parquet.NewGenericWriter[sampleRow](w, parquet.MaxRowsPerRowGroup(rowsAGroup), parquet.Compression(&parquet.Zstd))
		return func(rows []sampleRow) error { _, err := out.Write(rows); return err }, out.Close
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(rows []sampleRow) error {
		for _, r := range rows {
			if err := enc.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}, func() error { return nil }
}

// parquetRow is a tidy row; its columns are stat.Columns.
type parquetRow struct {
	Run        string    `parquet:"run,dict"`
	Cell       string    `parquet:"cell,dict"`
	Target     string    `parquet:"target,dict"`
	Board      string    `parquet:"board,dict"`
	Model      string    `parquet:"model,dict"`
	Dataset    string    `parquet:"dataset,dict"`
	Bits       int       `parquet:"bits"`
	GroupSize  int       `parquet:"group_size"`
	Algorithm  string    `parquet:"algorithm,dict"`
	RankRatio  float64   `parquet:"rank_ratio"`
	PruneRatio float64   `parquet:"prune_ratio"`
	Threshold  float64   `parquet:"threshold"`
	Batch      int       `parquet:"batch"`
	Threads    int       `parquet:"threads"`
	Tier       string    `parquet:"tier,dict"`
	Scenario   string    `parquet:"scenario,dict"`
	Metric     string    `parquet:"metric,dict"`
	Unit       string    `parquet:"unit,dict"`
	Value      *float64  `parquet:"value"`
	Lo         *float64  `parquet:"lo"`
	Hi         *float64  `parquet:"hi"`
	N          int       `parquet:"n"`
	Verdict    string    `parquet:"verdict,dict"`
	Warnings   []string  `parquet:"warnings,list"`
	Time       time.Time `parquet:"time,timestamp(microsecond)"`
	Commit     string    `parquet:"commit,dict"`
}

func writeRowsParquet(w io.Writer, rows []stat.Row) error {
	out := parquet.NewGenericWriter[parquetRow](w, parquet.MaxRowsPerRowGroup(rowsAGroup), parquet.Compression(&parquet.Zstd))
	for _, r := range rows {
		if _, err := out.Write([]parquetRow{parquetRow(r)}); err != nil {
			return fmt.Errorf("writing parquet: %w", err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("writing parquet: %w", err)
	}
	return nil
}
