package main

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/harness/gate"
	"github.com/seed-c6f48606/harness/harness/sweep"
)

// mortal is a target whose runners end with the context they were started under, as
// those on boards do.
type mortal struct{ sweep.Target }

func (m mortal) Start(ctx context.Context) (*sweep.Process, error) {
	p, err := m.Target.Start(ctx)
	if err == nil {
		context.AfterFunc(ctx, p.Kill)
	}
	return p, err
}

// noted keeps what a series notes.
type noted struct {
	sync.Mutex
	texts []string
}

func (*noted) Stage(string, int) {}
func (*noted) Step(int, string)  {}
func (n *noted) Note(_, text string) {
	n.Lock()
	defer n.Unlock()
	n.texts = append(n.texts, text)
}

// A series on a board must measure its arms together, in runners that live as long as
// their pair. Profiles are taken, since those are good on a busy machine too.
func TestArmsTakeTurns(t *testing.T) {
	ctx := context.Background()
	self, err := sweep.Self()
	if err != nil {
		t.Fatal(err)
	}
	plan := sweep.Reference()
	plan.Bits, plan.Batch, plan.Threads, plan.Energy, plan.Targets = []int{8}, []int{16}, []int{1}, false, []string{sweep.Local}
	heard := &noted{}
	duels, err := gate.Duels(ctx, sweep.Cache{Root: t.TempDir()}, sweep.Local, [2]sweep.Plan{plan, plan}, heard)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := gate.OpenJournal(t.TempDir(), "series", false)
	if err != nil {
		t.Fatal(err)
	}
	open := func(ctx context.Context) (sweep.Target, error) {
		here, err := gate.Local(self.Argv...)(ctx)
		return mortal{here}, err
	}
	s := &gate.Series{Arms: [2]*gate.Arm{{Name: "one", Open: open}, {Name: "other", Open: open}}, Duels: duels, Journal: journal, Progress: heard}
	defer s.Close()
	cause, err := s.Attribute(ctx, duels[0], true, gate.Effort{Window: time.Second, Rounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(heard.texts) > 0 || cause.Trials != 4 || cause.Diff.BeforeNS == 0 || cause.Diff.AfterNS == 0 {
		t.Errorf("%d trials, notes %q, %v", cause.Trials, heard.texts, cause)
	}
}
