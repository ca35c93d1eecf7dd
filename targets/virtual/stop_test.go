package virtual

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// playing makes this test program run a board until it is killed, as a harness
// does.
const playing = "HARNESS_TEST_PLAYS"

func TestMain(m *testing.M) {
	if kind := os.Getenv(playing); kind != "" {
		b, err := Start(context.Background(), Options{Kind: kind, Loopback: os.Getuid() != 0})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println("dir:", b.place.dir)
		fmt.Println("link:", b.state.Subnet.link())
		fmt.Println("limits:", b.Limits)
		c, err := login(b)
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		out, err := try(c, "uname -m; echo x >file; cat file")
		fmt.Println("said:", strings.ReplaceAll(out, "\n", " "), err)
		if os.Getenv(playing+"_ENDS") != "" {
			c.Close()
			fmt.Println("stopped:", b.Stop())
			return
		}
		s, err := c.NewSession()
		if err == nil {
			err = s.Start("sleep 600")
		}
		fmt.Println("waits:", err)
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

// play runs this program as a harness with a board and returns what it said.
func play(t *testing.T, ends string, kind string, as *syscall.SysProcAttr) (*exec.Cmd, map[string]string) {
	t.Helper()
	if _, err := findTools(t.Context(), ""); err != nil {
		t.Skipf("no virtual boards here: %v", err)
	}
	shell, err := findShell(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	// Where another user may run it.
	dir, err := os.MkdirTemp("/tmp", "harness-virtual-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "harness")
	text, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	box, err := os.ReadFile(shell)
	if err != nil {
		t.Fatal(err)
	}
	shell = filepath.Join(dir, "busybox")
	for _, err := range []error{os.Chmod(dir, 0o755), writeFile(program, string(text), 0o755), writeFile(shell, string(box), 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), playing+"="+kind, playing+"_ENDS="+ends, Shell+"="+shell)
	cmd.SysProcAttr = as
	cmd.Dir = "/"
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() }) //nolint:errcheck // it may have ended
	said := map[string]string{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		said[key] = value
		if key == "waits" || key == "stopped" || key == "error" {
			break
		}
	}
	return cmd, said
}

// left is what still tells of a board: processes, interfaces, files.
func left(t *testing.T, dir, link string) []string {
	t.Helper()
	var out []string
	all, err := listProcesses("/proc", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
		if err == nil && strings.Contains(string(text), filepath.Base(dir)) {
			out = append(out, fmt.Sprintf("process %d %s", p.pid, strings.ReplaceAll(string(text), "\x00", " ")))
		}
	}
	if _, err := net.InterfaceByName(link); err == nil {
		out = append(out, "interface "+link)
	}
	if exists(dir) {
		out = append(out, "directory "+dir)
	}
	return out
}

// A user's machine must be as it was once a board has stopped.
func TestStopLeavesNothing(t *testing.T) {
	for _, loopback := range []bool{false, true} {
		t.Run(fmt.Sprintf("loopback=%v", loopback), func(t *testing.T) {
			if _, err := findTools(t.Context(), ""); err != nil {
				t.Skipf("no virtual boards here: %v", err)
			}
			b, err := Start(t.Context(), Options{Kind: "pi4", Name: "passing", Loopback: loopback})
			if err != nil {
				t.Fatal(err)
			}
			c, err := login(b)
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			// A process that outlives its session is the board's too.
			if err := s.Start("setsid sleep 600 >/dev/null 2>&1 </dev/null"); err != nil {
				t.Error(err)
			}
			runs(t, b, 1<<20)
			if err := b.Stop(); err != nil {
				t.Error(err)
			}
			c.Close()
			if l := left(t, b.place.dir, b.state.Subnet.link()); len(l) > 0 {
				t.Errorf("there are still\n%s", strings.Join(l, "\n"))
			}
		})
	}
}

// A harness that is killed must leave no board behind, and the next one no file.
func TestAKilledHarnessLeavesNothing(t *testing.T) {
	cmd, said := play(t, "", "pi5", nil)
	if said["waits"] != "<nil>" {
		t.Fatalf("it said %v", said)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() //nolint:errcheck // killed
	if said["limits"] == "" {
		eventually(t, "the processes end", func() bool {
			l := left(t, said["dir"], said["link"])
			return len(l) == 1 && strings.HasPrefix(l[0], "directory")
		})
	}
	if _, err := Sweep(); err != nil {
		t.Fatal(err)
	}
	if l := left(t, said["dir"], said["link"]); len(l) > 0 {
		t.Errorf("there are still\n%s", strings.Join(l, "\n"))
	}
}

// Users who are not root get boards too.
func TestAUserWithoutRootHasBoards(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this user is no root already: the other tests show it")
	}
	id, ok := plainUser(t)
	if !ok {
		t.Skip("no user but root has a shell")
	}
	cmd, said := play(t, "1", "pi4", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}})
	cmd.Wait() //nolint:errcheck // judged by what it said
	if said["said"] != "aarch64 x <nil>" || said["stopped"] != "<nil>" {
		t.Errorf("it said %v", said)
	}
}

// plainUser is a user who can log in and is not root.
func plainUser(t *testing.T) (uint32, bool) {
	t.Helper()
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 7 || f[2] == "0" || !strings.HasSuffix(f[6], "sh") {
			continue
		}
		if id, err := strconv.ParseUint(f[2], 10, 32); err == nil {
			return uint32(id), true
		}
	}
	return 0, false
}

// Boards that measure at once would slow each other down.
func TestBoardsTakeTurns(t *testing.T) {
	var a, b Board
	release, err := a.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.Turn(ctx); err == nil {
		t.Error("two boards have the turn")
	}
	release()
	release, err = b.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	release()
}
