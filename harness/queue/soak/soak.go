//go:build unix

package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/harness/queue"
	"github.com/seed-c6f48606/harness/harness/queue/pgtest"
)

// Soak is what is done to a lab.
type Soak struct {
	Database string // a postgres address, else a file
	Restart  func() // crashes the database and starts it again; nil = never

	Controllers int
	StandIns    int // boards that are none
	Jobs        int // on the stand-ins, by three users in several sweeps
	// Boards are others, with the sweeps that are measured on them; Env is what the
	// controllers need to reach them.
	Boards []string
	Sweeps []Submission
	Env    []string

	TTL    time.Duration // of leases
	Faults time.Duration // mean pause between two faults
	Limit  time.Duration // of the whole
	Seed   uint64
	Args   []string // of the controllers' processes
}

// Submission is a sweep with its trials.
type Submission struct {
	Sweep queue.Sweep
	Tasks []queue.Task
}

// soak is one that runs.
type soak struct {
	Soak
	t    *testing.T
	q    *queue.Queue // of the test itself, past the links
	dir  string
	rng  *rand.Rand
	subs []Submission

	mu       sync.Mutex
	children []*process
	kills    []fault
	restarts []fault
	cuts     int
	started  int
}

// process is one controller.
type process struct {
	boards []string
	link   *pgtest.Link // nil with SQLite
	cmd    *exec.Cmd
	name   string
	ended  chan error
	alive  io.Closer // its standard input, which ends with the test
}

// fault is something that was done, and to which boards.
type fault struct {
	at     time.Time
	boards []string
}

// Run does all of it and checks what must hold. It returns what it took.
func Run(t *testing.T, s Soak) Figures {
	t.Helper()
	k := &soak{Soak: s, t: t, dir: t.TempDir(), rng: rand.New(rand.NewPCG(s.Seed, 1))}
	ctx, cancel := context.WithTimeout(t.Context(), s.Limit)
	defer cancel()
	var err error
	if k.q, err = queue.Open(ctx, s.Database, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.q.Close() }) //nolint:errcheck // the test is over
	k.submit(ctx)
	began := time.Now()
	for i := range s.Controllers {
		p := &process{boards: k.share(i)}
		if queue.IsPostgres(s.Database) {
			p.link = pgtest.NewLink(t, s.Database)
		}
		k.children = append(k.children, p)
		k.start(p)
	}
	t.Cleanup(k.stop)
	k.disturb(ctx)
	took := time.Since(began)
	if ctx.Err() != nil {
		t.Errorf("not done after %v: %s", s.Limit, k.standing())
	}
	k.stop()
	k.check()
	return k.figures(began, took)
}

// share is which boards a controller may drive: three controllers have every board,
// so that one which dies is followed by another.
func (k *soak) share(i int) []string {
	var out []string
	for b, name := range k.names() {
		for _, c := range []int{b, b + 1, b + 3} {
			if c%k.Controllers == i && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

func (k *soak) names() []string {
	out := slices.Clone(k.Boards)
	for i := range k.StandIns {
		out = append(out, fmt.Sprintf("%s%02d", standInPrefix, i))
	}
	return out
}

// submit submits the jobs: three users, three sweeps each, of several repeats.
func (k *soak) submit(ctx context.Context) {
	for _, name := range k.names() {
		if err := k.q.AddBoard(ctx, name); err != nil {
			k.t.Fatal(err)
		}
	}
	stand := k.names()[len(k.Boards):]
	const sweeps, repeats = 9, 5
	tasks := make([][]queue.Task, sweeps)
	for i := range k.Jobs {
		n := i % sweeps
		slot := i / sweeps
		tasks[n] = append(tasks[n], queue.Task{
			Board: stand[slot/repeats%len(stand)], Cell: fmt.Sprintf("cell-%d", slot/repeats), Repeat: slot % repeats, Retries: 2, Axes: json.RawMessage(`{}`),
		})
	}
	for n, some := range tasks {
		owner := []string{"ada", "ben", "cyd"}[n%3]
		k.subs = append(k.subs, Submission{queue.Sweep{ID: queue.NewSweepID(), Owner: owner, Title: "stand-ins", Plan: json.RawMessage(`{}`), Priority: queue.High + n/3}, some})
	}
	k.subs = append(k.subs, k.Sweeps...)
	for _, s := range k.subs {
		if len(s.Tasks) == 0 {
			continue
		}
		// Submitted twice, as by a laptop that has lost the answer.
		for range 2 {
			if err := k.q.Submit(ctx, s.Sweep, s.Tasks); err != nil {
				k.t.Fatal(err)
			}
		}
	}
}

// start starts a controller under a new name.
func (k *soak) start(p *process) {
	k.mu.Lock()
	defer k.mu.Unlock()
	exe, err := os.Executable()
	if err != nil {
		k.t.Fatal(err)
	}
	k.started++
	p.name = fmt.Sprintf("controller-%d", k.started)
	p.cmd = exec.Command(exe, k.Args...)
	location := k.Database
	if p.link != nil {
		location = p.link.Address
	}
	p.cmd.Env = append(os.Environ(), k.Env...)
	p.cmd.Env = append(p.cmd.Env, envDatabase+"="+location, envName+"="+p.name, envBoards+"="+strings.Join(p.boards, ","), envDir+"="+k.dir, envTTL+"="+k.TTL.String())
	log, err := os.OpenFile(filepath.Join(k.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		k.t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // the child has its own
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if p.alive, err = p.cmd.StdinPipe(); err != nil {
		k.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	p.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan<- error) { ended <- cmd.Wait() }(p.cmd, p.ended)
}

// stop ends the controllers as a user would, and kills those that do not end.
func (k *soak) stop() {
	for _, p := range k.children {
		p.cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it may have ended
	}
	for _, p := range k.children {
		select {
		case err := <-p.ended:
			// One that was started a moment ago does not catch the signal yet.
			if err != nil && err.Error() != "signal: interrupt" {
				k.t.Errorf("%s did not end in order: %v", p.name, err)
			}
		case <-time.After(time.Minute):
			k.t.Errorf("%s does not end", p.name)
			p.cmd.Process.Kill() //nolint:errcheck // it may have ended
		}
	}
	k.children = nil
}

// standing says where the sweeps are.
func (k *soak) standing() string {
	sweeps, err := k.q.Sweeps(context.Background(), 100)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, s := range sweeps {
		out = append(out, fmt.Sprintf("%s %s %d/%d", s.ID, s.State, s.Counted, s.Total))
	}
	log, _ := os.ReadFile(filepath.Join(k.dir, "log"))
	return strings.Join(out, "\n") + "\n" + string(log[max(0, len(log)-4000):])
}
