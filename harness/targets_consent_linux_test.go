package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// person opens a terminal: the end at which somebody types, and the program's.
func person(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { terminal.Close() })
	return keyboard, terminal
}

// edits writes to a file while a question stands, as a person with an editor does.
type edits struct {
	bytes.Buffer
	file, text string
	question   string
}

func (e *edits) Write(b []byte) (int, error) {
	if strings.Contains(string(b), e.question) {
		if err := os.WriteFile(e.file, []byte(e.text), 0o644); err != nil {
			return 0, err
		}
	}
	return e.Buffer.Write(b)
}

// TestConsent: at a terminal the key is pinned after a yes and only then, and what
// was written to the inventory while the question stood is kept.
func TestConsent(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	address, port, fingerprint := showKey(t)
	const meanwhile = "# mine\ntargets:\n- name: other\n  address: other.lab\n"
	for _, c := range []struct {
		typed string
		code  int
	}{{"y\n", exitDone}, {"yes\n", exitDone}, {"n\n", exitFault}, {"\n", exitFault}, {"\x04", exitFault}} {
		t.Run(fmt.Sprintf("%q", c.typed), func(t *testing.T) {
			keyboard, terminal := person(t)
			if _, err := keyboard.WriteString(c.typed); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "targets.yaml")
			said := &edits{file: file, text: meanwhile, question: "Pin this key?"}
			code := run(context.Background(), []string{"targets", "--targets", file, "add", "board", address, "--port", fmt.Sprint(port)}, terminal, said, said)
			if code != c.code || !strings.Contains(said.String(), fingerprint) || !strings.Contains(said.String(), "Pin this key? [y/N] ") {
				t.Errorf("status %d, want %d: %s", code, c.code, said.String())
			}
			text, err := os.ReadFile(file)
			if err != nil || !strings.HasPrefix(string(text), meanwhile) {
				t.Errorf("what was written meanwhile is lost (%v):\n%s", err, text)
			}
			if pinned := strings.Contains(string(text), "host_key: ssh-ed25519 "); pinned != (c.code == exitDone) {
				t.Errorf("pinned %v after %q:\n%s", pinned, c.typed, text)
			}
		})
	}
}
