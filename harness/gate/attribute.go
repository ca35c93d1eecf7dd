package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	pprof "github.com/google/pprof/profile"

	"github.com/seed-c6f48606/harness/reports/profile"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// modulePath is what the names of our functions begin with.
const modulePath = "github.com/seed-c6f48606/harness"

// Effort bounds the profiling of a duel.
type Effort struct {
	Window time.Duration // of a trial
	Rounds int           // of two trials an arm, at most
}

// DefaultEffort knows the time of a function that takes most of it to about 1 %: at
// 100 samples a second and thread, 2 threads give 2,000 an arm and round.
func DefaultEffort() Effort { return Effort{Window: 5 * time.Second, Rounds: 16} }

// surely is how many standard errors a function's change must be to be named.
const surely = 4

// Cause is where a change of a cell's time is.
type Cause struct {
	Cell string
	Diff *profile.Diff
	// Kernel is the function whose own time changed most, if that is no chance.
	Kernel *profile.Change
	// Layer is the part of the network in which that is.
	Layer  string
	Trials int
}

// String names the cause for people.
func (c *Cause) String() string {
	if c.Kernel == nil {
		return fmt.Sprintf("no function stands out in %d profiled trials", c.Trials)
	}
	k := c.Kernel
	kind := ""
	if k.Assembly {
		kind = " (assembly)"
	}
	text := fmt.Sprintf("%s%s takes %+.1f %% of its time and %+.1f %% of all (%.1f standard errors)",
		Short(k.Name), kind, 100*k.Delta()/max(k.BeforeNS, 1e-9), 100*k.Share, k.Z)
	if k.BeforeNS == 0 {
		text = fmt.Sprintf("%s%s is new and takes %.1f %% of all (%.1f standard errors)", Short(k.Name), kind, 100*k.Share, k.Z)
	}
	if c.Layer != "" && c.Layer != k.Name {
		text += ", in " + Short(c.Layer)
	}
	return text
}

// Short leaves the module's path out of a function's name.
func Short(name string) string { return strings.TrimPrefix(name, modulePath+"/") }

// Attribute profiles the work window of a duel's trials, interleaved as in a series,
// until a function stands out in the direction of the change, slower or not.
func (s *Series) Attribute(ctx context.Context, d Duel, slower bool, effort Effort) (*Cause, error) {
	d.Request.CPUProfile, d.Request.Window = true, effort.Window
	var sides [2]profile.Side
	c := &Cause{Cell: d.Cell}
	differ := profile.Differ{Module: modulePath, Layers: modulePath + "/runners/engine."}
	s.Progress.Stage("profiles", effort.Rounds)
	for round := range effort.Rounds {
		d.Request.Seed = s.Seed<<16 + uint64(round)
		for _, first := range []byte{'A', 'B'} {
			if s.stopping() {
				return c, context.Canceled
			}
			t, err := s.both(ctx, d, first)
			if err != nil {
				return c, fmt.Errorf("profiling: %w", err)
			}
			for side := range sides {
				for _, r := range t.parts[side] {
					if err := addProfile(&sides[side], r); err != nil {
						return c, fmt.Errorf("profiling: %s: %w", s.Arms[side].Name, err)
					}
				}
			}
			c.Trials += 2
		}
		var err error
		if c.Diff, err = differ.Compare(sides[0], sides[1]); err != nil {
			return c, err
		}
		if c.find(slower); c.Kernel != nil && round > 0 {
			break
		}
		s.Progress.Step(1, "")
	}
	return c, nil
}

func addProfile(s *profile.Side, r wire.MeasureResult) error {
	if len(bytes.TrimSpace(r.CPUProfile)) == 0 {
		return errors.New("the runner gave no profile")
	}
	p, err := pprof.ParseData(r.CPUProfile)
	if err != nil {
		return fmt.Errorf("reading its profile: %w", err)
	}
	onlyWork(p)
	s.Profiles, s.Work = append(s.Profiles, p), append(s.Work, float64(r.Items))
	return nil
}

// find names the function that changed most in the direction of the change.
func (c *Cause) find(slower bool) {
	c.Kernel, c.Layer = nil, ""
	for i := range c.Diff.Functions {
		f := &c.Diff.Functions[i]
		if (f.Delta() > 0) != slower {
			continue
		}
		if max(f.Z, -f.Z) >= surely {
			c.Kernel, c.Layer = f, f.Layer
		}
		return // those after it changed less
	}
}

// onlyWork drops what the runtime does for itself, the collector's and the
// profiler's own work, which depends on chance more than on the code.
func onlyWork(p *pprof.Profile) {
	kept := p.Sample[:0]
	for _, x := range p.Sample {
		if !runtimeOnly(x) {
			kept = append(kept, x)
		}
	}
	p.Sample = kept
}

func runtimeOnly(x *pprof.Sample) bool {
	for _, l := range x.Location {
		for _, line := range l.Line {
			if line.Function != nil && !strings.HasPrefix(line.Function.Name, "runtime") {
				return false
			}
		}
	}
	return true
}
