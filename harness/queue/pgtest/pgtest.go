//go:build unix

// Package pgtest starts PostgreSQL servers for tests: in a folder of their own,
// on a Unix socket, as an unprivileged user. Tests are skipped where PostgreSQL
// is not installed.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startLimit bounds how long a server may take to answer, also after a crash.
const startLimit = time.Minute

// Start starts a server of the test's own and returns its address and a function
// that crashes it (as kill -9 of every process would leave it) and starts it
// again at the same address. settings are lines of postgresql.conf, such as
// "fsync=on"; without one the server does not wait for its disk.
func Start(t testing.TB, settings ...string) (address string, restart func()) {
	t.Helper()
	s, err := start(t, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(""); err != nil {
			t.Error(err)
		}
	})
	return s.url("postgres"), func() {
		t.Helper()
		if err := s.stop(keep); err != nil {
			t.Fatal(err)
		}
		if err := s.run(); err != nil {
			t.Fatal(err)
		}
	}
}

var shared struct {
	sync.Mutex
	*server
	n atomic.Int64
}

// Database returns the address of a new, empty database on a server that all
// tests of the process share and that ends with it.
func Database(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		s, err := start(t, nil)
		if err != nil {
			t.Fatal(err)
		}
		shared.server = s
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, shared.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is left to be lost
	name := fmt.Sprintf("test%d", shared.n.Add(1))
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return shared.url(name)
}

// server is a running PostgreSQL.
type server struct {
	bin, dir string
	settings []string
	attr     *syscall.SysProcAttr
	end      *os.File // closing it stops the server; so does the end of this process
	done     chan error
}

func (s *server) url(database string) string {
	return (&url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database, RawQuery: url.Values{"host": {s.dir}}.Encode()}).String()
}

// start makes a cluster and runs it; without an installation the test is skipped.
func start(t testing.TB, settings []string) (*server, error) {
	t.Helper()
	bin, err := installed()
	if err != nil {
		t.Skip(err)
	}
	attr, owner, err := unprivileged()
	if err != nil {
		t.Skip(err)
	}
	dir, err := os.MkdirTemp("", "harness-pg-") // short: it holds a socket
	if err != nil {
		return nil, err
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return nil, err
		}
	}
	s := &server{bin: bin, dir: dir, settings: append([]string{"fsync=off", "max_connections=200"}, settings...), attr: attr}
	init := exec.Command(filepath.Join(bin, "initdb"), "-D", s.data(), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
	init.SysProcAttr, init.Dir = attr, dir
	if out, err := init.CombinedOutput(); err != nil {
		os.RemoveAll(dir) //nolint:errcheck // the first error is the one to tell
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s, s.run()
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// keep, sent to the script, leaves the cluster's folder there.
const keep = "keep\n"

// script runs a server until its standard input says or ends: also a test that is
// killed leaves no server and no folder behind.
const script = `dir=$1; shift; "$@" & pid=$!; read -r word; kill -QUIT $pid; wait $pid; [ "$word" = keep ] || rm -rf -- "$dir"; exit 0`

func (s *server) run() error {
	args := []string{"-c", script, "sh", s.dir, filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.dir, "-c", "listen_addresses="}
	for _, line := range s.settings {
		args = append(args, "-c", line)
	}
	cmd := exec.Command("sh", args...)
	cmd.SysProcAttr, cmd.Dir = s.attr, s.dir
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the server has its own
	cmd.Stdout, cmd.Stderr = log, log
	in, end, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdin, s.end = in, end
	err = cmd.Start()
	in.Close() //nolint:errcheck // the server has its own
	if err != nil {
		end.Close() //nolint:errcheck // the first error is the one to tell
		return fmt.Errorf("starting postgres: %w", err)
	}
	s.done = make(chan error, 1)
	go func() { s.done <- cmd.Wait() }()
	return s.answers()
}

// answers waits until the server takes queries.
func (s *server) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.stop("") //nolint:errcheck // the first error is the one to tell
			return fmt.Errorf("postgres does not answer: %w\n%s", err, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop crashes the server and waits for its end.
func (s *server) stop(word string) error {
	s.end.WriteString(word) //nolint:errcheck // the closing says it too
	s.end.Close()           //nolint:errcheck // a pipe
	select {
	case err := <-s.done:
		return err
	case <-time.After(startLimit):
		return fmt.Errorf("postgres in %s does not end", s.dir)
	}
}

// installed finds the folder of PostgreSQL's programs, the newest of several.
func installed() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("PostgreSQL is not installed (no initdb on the PATH or in /usr/lib/postgresql); the package is called postgresql")
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// unprivileged is how a server is started that root may not run itself; nil for
// another user.
func unprivileged() (*syscall.SysProcAttr, *syscall.Credential, error) {
	attr := &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is the test's
	if os.Geteuid() != 0 {
		return attr, nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			return attr, attr.Credential, nil
		}
	}
	return nil, nil, fmt.Errorf("root may not run PostgreSQL, and there is no user postgres or nobody")
}
