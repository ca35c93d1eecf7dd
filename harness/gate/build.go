package gate

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/seed-c6f48606/harness/datasets/loader"
	"github.com/seed-c6f48606/harness/harness/sweep"
)

// Repository is a git repository of this module, from which runners are built.
// Nothing in it is changed: a commit's files are read by git archive.
type Repository struct {
	Dir   string // in its work tree; "" = the working folder
	Cache sweep.Cache
	Go    string // the go command; "" = go
}

// Commit is one of a repository.
type Commit struct {
	Hash    string `json:"hash"`
	Subject string `json:"subject"`
}

// String is the short hash and the subject.
func (c Commit) String() string { return strings.TrimSpace(fmt.Sprintf("%.10s %s", c.Hash, c.Subject)) }

// Build is a runner of a commit. Builds of one Sum are the same program: without a
// time or version in it, a commit that changes no code of the runner builds the same
// bytes as its parent.
type Build struct {
	Commit Commit
	Dir    string // holds runner-GOOS-GOARCH
	Path   string
	Sum    string // SHA-256 of the runner
}

// Find resolves a revision.
func (r *Repository) Find(ctx context.Context, rev string) (Commit, error) {
	if rev == "" || strings.HasPrefix(rev, "-") {
		return Commit{}, fmt.Errorf("revision %q: name a commit, a branch or a tag", rev)
	}
	out, err := r.git(ctx, "log", "-1", "--format=%H %s", "--end-of-options", rev, "--")
	if err != nil {
		return Commit{}, fmt.Errorf("revision %q: %w", rev, err)
	}
	return parseCommit(out), nil
}

func parseCommit(line string) Commit {
	hash, subject, _ := strings.Cut(strings.TrimSpace(line), " ")
	return Commit{hash, subject}
}

// Between lists the commits after good up to bad along first parents, the oldest
// first. good must be an ancestor of bad.
func (r *Repository) Between(ctx context.Context, good, bad Commit) ([]Commit, error) {
	if _, err := r.git(ctx, "merge-base", "--is-ancestor", good.Hash, bad.Hash); err != nil {
		return nil, fmt.Errorf("%v is no ancestor of %v: bisect goes from an older good commit to a newer bad one", good, bad)
	}
	out, err := r.git(ctx, "log", "--first-parent", "--reverse", "--format=%H %s", good.Hash+".."+bad.Hash)
	if err != nil {
		return nil, err
	}
	var all []Commit
	for line := range strings.Lines(out) {
		all = append(all, parseCommit(line))
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no commit between %v and %v", good, bad)
	}
	return all, nil
}

// BuildError is a commit that does not build.
type BuildError struct {
	Commit Commit
	Err    error
}

func (e *BuildError) Error() string { return fmt.Sprintf("building %v: %v", e.Commit, e.Err) }

// Unwrap returns why.
func (e *BuildError) Unwrap() error { return e.Err }

// Build builds the runner of a commit, or finds it in the cache. A commit that does
// not build is a [*BuildError].
func (r *Repository) Build(ctx context.Context, c Commit, goos, goarch string) (Build, error) {
	name := "runner-" + goos + "-" + goarch
	key := sha256.Sum256([]byte(strings.Join([]string{"runner", c.Hash, goos, goarch, runtime.Version()}, "\n")))
	b := Build{Commit: c}
	var err error
	b.Dir, _, _, err = r.Cache.Ensure(ctx, hex.EncodeToString(key[:]), func(dir string) error {
		return r.compile(ctx, c, filepath.Join(dir, name), goos, goarch)
	})
	if err != nil {
		if ctx.Err() != nil {
			return b, ctx.Err()
		}
		return b, &BuildError{c, err}
	}
	b.Path = filepath.Join(b.Dir, name)
	if b.Sum, err = loader.HashFile(b.Path); err != nil {
		return b, fmt.Errorf("reading the runner of %v: %w", c, err)
	}
	return b, nil
}

// compile extracts the commit and builds its runner to path.
func (r *Repository) compile(ctx context.Context, c Commit, path, goos, goarch string) error {
	dir, err := os.MkdirTemp("", "harness-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := r.extract(ctx, c, dir); err != nil {
		return err
	}
	tool := r.Go
	if tool == "" {
		tool = "go"
	}
	cmd := exec.CommandContext(ctx, tool, "build", "-trimpath", "-buildvcs=false", "-ldflags=-buildid=", "-o", path, "./runners/runner")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch, "GOWORK=off", "GOFLAGS=")
	return said(cmd.CombinedOutput())
}

// maxTree bounds what a commit may unpack to.
const maxTree = 4 << 30

// extract writes the files of a commit under dir.
func (r *Repository) extract(ctx context.Context, c Commit, dir string) error {
	cmd := exec.CommandContext(ctx, "git", "archive", "--format=tar", c.Hash)
	cmd.Dir = r.Dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting git: %w", err)
	}
	err = unpack(out, dir)
	if err != nil {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
	}
	io.Copy(io.Discard, out) //nolint:errcheck // Wait tells
	if end := cmd.Wait(); err == nil {
		err = said(stderr.Bytes(), end)
	}
	return err
}

// unpack writes the files of a tar stream under dir, none of them outside.
func unpack(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	limited := &io.LimitedReader{R: r, N: maxTree}
	files := tar.NewReader(limited)
	for {
		h, err := files.Next()
		switch {
		case errors.Is(err, io.EOF) && limited.N > 0:
			return nil
		case err != nil && limited.N <= 0:
			return fmt.Errorf("the commit's files are more than %d bytes", int64(maxTree))
		case err != nil:
			return fmt.Errorf("reading the commit's files: %w", err)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(filepath.Clean(h.Name), 0o755)
		case tar.TypeSymlink:
			err = root.Symlink(h.Linkname, h.Name)
		case tar.TypeReg:
			err = write(root, h.Name, files, h.FileInfo().Mode().Perm())
		}
		if err != nil {
			return fmt.Errorf("unpacking %s: %w", h.Name, err)
		}
	}
}

func write(root *os.Root, name string, from io.Reader, mode os.FileMode) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// git runs a command that changes nothing.
func (r *Repository) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.Dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	return string(out), said(stderr.Bytes(), err)
}

// said adds the end of what a tool said to its error.
func said(text []byte, err error) error {
	if err == nil {
		return nil
	}
	const most = 1500
	t := strings.TrimSpace(string(text))
	if len(t) > most {
		t = "…" + t[len(t)-most:]
	}
	if t == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, t)
}
