package virtual

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// start starts a board that stops with the test, or skips where the host lacks
// the programs.
func start(t *testing.T, o Options) *Board {
	t.Helper()
	ctx := t.Context()
	if _, err := findTools(ctx, ""); err != nil {
		t.Skipf("no virtual boards here: %v", err)
	}
	began := time.Now()
	b, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s at %s after %v, isolated %v %s", b.Name, b.Endpoint(), time.Since(began).Round(time.Millisecond), b.Isolated, b.Limits)
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return b
}

// dial logs in, checking the host key.
func dial(t *testing.T, b *Board) *ssh.Client {
	t.Helper()
	c, err := login(b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func login(b *Board) (*ssh.Client, error) {
	text, err := os.ReadFile(b.KeyFile)
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, err
	}
	host, _, _, _, err := ssh.ParseAuthorizedKey([]byte(b.HostKeyNow()))
	if err != nil {
		return nil, err
	}
	return ssh.Dial("tcp", b.Endpoint(), &ssh.ClientConfig{
		User: b.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(host), Timeout: 5 * time.Second,
	})
}

// sh runs a line in the board's shell and returns what it printed.
func sh(t *testing.T, c *ssh.Client, line string) string {
	t.Helper()
	out, err := try(c, line)
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return out
}

func try(c *ssh.Client, line string) (string, error) {
	s, err := c.NewSession()
	if err != nil {
		return "", err
	}
	defer s.Close()
	out, err := s.CombinedOutput(line)
	return strings.TrimSpace(string(out)), err
}

// eventually waits for a condition: a fault takes effect in the board's own time.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !cond() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within 20 s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// runs waits until a process of the board's has that much memory.
func runs(t *testing.T, b *Board, bytes int64) {
	t.Helper()
	eventually(t, "the process runs", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		all, err := b.site.processes()
		if err != nil {
			t.Error(err)
		}
		p, ok := largest(all)
		return ok && p.pages*int64(os.Getpagesize()) >= bytes
	})
}
