package sweep

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
)

func shell(script string) Launch { return Launch{Argv: []string{"/bin/sh", "-c", script}} }

// A runner that does not work must be told from its error: what it was, how it
// ended and what it said.
func TestBrokenRunners(t *testing.T) {
	exited := shell("echo no such library >&2; exit 7")
	for name, c := range map[string]struct {
		launch  Launch
		want    []string
		died    bool // worth another try
		harness bool // not worth one
	}{
		"not there":       {Launch{Argv: []string{filepath.Join(t.TempDir(), "none")}}, []string{"starting a runner", "no such file"}, false, false},
		"exits at once":   {exited, []string{"exit status 7", "no such library"}, true, false},
		"exits silently":  {shell("exit 0"), []string{"talking to the runner"}, true, false},
		"killed":          {shell("kill -9 $$"), []string{"signal: killed", "out of memory"}, true, false},
		"prints garbage":  {shell("echo Segmentation fault; exec sleep 600"), []string{"Segmentation"}, true, false},
		"floods stderr":   {shell("yes wrong | head -n 50000 >&2; echo the end >&2; exit 1"), []string{"exit status 1", "the end"}, true, false},
		"another version": {script{Version: "v0.0.1"}.launch(t), []string{"version", "v0.0.1", "deploy the runner"}, false, true},
		"answers with an error": {
			shell(`echo '{"type":"error","id":1,"body":{"kind":"unsupported","text":"no kernels for this CPU"}}'; exec sleep 600`),
			[]string{"no kernels for this CPU"},
			false, true,
		},
		"answers with another message": {shell(`echo '{"type":"quit","id":1}'; exec sleep 600`), []string{"answered with quit"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := c.launch.Start(t.Context())
			if err == nil {
				p.Stop()
				t.Fatal("started")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			if len(err.Error()) > 4096 {
				t.Errorf("the error has %d characters", len(err.Error()))
			}
			if died(err) != c.died || isHarness(err) != c.harness {
				t.Errorf("died %v, harness's fault %v; want %v, %v", died(err), isHarness(err), c.died, c.harness)
			}
			if ours := strings.Contains(err.Error(), "signal: killed"); ours && name != "killed" {
				t.Errorf("%q blames the runner for being killed by us", err)
			}
		})
	}
}

// Ctrl-C while a runner hangs must end at once, with everything it started.
func TestCancelEndsARunnerThatNeverGreets(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
			if b, err := os.ReadFile(pids); err == nil && strings.HasSuffix(string(b), "\n") {
				cancel()
			}
		}
	}()
	_, err := shell("sleep 600 & echo $$ $! > '" + pids + ".new'; mv '" + pids + ".new' '" + pids + "'; exec sleep 600").Start(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	if strings.Contains(err.Error(), "no answer within") {
		t.Errorf("%v: a hanging runner was waited for", err)
	}
	raw, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range strings.Fields(string(raw)) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		if !gone(pid) {
			t.Errorf("process %d still runs", pid)
		}
	}
}

// gone says whether a process ends within a while; a zombie has ended.
func gone(pid int) bool {
	for range 2000 {
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		_, state, _ := strings.Cut(string(raw), ") ")
		if err != nil && syscall.Kill(pid, 0) != nil || strings.HasPrefix(state, "Z") {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
	return false
}

func TestStopEndsARunner(t *testing.T) {
	p, err := script{}.launch(t).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.Hello().Protocol != wire.Protocol {
		t.Errorf("greeted by protocol %d", p.Hello().Protocol)
	}
	p.Stop()
	p.Stop() // again does no harm
	if !gone(p.PID()) {
		t.Errorf("process %d still runs", p.PID())
	}
	if p.ended != nil {
		t.Errorf("a runner asked to quit ended by %v", p.ended)
	}
}

// What the runner itself refuses is its answer, not its death.
func TestARefusalKeepsItsWords(t *testing.T) {
	s := script{Measure: map[int][]string{1: {"refuse"}}}
	p, err := s.launch(t).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Measure(t.Context(), wire.Measure{Batch: 1}, nil)
	err = p.Fail(err)
	if err == nil || err.Error() != "the model's file is broken" || died(err) {
		t.Errorf("got %v", err)
	}
	if !gone(p.PID()) {
		t.Error("the runner still runs")
	}
}
