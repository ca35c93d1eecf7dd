package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/seed-c6f48606/harness/harness/store"
)

// progress tells a person how far a run is. Close ends it.
type progress interface {
	Stage(name string, total int)
	Step(n int, what string)
	Note(level, text string)
	Target(name, doing string, done, total int64)
	Close()
}

// progress chooses bars on a terminal, plain lines otherwise, and only warnings
// with --quiet.
func (a *app) progress() progress {
	switch {
	case a.quiet:
		return &lines{w: a.err, quiet: true}
	case isTerminal(a.err):
		return &bars{w: a.err, p: mpb.New(mpb.WithOutput(a.err), mpb.WithWidth(40))}
	}
	return &lines{w: a.err}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// tellEvery is how often plain lines report within a stage.
const tellEvery = 10 * time.Second

// lines reports by lines of text.
type lines struct {
	w     io.Writer
	quiet bool

	mu          sync.Mutex
	name        string
	done, total int
	began, told time.Time
	targets     map[string]saying
}

func (l *lines) Stage(name string, total int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.name, l.done, l.total = name, 0, total
	l.began, l.told = time.Now(), time.Now()
	if !l.quiet && total > 0 {
		fmt.Fprintf(l.w, "%s: %d to do\n", name, total)
	}
}

func (l *lines) Step(n int, what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done += n
	ended := l.done == l.total
	l.total = max(l.total, l.done) // a search cannot know how large its front will be
	if l.quiet || time.Since(l.told) < tellEvery && !ended {
		return
	}
	l.told = time.Now()
	spent := time.Since(l.began)
	text := fmt.Sprintf("%s: %d/%d, %s", l.name, l.done, l.total, spent.Round(time.Second))
	if l.done > 0 && l.done < l.total {
		left := time.Duration(float64(spent) * float64(l.total-l.done) / float64(l.done))
		text += fmt.Sprintf(", about %s left", left.Round(time.Second))
	}
	if what != "" {
		text += ", " + what
	}
	fmt.Fprintln(l.w, text)
}

func (l *lines) Note(level, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.quiet && level == store.Info {
		return
	}
	fmt.Fprintln(l.w, note(level, text))
}

func (l *lines) Close() {}

func note(level, text string) string {
	if level == store.Info {
		return text
	}
	return level + ": " + text
}

// bars reports by one bar a stage.
type bars struct {
	w   io.Writer
	mu  sync.Mutex
	p   *mpb.Progress
	bar *mpb.Bar

	what    atomic.Pointer[string]
	targets map[string]*targetBar
}

func (b *bars) Stage(name string, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end()
	b.what.Store(new(string))
	if total == 0 {
		return
	}
	b.bar = b.p.New(int64(total), mpb.BarStyle().Lbound("").Rbound("").Filler("█").Tip("█").Padding("·"),
		mpb.PrependDecorators(decor.Name(name, decor.WC{W: 10, C: decor.DindentRight}), decor.CountersNoUnit("%d/%d ", decor.WCSyncWidth)),
		mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO), decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO),
			decor.Any(func(decor.Statistics) string {
				return "  " + *b.what.Load()
			})))
}

func (b *bars) Step(n int, what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.what.Store(&what)
	if b.bar != nil {
		b.bar.IncrBy(n)
	}
}

// Note prints above the bars.
func (b *bars) Note(level, text string) {
	fmt.Fprintln(b.p, note(level, text))
}

func (b *bars) end() {
	if b.bar != nil {
		b.bar.Abort(false)
		b.bar = nil
	}
}

func (b *bars) Close() {
	b.mu.Lock()
	b.end()
	b.endTargets()
	b.mu.Unlock()
	b.p.Wait()
}
