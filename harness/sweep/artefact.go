package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/compress"
	"github.com/seed-c6f48606/harness/runners/model"
)

// ReportName is the file in which an artefact carries what its building did.
const ReportName = "report.json"

// Builder makes artefacts of one source, or finds them in the cache.
type Builder struct {
	source  *Source
	builder *compress.Builder // made when the first artefact is missing
}

// NewBuilder returns a builder for the source.
func NewBuilder(s *Source) *Builder { return &Builder{source: s} }

// Build returns the artefact of a recipe. progress hears the stage and the share
// done; it may be nil. damaged is not nil when a cached one had to be replaced.
func (b *Builder) Build(ctx context.Context, r compress.Recipe, progress func(string, float64)) (a store.Artefact, damaged *DamagedError, err error) {
	began := time.Now()
	a = store.Artefact{Key: r.Key(b.source.Parent.Hash), Bits: r.Bits, RankRatio: r.RankRatio, PruneRatio: r.PruneRatio}
	a.Path, a.Cached, damaged, err = b.source.Cache.Ensure(ctx, a.Key, func(dir string) error {
		return b.make(ctx, dir, r, progress)
	})
	if err != nil {
		return a, damaged, fmt.Errorf("building artefact of %d bits, rank ratio %g, prune ratio %g: %w", r.Bits, r.RankRatio, r.PruneRatio, err)
	}
	a.BuildS = time.Since(began).Seconds()
	if a.Report, err = os.ReadFile(filepath.Join(a.Path, ReportName)); err != nil {
		return a, damaged, fmt.Errorf("reading what building did: %w", err)
	}
	a.Hash, err = model.HashPath(a.Path)
	return a, damaged, err
}

func (b *Builder) make(ctx context.Context, dir string, r compress.Recipe, progress func(string, float64)) error {
	if b.builder == nil {
		builder, err := compress.NewBuilder(b.source.Parent, Calibration(b.source.Parent, b.source.Tokenizer, b.source.Set), compress.Options{})
		if err != nil {
			return err
		}
		b.builder = builder
	}
	m, report, err := b.builder.Build(ctx, r, progress)
	if err != nil {
		return err
	}
	words, err := json.Marshal(b.source.Tokenizer)
	if err != nil {
		return fmt.Errorf("writing its tokenizer: %w", err)
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("writing its report: %w", err)
	}
	return errors.Join(
		m.SaveWith(dir, map[string][]byte{"tokenizer.json": words}),
		os.WriteFile(filepath.Join(dir, ReportName), append(text, '\n'), 0o644),
	)
}
