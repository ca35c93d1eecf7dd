package remote

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/seed-c6f48606/harness/targets"
)

// grown runs f and returns by how many bytes the heap had grown at its largest.
func grown(f func()) int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := int64(m.HeapAlloc)
	var most atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), int64(m.HeapAlloc)-before))
			}
		}
	}()
	f()
	close(stop)
	<-done
	return most.Load()
}

// flood writes without end until the reader goes.
func flood(w io.Writer, piece string) {
	b := []byte(strings.Repeat(piece, 1+32768/len(piece)))
	for {
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

// answering starts a server that treats commands holding a word in its own way
// once the test says so.
func answering(t *testing.T, word string, answer func(ch ssh.Channel)) (*Host, *testServer) {
	t.Helper()
	s := &testServer{}
	target, o := s.serve(t)
	h := connect(t, target, o)
	s.answer(func(line string, ch ssh.Channel) bool {
		if !strings.Contains(line, word) {
			return false
		}
		answer(ch)
		return true
	})
	return h, s
}

// TestEndless: a board that never stops talking costs neither memory nor time.
func TestEndless(t *testing.T) {
	const most = 64 << 20
	h, _ := answering(t, "endless", func(ch ssh.Channel) { flood(ch, "x") })
	var err error
	if n := grown(func() { _, err = h.Output(t.Context(), []string{"endless"}) }); n > most {
		t.Errorf("endless output takes %d bytes here", n)
	}
	wantError(t, err, "says more than 1048576 bytes where a short answer is due")

	h, _ = answering(t, "endless", func(ch ssh.Channel) {
		go flood(ch.Stderr(), "\x1b[31mred")
		time.Sleep(300 * time.Millisecond)
		status(ch, 3)
	})
	if n := grown(func() { _, err = h.Output(t.Context(), []string{"endless"}) }); n > most {
		t.Errorf("endless stderr takes %d bytes here", n)
	}
	wantError(t, err, "status 3", "red")
	if strings.Contains(err.Error(), "\x1b") {
		t.Error("what the board says can drive the terminal")
	}
	if len(err.Error()) > 3*tailBytes {
		t.Errorf("the error is %d bytes long", len(err.Error()))
	}
}

// TestStubborn: a board that does not hear that a command is to end must not hold
// the sweep.
func TestStubborn(t *testing.T) {
	target, o := (&testServer{}).serve(t)
	p := newProxy(t, &target)
	o.KeepAlive, o.grace = time.Hour, 100*time.Millisecond
	h := connect(t, target, o)
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := begin(t, ctx, h, "echo $$; exec cat")
	p.freeze()
	cancel()
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the command ends with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it is still waited for")
	}
}

// TestJunkProbe: a login that talks instead of answering is refused at once.
func TestJunkProbe(t *testing.T) {
	for name, answer := range map[string]func(ch ssh.Channel){
		"endless line":   func(ch ssh.Channel) { flood(ch, "y") },
		"binary":         func(ch ssh.Channel) { io.WriteString(ch, "\x00\xff\xfe\n\x1b]0;owned\a"); status(ch, 0) },
		"escaping cache": func(ch ssh.Channel) { io.WriteString(ch, "harness-probe:cache=/tmp/../etc\n"); status(ch, 0) },
		"no answer":      func(ch ssh.Channel) { status(ch, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			s := &testServer{exec: func(_ string, ch ssh.Channel) bool { answer(ch); return true }}
			target, o := s.serve(t)
			var err error
			if n := grown(func() { _, err = Dial(t.Context(), target, o) }); n > 64<<20 {
				t.Errorf("it takes %d bytes here", n)
			}
			wantError(t, err, "asking board what it is")
			if kindOf(err) != "target" {
				t.Errorf("it is a fault of kind %q", kindOf(err))
			}
		})
	}
}

// TestWrongHash: bytes that are not those sent are never run.
func TestWrongHash(t *testing.T) {
	h, _ := answering(t, "sha256sum", func(ch ssh.Channel) {
		io.WriteString(ch, strings.Repeat("0", 64)+"  x\n")
		status(ch, 0)
	})
	_, err := h.Put(t.Context(), noise(t, 10<<10, 20), nil)
	wantError(t, err, "has another hash on the target", "storage")
	if left := leftovers(t, h); left != nil {
		t.Errorf("left on the board: %v", left)
	}
	h, _ = answering(t, "sha256sum", func(ch ssh.Channel) { io.WriteString(ch, "sha256sum: applet not found\n"); status(ch, 0) })
	_, err = h.Put(t.Context(), noise(t, 10<<10, 21), nil)
	wantError(t, err, "sha256sum says")
}

// TestNoHashes: without sha256sum the bytes are read back.
func TestNoHashes(t *testing.T) {
	target, o := (&testServer{}).serve(t)
	h := connect(t, target, o)
	h.facts.Hashes = false
	file := noise(t, 100<<10, 22)
	if _, err := h.Put(t.Context(), file, nil); err != nil {
		t.Fatal(err)
	}
}

// liar is a file server whose names and lengths are lies.
type liar struct{ list func() []os.FileInfo }

func (l liar) ListAt(to []os.FileInfo, at int64) (int, error) {
	n := copy(to, l.list())
	if n < 100 && at > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (l liar) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method == "List" {
		return l, nil
	}
	folder, err := os.Stat(".")
	return liar{func() []os.FileInfo { return []os.FileInfo{folder} }}, err
}
func (l liar) Fileread(*sftp.Request) (io.ReaderAt, error)  { return nil, os.ErrPermission }
func (l liar) Filewrite(*sftp.Request) (io.WriterAt, error) { return nowhere{}, nil }
func (l liar) Filecmd(*sftp.Request) error                  { return nil }

type nowhere struct{}

func (nowhere) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }

type fakeInfo struct {
	os.FileInfo
	name string
}

func (f fakeInfo) Name() string { return f.name }

// TestLyingFiles: names that lead elsewhere and listings without end.
func TestLyingFiles(t *testing.T) {
	real, err := os.Stat("hostile_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		list func() []os.FileInfo
		want string
	}{
		"line end": {func() []os.FileInfo { return []os.FileInfo{fakeInfo{real, "a\nb"}} }, "lists a file called"},
		"endless": {func() []os.FileInfo {
			all := make([]os.FileInfo, 100)
			for i := range all {
				all[i] = fakeInfo{real, strings.Repeat("n", 200)}
			}
			return all
		}, "sends without end"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &testServer{subsystem: func(ch ssh.Channel) bool {
				l := liar{c.list}
				sftp.NewRequestServer(ch, sftp.Handlers{FileGet: l, FilePut: l, FileCmd: l, FileList: l}).Serve()
				return true
			}}
			target, o := s.serve(t)
			h := connect(t, target, o)
			var err error
			if n := grown(func() { _, err = h.Put(t.Context(), noise(t, 1000, 23), nil) }); n > 256<<20 {
				t.Errorf("it takes %d bytes here", n)
			}
			wantError(t, err, c.want)
			if kindOf(err) != "target" {
				t.Errorf("it is a fault of kind %q", kindOf(err))
			}
		})
	}
}

// TestLyingListing: the same where files go by commands.
func TestLyingListing(t *testing.T) {
	for _, c := range []struct{ out, want string }{
		{"81a4 1 1 ./../../etc/passwd\n", `lists a file called "../../etc/passwd"`},
		{"41ed 1 1 ./..\n", `lists a file called ".."`},
		{"81a4 1 1 ./" + strings.Repeat("x", 300) + "\n", "lists a file called"},
		{"81a4 -1 1 ./x\n", "lists files as"},
		{"\x00\xff\n", "lists files as"},
	} {
		s := &testServer{noSFTP: true}
		target, o := s.serve(t)
		h := connect(t, target, o)
		s.answer(func(line string, ch ssh.Channel) bool {
			if !strings.Contains(line, "stat -c") {
				return false
			}
			io.WriteString(ch, c.out)
			status(ch, 0)
			return true
		})
		_, err := h.Put(t.Context(), noise(t, 1000, 24), nil)
		wantError(t, err, c.want)
	}
}

// TestBadFileServer: binary junk and a packet of 4 GiB where SFTP should be.
func TestBadFileServer(t *testing.T) {
	for name, answer := range map[string]func(ch ssh.Channel){
		"junk": func(ch ssh.Channel) { flood(ch, "\xff\x00junk") },
		"huge": func(ch ssh.Channel) { ch.Write(binary.BigEndian.AppendUint32(nil, 1<<32-1)); flood(ch, "z") },
		"text": func(ch ssh.Channel) { io.WriteString(ch, "Welcome to this board!\n") },
	} {
		t.Run(name, func(t *testing.T) {
			s := &testServer{subsystem: func(ch ssh.Channel) bool { answer(ch); return true }}
			target, o := s.serve(t)
			var err error
			if n := grown(func() { _, err = Dial(t.Context(), target, o) }); n > 64<<20 {
				t.Errorf("it takes %d bytes here", n)
			}
			wantError(t, err, "starting the file server on board")
		})
	}
}

// TestSilent: a host that accepts and says nothing, or something else, is told
// from one that is off.
func TestSilent(t *testing.T) {
	serve := func(say string) targets.Target {
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
				io.WriteString(c, say)
				t.Cleanup(func() { c.Close() })
			}
		}()
		return targets.Target{Name: "board", Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
	}
	o := Options{Home: t.TempDir(), Agent: "none", Timeout: 300 * time.Millisecond}
	_, err := Dial(t.Context(), serve(""), o)
	wantError(t, err, "no answer within 300ms", "is it switched on")
	o.Timeout = 10 * time.Second
	_, err = Dial(t.Context(), serve("HTTP/1.1 400 Bad Request\r\n"+strings.Repeat("x", 100000)), o)
	wantError(t, err, "is that an SSH server")
	_, err = Dial(t.Context(), targets.Target{Name: "board", Address: "127.0.0.1", Port: 1}, o)
	wantError(t, err, "connecting to board", "is it switched on")
	if !Lost(err) {
		t.Error("a host that is off may come back, so this must count as a lost link")
	}
	_, err = Dial(t.Context(), targets.Target{Name: "board", Address: "no-such-host.invalid"}, o)
	wantError(t, err, "no host is called")
	_, err = Dial(t.Context(), targets.Target{Name: "toy", Virtual: &targets.Virtual{Kind: "pi5"}}, o)
	wantError(t, err, "target toy has no address")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, serve(""), o); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// TestReadOnly: no place to write is said before anything is sent.
func TestReadOnly(t *testing.T) {
	target, o := (&testServer{}).serve(t)
	blocker := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocker, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	target.CacheDir = filepath.Join(blocker, "cache")
	_, err := Dial(t.Context(), target, o)
	wantError(t, err, "asking board what it is", "mkdir")
}
