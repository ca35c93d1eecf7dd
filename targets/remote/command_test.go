package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/targets"
)

// TestArguments: an argument reaches the program as it is, whatever a shell would
// make of it.
func TestArguments(t *testing.T) {
	hard := []string{"a b", "", "it's", `"`, "$HOME", "`id`", "*", "a\nb", `\`, "-n", "~", "#x", "é", "!", ";true", "a=b", "\t"}
	eachTransport(t, func(t *testing.T, target targets.Target, o Options) {
		h := connect(t, target, o)
		out, err := h.Output(t.Context(), append([]string{"printf", "%s\x01"}, hard...))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSuffix(string(out), "\x01"), "\x01")
		if diff := cmp.Diff(hard, got); diff != "" {
			t.Errorf("arguments change on the way (-sent +got):\n%s", diff)
		}
		_, err = h.Output(t.Context(), []string{"echo", "a\x00b"})
		wantError(t, err, "zero byte")
	})
}

// alive says whether a process is there and no zombie.
func alive(pid int) bool {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func wantGone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			syscall.Kill(pid, syscall.SIGKILL)
			t.Errorf("process %d is still on the board", pid)
			return
		}
	}
}

// begin starts a command that says its number first.
func begin(t *testing.T, ctx context.Context, h *Host, script string) (*Conn, int) {
	t.Helper()
	c, err := h.Start(ctx, []string{"sh", "-c", script})
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c.Stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %s", err, c.Stderr())
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return c, pid
}

// TestStart: streams carry bytes both ways, ends are told apart, and nothing
// stays on the board.
func TestStart(t *testing.T) {
	eachTransport(t, func(t *testing.T, target targets.Target, o Options) {
		h := connect(t, target, o)
		c, err := h.Start(t.Context(), []string{"cat"})
		if err != nil {
			t.Fatal(err)
		}
		sent := strings.Repeat("\x00\xff\r\n", 100000)
		go func() {
			io.WriteString(c.Stdin, sent)
			c.Stdin.Close()
		}()
		got, err := io.ReadAll(c.Stdout)
		if err != nil || string(got) != sent {
			t.Errorf("%d bytes come back (%v), sent were %d", len(got), err, len(sent))
		}
		if err := c.Wait(); err != nil {
			t.Errorf("cat ends with %v", err)
		}
		c, err = h.Start(t.Context(), []string{"sh", "-c", "echo went wrong >&2; exit 7"})
		if err != nil {
			t.Fatal(err)
		}
		var exit *ExitError
		if err := c.Wait(); !errors.As(err, &exit) || exit.Status != 7 || exit.Stderr != "went wrong" {
			t.Errorf("exit 7 becomes %v", err)
		}
		c, err = h.Start(t.Context(), []string{"no-such-program"})
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, c.Wait(), "status 127", "the program is not on the target")

		// Killed: the command, what it started, and at once.
		c, pid := begin(t, t.Context(), h, "sleep 600 & echo $!; wait")
		c.Kill()
		if err := c.Wait(); err == nil {
			t.Error("a killed command ends well")
		}
		wantGone(t, pid)

		ctx, cancel := context.WithCancel(t.Context())
		c, pid = begin(t, ctx, h, "echo $$; exec sleep 600")
		cancel()
		if err := c.Wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("a canceled command ends with %v", err)
		}
		wantGone(t, pid)
		if left := leftovers(t, h); left != nil {
			t.Errorf("left on the board: %v", left)
		}
	})
}

// TestLinkDrops: a command that reads its input ends with the link, and what does
// not is ended by Clean after connecting again.
func TestLinkDrops(t *testing.T) {
	target, o := openSSH(t)
	o.KeepAlive = 100 * time.Millisecond
	p := newProxy(t, &target)

	h := connect(t, target, o)
	c, reader := begin(t, t.Context(), h, "echo $$; exec cat")
	p.cut()
	if err := c.Wait(); !Lost(err) {
		t.Errorf("after the cut the command ends with %v", err)
	}
	wantGone(t, reader)
	if _, err := h.Output(t.Context(), []string{"true"}); !Lost(err) {
		t.Errorf("over a cut link: %v", err)
	}

	h = connect(t, target, o)
	c, sleeper := begin(t, t.Context(), h, "sleep 600 & echo $!; wait")
	p.freeze()
	if err := c.Wait(); !Lost(err) {
		t.Errorf("over a silent link the command ends with %v", err)
	}
	if !alive(sleeper) {
		t.Fatal("the sleeper is gone already, so nothing is tested")
	}
	h = connect(t, target, o)
	if err := h.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantGone(t, sleeper)
	if left := leftovers(t, h); left != nil {
		t.Errorf("left on the board: %v", left)
	}
}

// TestCleanSpares: a note whose number belongs to another process by now, or that
// another machine wrote, must not end anything.
func TestCleanSpares(t *testing.T) {
	target, o := (&testServer{}).serve(t)
	h := connect(t, target, o)
	_, innocent := begin(t, t.Context(), h, "echo $$; exec cat")
	notes, err := filepath.Glob(filepath.Join(h.facts.Cache, runFolder, "*.pid"))
	if err != nil || len(notes) != 1 {
		t.Fatalf("notes: %v (%v)", notes, err)
	}
	text := string(mustRead(t, notes[0]))
	lines := strings.Split(text, "\n")
	number := lines[0]
	otherStart := strings.Replace(text, lines[2], "1 (cat) S "+strings.Repeat("0 ", 40), 1)
	otherBoot := strings.Replace(text, lines[1], "00000000-0000-0000-0000-000000000000", 1)
	os.Remove(notes[0])
	dir := filepath.Dir(notes[0])
	deadOwner := ownerName("0badcafe", 1<<30)
	for name, text := range map[string]string{
		deadOwner + ".1.pid":                otherStart,
		deadOwner + ".2.pid":                otherBoot,
		deadOwner + ".3.pid":                "-1\n",
		deadOwner + ".4.pid":                "1\n",
		deadOwner + ".5.pid":                "$(touch x)\n",
		deadOwner + ".6.pid":                number + "\n-\n-\n",
		ownerName("deadbeef", 1) + ".1.pid": text,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	part := filepath.Join(h.facts.Cache, strings.Repeat("b", 64)+"."+deadOwner+".part")
	theirs := filepath.Join(h.facts.Cache, strings.Repeat("b", 64)+"."+ownerName("deadbeef", 1)+".part")
	for _, p := range []string{part, theirs} {
		if err := os.WriteFile(p, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !alive(innocent) {
		t.Error("Clean ended a process that was not the noted one")
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.pid"))
	if err != nil || len(left) != 1 || !strings.Contains(left[0], "deadbeef") {
		t.Errorf("notes left: %v, want that of the other machine", left)
	}
	if _, err := os.Stat(part); err == nil {
		t.Error("a dead process's partial entry is still there")
	}
	if _, err := os.Stat(theirs); err != nil {
		t.Error("another machine's partial entry is gone")
	}
}

// TestFacts: the runner for the wrong processor does not start.
func TestFacts(t *testing.T) {
	say := func(lines ...string) string { return "harness-probe:" + strings.Join(lines, "\nharness-probe:") + "\n" }
	for _, c := range []struct{ out, arch, err string }{
		{"Welcome!\n" + say("cache=/home/pi/.cache/harness", "uname=Linux aarch64", "boot=1f-2", "hashes=yes", "android=no"), "arm64", ""},
		{say("cache=/c", "uname=Linux x86_64"), "amd64", ""},
		{say("cache=/c", "uname=Linux riscv64"), "riscv64", ""},
		{say("cache=/c", "uname=Linux armv7l"), "", "its kernel is 32-bit (armv7l); install a 64-bit system"},
		{say("cache=/c", "uname=Darwin arm64"), "", "its system is Darwin"},
		{say("cache=/c", "uname=Linux s390x"), "", "its processor is s390x"},
		{say("cache=/", "uname=Linux aarch64"), "", "must be an absolute path"},
		{say("cache=/a/../../etc", "uname=Linux aarch64"), "", "must be an absolute path"},
		{say("cache=x", "uname=Linux aarch64"), "", "must be an absolute path"},
		{say("cache=/c", "uname=Linux"), "", "uname says"},
		{"This account is currently not available.\n", "", "does its login run a POSIX shell?"},
		{"", "", "does its login run a POSIX shell?"},
	} {
		f, err := parseFacts(c.out)
		if c.err != "" {
			wantError(t, err, c.err)
		} else if err != nil || f.GOARCH != c.arch || f.GOOS != "linux" {
			t.Errorf("%q gives %+v (%v)", c.out, f, err)
		}
	}
}
