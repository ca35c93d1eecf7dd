package sweep

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-c6f48606/harness/datasets/builtin"
	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/runners/compress"
	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/tokenizer"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// FindModel returns the path of a model: a built-in one by name, which is copied
// into the cache first, else the path itself.
func FindModel(ctx context.Context, cache Cache, name string) (string, error) {
	files, ok := builtin.Model(name)
	if !ok {
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("model %s: no such file or folder, and not a built-in name (%s)", name, strings.Join(builtin.Models(), ", "))
		}
		path, err := filepath.Abs(name)
		if err != nil {
			return "", fmt.Errorf("model %s: %w", name, err)
		}
		return path, nil
	}
	key, err := treeHash(files)
	if err != nil {
		return "", fmt.Errorf("built-in model %s: %w", name, err)
	}
	path, _, _, err := cache.Ensure(ctx, key, func(dir string) error { return os.CopyFS(dir, files) })
	if err != nil {
		return "", fmt.Errorf("built-in model %s: %w", name, err)
	}
	return path, nil
}

func treeHash(files fs.FS) (string, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, e := range entries {
		raw, err := fs.ReadFile(files, e.Name())
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %x\n", e.Name(), sha256.Sum256(raw))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Source is what a plan's cells are made from and tried on.
type Source struct {
	Path      string // of the parent model
	Parent    *model.Model
	Tokenizer *tokenizer.Tokenizer
	Set       *loader.Set
	Cache     Cache

	Items  string // file of the split under test, for runners
	Subset string // of a part of it, for the check of batches
	subset []int  // indices of the part's items
}

// subsetItems is how many items the check of batches reads, checkBatch how many
// at once at least.
const (
	subsetItems = 64
	checkBatch  = 7
)

// Prepare loads the plan's model and data and refuses what does not go
// together. It fills the plan's hashes, or compares them when they are filled.
func Prepare(ctx context.Context, cache Cache, p *Plan) (*Source, error) {
	return prepare(ctx, cache, p, loader.Test)
}

func prepare(ctx context.Context, cache Cache, p *Plan, split loader.Split) (*Source, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	s := &Source{Cache: cache}
	var err error
	if s.Set, err = loader.Load(p.Data.Spec, p.Data.Options()); err != nil {
		return nil, err
	}
	if _, err = s.Set.Items(split); err != nil {
		return nil, err
	}
	if s.Path, err = FindModel(ctx, cache, p.Model); err != nil {
		return nil, err
	}
	if s.Parent, err = model.Load(s.Path); err != nil {
		return nil, err
	}
	if err := same("model "+p.Model, &p.ModelHash, s.Parent.Hash); err != nil {
		return nil, err
	}
	if err := same("data set "+p.Data.Spec, &p.DataHash, s.Set.Hash); err != nil {
		return nil, err
	}
	if s.Tokenizer, err = tokenizer.Load(s.Path); err != nil {
		return nil, err
	}
	if err := Fits(s.Parent, s.Set); err != nil {
		return nil, err
	}
	for _, r := range p.recipes() {
		if err := compress.CheckModel(s.Parent, r); err != nil {
			return nil, err
		}
	}
	return s, s.writeItems(ctx, split)
}

// same fills an empty hash and compares a filled one.
func same(what string, want *string, got string) error {
	if *want != "" && *want != got {
		return fmt.Errorf("%s has changed since the run began: its hash is %.12s…, the run's %.12s…; start a new run", what, got, *want)
	}
	*want = got
	return nil
}

// Fits refuses a classifier that does not know all classes of the data.
func Fits(m *model.Model, set *loader.Set) error {
	if m.Classifier == nil {
		return nil
	}
	known := map[string]bool{}
	for _, l := range m.Labels {
		known[l] = true
	}
	missing := 0
	first := ""
	for _, l := range set.Labels {
		if !known[l] {
			missing++
			if first == "" {
				first = l
			}
		}
	}
	if missing > 0 {
		return fmt.Errorf("model and data set %s do not go together: %d of its %d classes are unknown to the model's %d, such as %q; name another with --model or train one with: harness train --dataset %s",
			set.Name, missing, len(set.Labels), len(m.Labels), first, set.Name)
	}
	return nil
}

// writeItems puts a split where runners find it.
func (s *Source) writeItems(ctx context.Context, split loader.Split) error {
	part, err := s.Set.Items(split)
	if err != nil {
		return err
	}
	items := make([]wire.Item, len(part))
	for i, it := range part {
		items[i] = wire.Item{Text: it.Text, Label: s.Set.Labels[it.Label]}
	}
	if s.Items, err = s.itemsFile(ctx, items); err != nil {
		return err
	}
	n := min(subsetItems, len(items))
	few := make([]wire.Item, n)
	for i := range few {
		at := i * len(items) / n
		s.subset = append(s.subset, at)
		few[i] = items[at]
	}
	s.Subset, err = s.itemsFile(ctx, few)
	return err
}

func (s *Source) itemsFile(ctx context.Context, items []wire.Item) (string, error) {
	var buf bytes.Buffer
	if err := wire.WriteItems(&buf, items); err != nil {
		return "", err
	}
	sum := sha256.Sum256(buf.Bytes())
	const name = "items.jsonl"
	dir, _, _, err := s.Cache.Ensure(ctx, hex.EncodeToString(sum[:]), func(dir string) error {
		return os.WriteFile(filepath.Join(dir, name), buf.Bytes(), 0o644)
	})
	if err != nil {
		return "", fmt.Errorf("writing the split for runners: %w", err)
	}
	return filepath.Join(dir, name), nil
}

// Calibration is what artefacts may learn from: the train split of a set that
// fits the model.
func Calibration(m *model.Model, tok *tokenizer.Tokenizer, set *loader.Set) compress.Calibration {
	c := compress.Calibration{}
	for _, it := range set.Train {
		c.Tokens = append(c.Tokens, tok.Sequence(it.Text, m.MaxPositions))
	}
	if m.Classifier == nil {
		return c
	}
	class := map[string]int{}
	for i, l := range m.Labels {
		class[l] = i
	}
	for _, it := range set.Train {
		c.Labels = append(c.Labels, class[set.Labels[it.Label]])
	}
	return c
}
