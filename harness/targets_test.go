package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// showKey listens as an SSH server that shows a key and lets nobody in.
func showKey(t *testing.T) (address string, port int, fingerprint string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
		return nil, fmt.Errorf("nobody")
	}}
	config.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				ssh.NewServerConn(c, config)
			}()
		}
	}()
	return "127.0.0.1", l.Addr().(*net.TCPAddr).Port, ssh.FingerprintSHA256(signer.PublicKey())
}

// TestPinning: a key is pinned only by somebody who compared it, and a changed
// one needs the same again.
func TestPinning(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	address, port, fingerprint := showKey(t)
	file := filepath.Join(t.TempDir(), "targets.yaml")
	harness := func(stdin string, args ...string) (int, string) {
		var said bytes.Buffer
		code := run(context.Background(), append([]string{"targets", "--targets", file}, args...), strings.NewReader(stdin), &said, &said)
		return code, said.String()
	}
	add := []string{"add", "board", address, "--port", fmt.Sprint(port)}

	// An answer from a pipe is nobody's.
	code, said := harness("y\n", add...)
	if code != exitFault || !strings.Contains(said, fingerprint) || !strings.Contains(said, "there is no terminal to agree on; if that is the right key: --fingerprint "+fingerprint+" --yes") {
		t.Errorf("without a terminal: status %d: %s", code, said)
	}
	other := "SHA256:" + strings.Repeat("A", 43)
	code, said = harness("", append(add, "--fingerprint", other, "--yes")...)
	if code != exitTarget || !strings.Contains(said, fingerprint) || !strings.Contains(said, other) || !strings.Contains(said, "nothing was pinned") {
		t.Errorf("with another fingerprint: status %d: %s", code, said)
	}
	if _, err := os.Stat(file); err == nil {
		t.Fatal("an inventory was written without consent")
	}
	if code, said = harness("", append(add, "--fingerprint", fingerprint, "--yes")...); code != exitDone {
		t.Fatalf("with the fingerprint: status %d: %s", code, said)
	}
	if code, said = harness("", "list"); code != exitDone || !strings.Contains(said, fingerprint) {
		t.Errorf("the list does not show the key: %s", said)
	}

	// The same address with another machine behind it.
	_, port, second := showKey(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = append([]byte("# kept\n"), bytes.Replace(text, []byte(add[4]), []byte(fmt.Sprint(port)), 1)...)
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	code, said = harness("", "probe", "board")
	if code != exitTarget || !strings.Contains(said, "the host key of board has changed") || !strings.Contains(said, fingerprint) ||
		!strings.Contains(said, second) || !strings.Contains(said, "harness targets pin board") {
		t.Errorf("a changed key: status %d: %s", code, said)
	}
	if code, said = harness("", "pin", "board", "--fingerprint", second, "--yes"); code != exitDone || !strings.Contains(said, "pinned until now: "+fingerprint) {
		t.Errorf("pinning the new key: status %d: %s", code, said)
	}
	if text, err = os.ReadFile(file); err != nil || !strings.HasPrefix(string(text), "# kept\n") {
		t.Errorf("pinning lost a comment: %s (%v)", text, err)
	}
	if _, said = harness("", "list"); !strings.Contains(said, second) {
		t.Errorf("the list does not show the new key: %s", said)
	}
}

// TestAgreed: only a clear yes is one.
func TestAgreed(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, " YES \n": true, "n\n": false, "\n": false, "": false, "y": false, "yep\n": false} {
		if got := agreed(strings.NewReader(answer), discard{}, ""); got != want {
			t.Errorf("%q counts as %v", answer, got)
		}
	}
}
