package remote

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/seed-c6f48606/harness/runners/wire"
)

const (
	module        = "github.com/seed-c6f48606/harness"
	runnerPackage = module + "/runners/runner"
	releaseSymbol = module + "/runners/wire.release"
)

// Finder gets the runner for a platform: from a folder, from the module's source
// around the working folder, or from the module at this program's version. The
// runner must be of the same version and commit as this program, or their hellos
// do not match. It is safe for concurrent use; a platform is built once.
type Finder struct {
	Dir   string // --runner-dir; holds runner-GOOS-GOARCH; "" = none
	Work  string // where to look for the source; "" = the working folder
	Cache string // folder for what is built; "" = $XDG_CACHE_HOME/harness/runners
	Go    string // the go command; "" = go

	mu    sync.Mutex
	found map[string]*finding
}

type finding struct {
	once sync.Once
	path string
	err  error
}

// Runner deploys the runner for the target's platform and returns where it is.
func (h *Host) Runner(ctx context.Context, f *Finder) (string, error) {
	local, err := f.Find(ctx, h.facts.GOOS, h.facts.GOARCH)
	if err != nil {
		return "", err
	}
	src, err := h.o.Sums.open(local)
	if err != nil {
		return "", err
	}
	src.files[0].mode = 0o755
	return h.put(ctx, src, nil)
}

// Find returns a local path. Errors name every way that was tried.
func (f *Finder) Find(ctx context.Context, goos, goarch string) (string, error) {
	key := goos + "-" + goarch
	f.mu.Lock()
	if f.found == nil {
		f.found = map[string]*finding{}
	}
	one := f.found[key]
	if one == nil {
		one = &finding{}
		f.found[key] = one
	}
	f.mu.Unlock()
	one.once.Do(func() { one.path, one.err = f.find(ctx, goos, goarch) })
	if errors.Is(one.err, context.Canceled) || errors.Is(one.err, context.DeadlineExceeded) {
		f.mu.Lock()
		delete(f.found, key) // the next caller may have more time
		f.mu.Unlock()
	}
	return one.path, one.err
}

func (f *Finder) find(ctx context.Context, goos, goarch string) (string, error) {
	name := "runner-" + goos + "-" + goarch
	if f.Dir != "" {
		// Asked for by name: nothing else may take its place.
		path := filepath.Join(f.Dir, name)
		if err := checkRunner(path, goarch); err != nil {
			return "", harnessFault("put a static build there: GOOS="+goos+" GOARCH="+goarch+" CGO_ENABLED=0 go build -o "+path+" ./runners/runner",
				"finding the runner in --runner-dir: %w", err)
		}
		return path, nil
	}
	cache, err := f.cacheDir()
	if err != nil {
		return "", err
	}
	version, commit := wire.Build()
	root, noSource := f.source(ctx)
	var built string
	if noSource == nil {
		if built, err = f.build(ctx, root, filepath.Join(cache, name), goos, goarch, version, commit); err == nil {
			return built, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		noSource = err
	}
	noVersion := errors.New("this program has no version, as one built from source")
	if strings.HasPrefix(version, "v") && commit == "" {
		if built, noVersion = f.released(ctx, filepath.Join(cache, name+"-"+version), goos, goarch, version); noVersion == nil {
			return built, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
	return "", harnessFault("run in the source's folder with Go installed, or name a folder that holds "+name+" with --runner-dir",
		"there is no runner for %s/%s: source: %w; module: %w", goos, goarch, noSource, noVersion)
}

func (f *Finder) cacheDir() (string, error) {
	dir := f.Cache
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", harnessFault("set XDG_CACHE_HOME", "finding the cache folder: %w", err)
		}
		dir = filepath.Join(base, "harness", "runners")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", harnessFault("set XDG_CACHE_HOME to a writable folder", "preparing the cache: %w", err)
	}
	return dir, nil
}

// source finds this module around the working folder.
func (f *Finder) source(ctx context.Context) (string, error) {
	out, err := f.tool(ctx, f.Work, nil, "list", "-m", "-f", "{{.Path}} {{.Dir}}")
	if err != nil {
		return "", err
	}
	path, dir, _ := strings.Cut(strings.TrimSpace(out), " ")
	if path != module || dir == "" {
		return "", errors.New("the working folder is not in it")
	}
	return dir, nil
}

// build cross-compiles from source and makes sure that the result is of this
// program's version and commit.
func (f *Finder) build(ctx context.Context, root, to, goos, goarch, version, commit string) (string, error) {
	vcs := "-buildvcs=false"
	if commit != "" {
		vcs = "-buildvcs=true"
	}
	args := []string{"build", "-trimpath", vcs}
	if strings.HasPrefix(version, "v") && commit == "" {
		args = append(args, "-ldflags", "-X "+releaseSymbol+"="+version)
	}
	if err := f.compile(ctx, root, to, goos, goarch, append(args, "./runners/runner")); err != nil {
		return "", err
	}
	info, err := buildinfo.ReadFile(to)
	if err != nil {
		return "", fmt.Errorf("reading what was built: %w", err)
	}
	got, dirty := "", ""
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			got = s.Value
		}
		if s.Key == "vcs.modified" && s.Value == "true" {
			dirty = "-dirty"
		}
	}
	if got != "" {
		got += dirty
	}
	if got != commit {
		return "", fmt.Errorf("%s is at commit %s and this program was built from %s: build it again", root, orNone(got), orNone(commit))
	}
	return to, nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// released builds the module at a version, as the module proxy has it.
func (f *Finder) released(ctx context.Context, to, goos, goarch, version string) (string, error) {
	if checkRunner(to, goarch) == nil {
		return to, nil
	}
	dir, err := os.MkdirTemp("", "harness-runner-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module runner\n\ngo 1.26.0\n"), 0o644); err != nil {
		return "", err
	}
	if _, err := f.tool(ctx, dir, nil, "get", runnerPackage+"@"+version); err != nil {
		return "", err
	}
	args := []string{"build", "-trimpath", "-ldflags", "-X " + releaseSymbol + "=" + version, runnerPackage}
	if err := f.compile(ctx, dir, to, goos, goarch, args); err != nil {
		return "", err
	}
	return to, nil
}

// compile builds into a temporary file and puts it into place once it is good:
// another process may be starting the old one.
func (f *Finder) compile(ctx context.Context, dir, to, goos, goarch string, args []string) error {
	temp, err := os.CreateTemp(filepath.Dir(to), ".runner-*")
	if err != nil {
		return err
	}
	temp.Close()
	defer os.Remove(temp.Name()) // gone after the rename
	args = append([]string{args[0], "-o", temp.Name()}, args[1:]...)
	if _, err := f.tool(ctx, dir, []string{"GOOS=" + goos, "GOARCH=" + goarch, "CGO_ENABLED=0", "GOFLAGS="}, args...); err != nil {
		return err
	}
	if err := checkRunner(temp.Name(), goarch); err != nil {
		return err
	}
	return os.Rename(temp.Name(), to)
}

// tool runs the go command.
func (f *Finder) tool(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	name := f.Go
	if name == "" {
		name = "go"
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "GOWORK=off"), env...)
	var out limited
	var said Tail
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return "", errors.New("the Go toolchain is not installed")
		}
		if text := said.String(); text != "" {
			return "", fmt.Errorf("go %s: %s", args[0], text)
		}
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return out.String(), nil
}

var machines = map[string]elf.Machine{"arm64": elf.EM_AARCH64, "amd64": elf.EM_X86_64, "riscv64": elf.EM_RISCV}

// checkRunner makes sure that a file is a static program for an architecture: a
// board need not have the C library that a dynamic one asks for.
func checkRunner(path, goarch string) error {
	f, err := elf.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not there", path)
	}
	if err != nil {
		return fmt.Errorf("%s is no Linux program: %w", path, err)
	}
	defer f.Close()
	if want, ok := machines[goarch]; !ok || f.Machine != want {
		return fmt.Errorf("%s is for %s, not for %s", path, f.Machine, goarch)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s needs a dynamic linker, which a board may not have", path)
		}
	}
	return nil
}
