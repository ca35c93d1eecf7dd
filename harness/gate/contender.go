package gate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/compress"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Kinds of a contender of a live comparison.
const (
	KindCommit = "commit" // a revision of the repository around the working folder
	KindModel  = "model"  // a built-in name or a path
	KindRecipe = "recipe" // a YAML file of plan keys
)

// Contender is one side of a live comparison as the user names it, KIND:VALUE.
type Contender struct{ Kind, Value string }

// String is the form that ParseContender reads.
func (c Contender) String() string { return c.Kind + ":" + c.Value }

// ParseContender reads commit:REV, model:PATH or recipe:FILE; ok is false for
// anything else, such as the id of a run.
func ParseContender(text string) (c Contender, ok bool) {
	kind, value, _ := strings.Cut(text, ":")
	if !slices.Contains([]string{KindCommit, KindModel, KindRecipe}, kind) {
		return Contender{}, false
	}
	return Contender{kind, value}, true
}

// ParseContenders reads both sides of a comparison. live is false where both are
// stored runs; must refuses that.
func ParseContenders(a, b string, must bool) (pair [2]Contender, live bool, err error) {
	const forms = "commit:REV, model:PATH or recipe:FILE"
	x, okX := ParseContender(a)
	y, okY := ParseContender(b)
	switch {
	case !okX && !okY && !must:
		return pair, false, nil
	case !okX || !okY:
		wrong := a
		if okX {
			wrong = b
		}
		return pair, true, fmt.Errorf("%q is none of %s; a live comparison takes two of them, a stored one two runs", wrong, forms)
	case x.Kind != y.Kind:
		return pair, true, fmt.Errorf("%s and %s differ in kind: compare two commits, two models or two recipes, so that one thing is changed at a time", x, y)
	case x.Value == "" || y.Value == "":
		return pair, true, fmt.Errorf("%s: says nothing of which %s; write %s", x.Kind+":", x.Kind, forms)
	}
	return [2]Contender{x, y}, true, nil
}

// ParseCell reads the name of a cell, 8b-r0.5-p0-t0.5-n16-c2@TARGET, as rows and
// tables print it.
func ParseCell(text string) (sweep.Axes, string, error) {
	id, target, found := strings.Cut(text, "@")
	if !found {
		target = sweep.Local
	}
	bad := func(why string) (sweep.Axes, string, error) {
		return sweep.Axes{}, "", fmt.Errorf("cell %.60q: %s; take a name from harness export, such as 8b-r1-p0-t0-n1-c2", text, why)
	}
	parts := strings.Split(id, "-")
	if len(parts) != 6 || target == "" {
		return bad("it is not six parts joined by dashes")
	}
	var a sweep.Axes
	bits, ok := strings.CutSuffix(parts[0], "b")
	if !ok {
		return bad("its first part is not the bits, such as 8b")
	}
	parts[0] = "b" + bits
	var n [6]float64
	for i, prefix := range []string{"b", "r", "p", "t", "n", "c"} {
		number, ok := strings.CutPrefix(parts[i], prefix)
		v, err := strconv.ParseFloat(number, 64)
		if !ok || err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return bad(fmt.Sprintf("part %d, %.20q, is not %s and a number", i+1, parts[i], prefix))
		}
		n[i] = v
	}
	const most = 1 << 20
	for _, i := range []int{0, 4, 5} {
		if n[i] != float64(int(max(-most, min(most, n[i])))) {
			return bad(fmt.Sprintf("%g is not a whole number", n[i]))
		}
	}
	a = sweep.Axes{Bits: int(n[0]), RankRatio: n[1], PruneRatio: n[2], Threshold: n[3], Batch: int(n[4]), Threads: int(n[5])}
	if a.ID() != id {
		return bad("its name would be " + a.ID())
	}
	return a, target, nil
}

// Only restricts a plan to one cell.
func Only(p sweep.Plan, a sweep.Axes) sweep.Plan {
	p.Design = sweep.Grid
	p.Bits, p.RankRatio, p.PruneRatio = []int{a.Bits}, []float64{a.RankRatio}, []float64{a.PruneRatio}
	p.Threshold, p.Batch = []float64{a.Threshold}, []int{a.Batch}
	p.Threads = nil
	if a.Threads != 0 {
		p.Threads = []int{a.Threads}
	}
	return p
}

// Duels makes the artefacts of both plans and pairs their cells on one target, in
// their order. The plans are of one data set.
func Duels(ctx context.Context, cache sweep.Cache, target string, plans [2]sweep.Plan, progress Progress) ([]Duel, error) {
	var sources [2]*sweep.Source
	var cells [2][]sweep.Axes
	for i := range plans {
		source, err := sweep.Prepare(ctx, cache, &plans[i])
		if err != nil {
			return nil, err
		}
		sources[i], cells[i] = source, plans[i].CellsOn(target)
	}
	switch a, b := len(cells[0]), len(cells[1]); {
	case a != b:
		return nil, fmt.Errorf("one side has %d cells and the other %d: a comparison is of pairs of cells", a, b)
	case plans[0].DataHash != plans[1].DataHash:
		return nil, errors.New("the sides read different data: give both the same data set, so that the same texts are timed")
	}
	built := map[string]string{}
	progress.Stage("artefacts", 2*len(cells[0]))
	duels := make([]Duel, len(cells[0]))
	for side := range plans {
		b := sweep.NewBuilder(sources[side])
		for i, axes := range cells[side] {
			recipe := plans[side].Recipe(axes)
			key := recipe.Key(plans[side].ModelHash)
			if built[key] == "" {
				path, err := build(ctx, b, recipe, progress)
				if err != nil {
					return nil, err
				}
				built[key] = path
			}
			duels[i].Models[side] = built[key]
			progress.Step(1, "")
		}
	}
	for i := range duels {
		d, p, x, y := &duels[i], plans[1], cells[0][i], cells[1][i]
		if x.Batch != y.Batch || x.Threads != y.Threads {
			return nil, fmt.Errorf("cells %s and %s differ in batch or threads: figures of one inference cannot be compared", x.ID(), y.ID())
		}
		if d.Cell = sweep.CellID(target, x); x != y {
			d.Cell += " : " + sweep.CellID(target, y)
		}
		d.Items, d.Threads, d.Limit = sources[0].Items, x.Threads, max(plans[0].TrialLimit(), p.TrialLimit())
		d.Thresholds = [2]float64{x.Threshold, y.Threshold}
		d.Request = wire.Measure{
			Batch: x.Batch, Scenario: p.Scenario, WarmupLimit: p.WarmupLimit, Window: p.Window, IdleWindow: p.IdleWindow,
			MinInferences: p.MinInferences, NoEnergy: !p.Energy, Limits: p.Limits, PowerMode: p.PowerModes[target],
		}
	}
	return duels, nil
}

func build(ctx context.Context, b *sweep.Builder, recipe compress.Recipe, progress Progress) (string, error) {
	a, damaged, err := b.Build(ctx, recipe, nil)
	if err != nil {
		return "", err
	}
	if damaged != nil {
		progress.Note(store.Warning, damaged.Error()+"; built anew")
	}
	return a.Path, nil
}

// FindMetric returns one metric by its name.
func FindMetric(name string) (Metric, error) {
	all, err := FindMetrics([]string{name})
	if err != nil {
		return Metric{}, err
	}
	return all[0], nil
}
