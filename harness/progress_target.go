package main

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// What targets are at that a line of text is not worth: it changes with every
// trial, and the stage's own line counts the trials of all targets.
var quietDoings = []string{"connecting", "trials", "waiting for its turn", "load", "tokenize", "warm-up", "idle", "work"}

// Target prints a line when a target begins something else, and from time to
// time while it is deployed to.
func (l *lines) Target(name, doing string, done, total int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet {
		return
	}
	if l.targets == nil {
		l.targets = map[string]saying{}
	}
	was, now := l.targets[name], time.Now()
	again := doing == was.doing
	if again && now.Sub(was.at) < tellEvery {
		return
	}
	l.targets[name] = saying{doing, now}
	// A small file is there before it is worth a line.
	if slices.Contains(quietDoings, doing) || doing == "deploy" && !again {
		return
	}
	fmt.Fprintf(l.w, "%s: %s\n", name, amount(doing, done, total))
}

// saying is what was said of a target last.
type saying struct {
	doing string
	at    time.Time
}

// amount says what a target is at and how far.
func amount(doing string, done, total int64) string {
	switch {
	case doing == "deploy" && total > 0:
		return fmt.Sprintf("deploy %s/%s MB", megabytes(float64(done)), megabytes(float64(total)))
	case doing == "deploy":
		return fmt.Sprintf("deploy %s MB", megabytes(float64(done)))
	case total > 0 && !slices.Contains(quietDoings, doing):
		return fmt.Sprintf("%s, %d of %d trials done", doing, done, total)
	}
	return doing
}

// targetBar is the bar of one target.
type targetBar struct {
	bar  *mpb.Bar
	what atomic.Pointer[string]
}

// Target keeps a bar of trials for every target, with what it is at behind it.
func (b *bars) Target(name, doing string, done, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.targets == nil {
		b.targets = map[string]*targetBar{}
	}
	t := b.targets[name]
	if t == nil {
		t = &targetBar{}
		t.what.Store(&doing)
		trials := total
		if doing == "deploy" {
			trials = 0
		}
		t.bar = b.p.New(trials, mpb.BarStyle().Lbound("").Rbound("").Filler("█").Tip("█").Padding("·"),
			mpb.PrependDecorators(decor.Name("  "+name+" ", decor.WCSyncSpaceR), decor.CountersNoUnit("%d/%d ", decor.WCSyncWidth)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return *t.what.Load() })))
		b.targets[name] = t
	}
	text := amount(doing, done, total)
	t.what.Store(&text)
	if doing != "deploy" && total > 0 {
		t.bar.SetTotal(total, false)
		t.bar.SetCurrent(done)
	}
}

// endTargets leaves the targets' bars as they stand.
func (b *bars) endTargets() {
	for _, t := range b.targets {
		t.bar.Abort(false)
	}
	b.targets = nil
}
