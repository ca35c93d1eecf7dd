package gate

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/reports/stat"
)

// quiet hears a series and says nothing.
type quiet struct{}

func (quiet) Stage(string, int)   {}
func (quiet) Step(int, string)    {}
func (quiet) Note(string, string) {}

// blocksOf makes blocks of a cell in which B is by a share slower, with noise.
func blocksOf(cell string, n int, by, noise float64, seed uint64) []Block {
	rng := rand.New(rand.NewPCG(seed, 3))
	var out []Block
	for i := range n {
		v := func(slow float64) float64 { return 10 * (1 + slow) * (1 + noise*rng.NormFloat64()) }
		b := Block{Cell: cell, Number: i, Order: abba, Values: map[string][4]float64{"latency_ms_p50": {v(0), v(by), v(by), v(0)}}}
		if i%2 == 1 {
			b.Order = baab
			b.Values["latency_ms_p50"] = [4]float64{v(by), v(0), v(0), v(by)}
		}
		out = append(out, b)
	}
	return out
}

// recorded is a series whose blocks are there: it measures nothing.
func recorded(t *testing.T, blocks []Block) *Series {
	t.Helper()
	m, err := FindMetrics([]string{"latency_ms_p50"})
	if err != nil {
		t.Fatal(err)
	}
	j, err := OpenJournal(t.TempDir(), "key", false)
	if err != nil {
		t.Fatal(err)
	}
	j.Blocks = blocks
	r := DefaultRule()
	r.MaxBlocks = len(blocks)
	return &Series{Arms: [2]*Arm{{}, {}}, Duels: []Duel{{Cell: "c"}}, Deciding: m, Rule: r, Journal: j, Progress: quiet{}}
}

// A series that calls noise a change, or a change noise, is worse than none.
func TestSeriesDecides(t *testing.T) {
	for by, want := range map[float64]stat.Outcome{0.05: stat.Regressed, -0.05: stat.Improved, 0: stat.Same, 0.02: stat.Regressed} {
		s := recorded(t, blocksOf("c", 40, by, 0.003, 7))
		out, err := s.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		j := out[0].Find("latency_ms_p50")
		if j == nil || j.Outcome != want || j.Change.Lo > 100*by+0.3 || j.Change.Hi < 100*by-0.3 {
			t.Errorf("a change of %+.0f %% is %+v", 100*by, j)
		}
	}
	s := recorded(t, blocksOf("c", 3, 0.005, 0.1, 7))
	out, err := s.Run(context.Background())
	if err != nil || out[0].Find("latency_ms_p50").Outcome != stat.CannotTell || out[0].Find("latency_ms_p50").Further < 1 {
		t.Errorf("three noisy blocks: %+v, %v", out, err)
	}
}

// What was measured before a kill must be there afterwards, and half a line must not
// keep the series from going on.
func TestJournal(t *testing.T) {
	dir := t.TempDir()
	j, err := OpenJournal(dir, "k", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocksOf("c", 3, 0, 0.01, 1) {
		if err := j.add(b); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	f, err := os.OpenFile(j.Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"cell":"c","bl`)
	f.Close()
	again, err := OpenJournal(dir, "k", true)
	if err != nil || len(again.Of("c")) != 3 {
		t.Fatalf("%d blocks, %v", len(again.Of("c")), err)
	}
	if err := again.add(Block{Cell: "c", Number: 3, Order: abba}); err != nil {
		t.Fatal(err)
	}
	again.Close()
	third, err := OpenJournal(dir, "k", true)
	if err != nil || len(third.Blocks) != 4 {
		t.Fatalf("after a torn line: %d blocks, %v", len(third.Blocks), err)
	}
	third.Close()
	if err := os.WriteFile(j.Path, []byte("{}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(dir, "k", true); err == nil || !strings.Contains(err.Error(), "without --resume") {
		t.Errorf("a foreign file: %v", err)
	}
	fresh, err := OpenJournal(dir, "k", false)
	if err != nil || len(fresh.Blocks) != 0 {
		t.Errorf("a new series begins with %d blocks, %v", len(fresh.Blocks), err)
	}
	fresh.Close()
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"cell":"c","block":0,"order":"ABBA","values":{"latency_ms_p50":[1,2,3,4]}}` + "\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, whole, err := parseJournal(raw)
		if whole < 0 || whole > int64(len(raw)) || err == nil && whole > 0 && raw[whole-1] != '\n' {
			t.Errorf("%d of %d bytes are whole lines", whole, len(raw))
		}
	})
}

// repository makes one of commits whose runner prints its text; "broken" does not
// build.
func repository(t *testing.T, texts ...string) (*Repository, []Commit) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	dir := t.TempDir()
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(path, text string) {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q")
	write("go.mod", "module example.com/r\n\ngo 1.21\n")
	r := &Repository{Dir: dir, Cache: sweep.Cache{Root: t.TempDir()}}
	var commits []Commit
	for i, text := range texts {
		body := fmt.Sprintf("println(%q)", text)
		if text == "broken" {
			body = "this does not build"
		}
		write("runners/runner/main.go", "package main\n\nfunc main() { "+body+" }\n")
		write("README", fmt.Sprint(i))
		git("add", "-A")
		git("commit", "-qm", fmt.Sprintf("change %d", i))
		c, err := r.Find(context.Background(), "HEAD")
		if err != nil {
			t.Fatal(err)
		}
		commits = append(commits, c)
	}
	return r, commits
}

// The wrong commit costs its author a day: with 16 commits, equal builds and some that
// do not build, the one that brought the change must be named.
func TestBisect(t *testing.T) {
	const first = 9 // the first slow one
	texts := []string{"good"}
	for i := 1; i <= 16; i++ {
		switch {
		case i == 5:
			texts = append(texts, "broken")
		case i%3 == 0:
			texts = append(texts, texts[len(texts)-1]) // a page changed
		default:
			texts = append(texts, fmt.Sprintf("change %d", i))
		}
	}
	texts[first] = "slow"
	texts[first+1] = "slow and more"
	repo, commits := repository(t, texts...)
	at := map[string]int{}
	for i, c := range commits {
		at[c.Hash] = i
	}
	measured := 0
	b := &Bisect{
		Repo: repo, Goos: runtime.GOOS, Goarch: runtime.GOARCH, Good: commits[0], Bad: commits[16], Cell: "c", Rule: DefaultRule(), Progress: quiet{},
		Series: func(_ context.Context, _, other Build) (*Series, error) {
			measured++
			by := 0.0
			if at[other.Commit.Hash] >= first {
				by = 0.04
			}
			return recorded(t, blocksOf("c", 40, by, 0.008, uint64(at[other.Commit.Hash]))), nil
		},
	}
	b.Metric, _ = FindMetric("latency_ms_p50")
	got, err := b.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Suspects) != 1 || got.Suspects[0] != commits[first] || at[got.Parent.Hash] != first-1 || got.Builds[1].Commit != commits[first] {
		t.Errorf("suspects %v after %v, want %v; steps %+v", got.Suspects, got.Parent, commits[first], got.Steps)
	}
	if measured > 6 {
		t.Errorf("%d series for 16 commits", measured)
	}
	b.Bad = commits[3]
	if _, err := b.Run(context.Background()); !errors.Is(err, ErrNoChange) {
		t.Errorf("between commits that do not differ: %v", err)
	}
	b.Good, b.Bad = commits[16], commits[0]
	if _, err := b.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "no ancestor") {
		t.Errorf("backwards: %v", err)
	}
}

func TestBisectThatCannotDecide(t *testing.T) {
	repo, commits := repository(t, "a", "b", "c", "d")
	b := &Bisect{Repo: repo, Goos: runtime.GOOS, Goarch: runtime.GOARCH, Good: commits[0], Bad: commits[3], Cell: "c", Rule: DefaultRule(), Progress: quiet{}}
	b.Metric, _ = FindMetric("latency_ms_p50")
	b.Series = func(_ context.Context, _, other Build) (*Series, error) {
		by, noise := 0.02, 0.02
		if other.Commit == commits[3] {
			by, noise = 0.04, 0.001
		}
		return recorded(t, blocksOf("c", 4, by, noise, 1)), nil
	}
	var undecided *UndecidedError
	if _, err := b.Run(context.Background()); !errors.As(err, &undecided) || undecided.Commit == (Commit{}) {
		t.Errorf("half of the change in noise: %v", err)
	}
}

func TestEqualCodeBuildsEqually(t *testing.T) {
	repo, commits := repository(t, "a", "a", "b")
	var sums []string
	for _, c := range commits {
		b, err := repo.Build(context.Background(), c, runtime.GOOS, runtime.GOARCH)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, b.Sum)
	}
	if sums[0] != sums[1] || sums[1] == sums[2] {
		t.Errorf("sums %v of equal, equal and other code", sums)
	}
	if _, err := repo.Find(context.Background(), "nowhere"); err == nil {
		t.Error("a revision that is none was found")
	}
	if _, err := repo.Find(context.Background(), "--output=/tmp/x"); err == nil {
		t.Error("an option was taken for a revision")
	}
}

// A commit is foreign input: its archive must not write beside its folder.
func TestUnpackStaysInside(t *testing.T) {
	for _, h := range []tar.Header{
		{Name: "../escaped", Typeflag: tar.TypeReg, Size: 1},
		{Name: "/escaped", Typeflag: tar.TypeReg, Size: 1},
		{Name: "a/../../escaped", Typeflag: tar.TypeReg, Size: 1},
		{Name: "../dir", Typeflag: tar.TypeDir},
	} {
		var raw bytes.Buffer
		w := tar.NewWriter(&raw)
		h.Mode = 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			w.Write([]byte("x"))
		}
		w.Close()
		parent := t.TempDir()
		dir := filepath.Join(parent, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unpack(&raw, dir); err == nil {
			t.Errorf("%s was unpacked", h.Name)
		}
		if all, _ := os.ReadDir(parent); len(all) != 1 {
			t.Errorf("%s left %v", h.Name, all)
		}
	}
}
