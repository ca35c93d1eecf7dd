package remote

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/seed-c6f48606/harness/targets"
)

// noise is a local file of n bytes that nobody has had before.
func noise(t *testing.T, n int, seed uint64) string {
	t.Helper()
	var key [32]byte
	key[0] = byte(seed)
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	p := filepath.Join(t.TempDir(), "data.bin")
	if err := os.WriteFile(p, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func mustRead(t *testing.T, p string) []byte {
	t.Helper()
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func modelFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"config.json": "{}", "model.safetensors": strings.Repeat("w", 100000), "a b'c/vocab.txt": "words", "run.sh": "#!/bin/sh\necho hi\n", "empty": "",
	} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// leftovers lists what is in a target's cache beside entries and markers.
func leftovers(t *testing.T, h *Host) []string {
	t.Helper()
	var left []string
	for _, dir := range []string{h.facts.Cache, path.Join(h.facts.Cache, runFolder)} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			n, ok := parseName(e.Name())
			if (!ok || n.kind == "part") && e.Name() != runFolder {
				left = append(left, e.Name())
			}
		}
	}
	return left
}

// TestPut: what runs on the board must be what was sent, byte for byte, and sent
// once.
func TestPut(t *testing.T) {
	eachTransport(t, func(t *testing.T, target targets.Target, o Options) {
		h := connect(t, target, o)
		file, folder := noise(t, 300<<10, 1), modelFolder(t)
		var last int64
		progress := func(done, total int64) {
			if done < last || done > total {
				t.Errorf("progress goes from %d to %d of %d", last, done, total)
			}
			last = done
		}
		at, err := h.Put(t.Context(), file, progress)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(mustRead(t, at), mustRead(t, file)) {
			t.Error("the file on the board is not the one sent")
		}
		if last != 300<<10 {
			t.Errorf("progress ends at %d bytes", last)
		}
		before, err := os.Stat(at)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := h.Put(t.Context(), file, nil); err != nil || again != at {
			t.Errorf("the second time it is at %s (%v), the first at %s", again, err, at)
		}
		if after, err := os.Stat(at); err != nil || !os.SameFile(before, after) {
			t.Error("it was sent twice")
		}
		dir, err := h.Put(t.Context(), folder, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"config.json", "model.safetensors", "a b'c/vocab.txt", "run.sh", "empty"} {
			if !bytes.Equal(mustRead(t, filepath.Join(dir, name)), mustRead(t, filepath.Join(folder, name))) {
				t.Errorf("%s is not the one sent", name)
			}
		}
		if info, err := os.Stat(filepath.Join(dir, "run.sh")); err != nil || info.Mode().Perm()&0o111 == 0 {
			t.Error("a program lost its permission to run")
		}
		if left := leftovers(t, h); left != nil {
			t.Errorf("left on the board: %v", left)
		}
	})
}

// TestDamaged: a card that lost a byte must not be measured as if it had not.
func TestDamaged(t *testing.T) {
	eachTransport(t, func(t *testing.T, target targets.Target, o Options) {
		file, folder := noise(t, 50<<10, 2), modelFolder(t)
		h := connect(t, target, o)
		a, err := h.Put(t.Context(), file, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := h.Put(t.Context(), folder, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{a, filepath.Join(b, "model.safetensors")} {
			bad := mustRead(t, p)
			bad[1000] ^= 1
			if err := os.WriteFile(p, bad, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		again := connect(t, target, o)
		for local, at := range map[string]string{file: a, folder: b} {
			if got, err := again.Put(t.Context(), local, nil); err != nil || got != at {
				t.Fatalf("sent again to %s (%v), want %s", got, err, at)
			}
		}
		if !bytes.Equal(mustRead(t, a), mustRead(t, file)) {
			t.Error("the damaged file is still there")
		}
		if !bytes.Equal(mustRead(t, filepath.Join(b, "model.safetensors")), mustRead(t, filepath.Join(folder, "model.safetensors"))) {
			t.Error("the damaged folder is still there")
		}
	})
}

// TestResume: a model of gigabytes over Wi-Fi is not begun anew when the link drops.
func TestResume(t *testing.T) {
	target, o := openSSH(t)
	p := newProxy(t, &target)
	file := noise(t, 24<<20, 3)
	h, err := Dial(t.Context(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	_, err = h.Put(t.Context(), file, func(done, _ int64) {
		if done > 16<<20 {
			once.Do(p.cut)
		}
	})
	if !Lost(err) {
		t.Fatalf("after the cut: %v", err)
	}
	h.Close()
	// Another process of this machine, the first one dead.
	parts, err := filepath.Glob(filepath.Join(target.CacheDir, "*.part"))
	if err != nil || len(parts) != 1 {
		t.Fatalf("partial entries: %v (%v)", parts, err)
	}
	if err := os.Rename(parts[0], strings.Replace(parts[0], o.owner, ownerName("0badcafe", 1<<30), 1)); err != nil {
		t.Fatal(err)
	}
	h = connect(t, target, o)
	first := int64(-1)
	at, err := h.Put(t.Context(), file, func(done, _ int64) {
		if first < 0 {
			first = done
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if first < 4<<20 {
		t.Errorf("it began again at %d bytes", first)
	}
	if !bytes.Equal(mustRead(t, at), mustRead(t, file)) {
		t.Error("the file on the board is not the one sent")
	}
	if left := leftovers(t, h); left != nil {
		t.Errorf("left on the board: %v", left)
	}
}

// TestResumeBad: an upload that goes on from wrong bytes must notice and start anew.
func TestResumeBad(t *testing.T) {
	target, o := (&testServer{}).serve(t)
	file := noise(t, 6<<20, 4)
	h := connect(t, target, o)
	src, err := h.o.Sums.open(file)
	if err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(h.facts.Cache, src.hash+"."+o.owner+".part")
	if err := os.WriteFile(part, make([]byte, 5<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	at, err := h.Put(t.Context(), file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(mustRead(t, at), mustRead(t, file)) {
		t.Error("the file on the board is not the one sent")
	}
}

// TestCollect: a small card must not fill up over a hundred sweeps, and nothing
// that somebody uses may go.
func TestCollect(t *testing.T) {
	target, o := (&testServer{}).serve(t)
	o.CacheBytes = 250 << 10
	h := connect(t, target, o)
	put := func(seed uint64) string {
		at, err := h.Put(t.Context(), noise(t, 100<<10, seed), nil)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	age := func(at string, by time.Duration) {
		marks, _ := filepath.Glob(at + ".*.use")
		for _, m := range marks {
			when := time.Now().Add(-by)
			if err := os.Chtimes(m, when, when); err != nil {
				t.Fatal(err)
			}
		}
	}
	oldest, older, used := put(10), put(11), put(12)
	h.Release(oldest)
	h.Release(older)
	age(oldest, 3*time.Hour)
	age(older, 2*time.Hour)
	age(used, 4*time.Hour)
	foreign := filepath.Join(h.facts.Cache, strings.Repeat("f", 64))
	if err := os.WriteFile(foreign, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	newest := put(13)
	for p, want := range map[string]bool{oldest: false, older: false, used: true, newest: true, foreign: true} {
		if _, err := os.Stat(p); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", filepath.Base(p)[:8], err == nil, want)
		}
	}
}

// TestTooFull: the error must say how much is missing before a byte is sent.
func TestTooFull(t *testing.T) {
	target, o := (&testServer{}).serve(t)
	h := connect(t, target, o)
	src := &source{hash: strings.Repeat("a", 64), bytes: 1 << 60, files: []sourceFile{{size: 1 << 60}}}
	err := h.send(t.Context(), src, path.Join(h.facts.Cache, src.hash), func(int64, int64) {})
	wantError(t, err, "needs 1152921504.6 GB", "make room, or set cache_dir")
}

// failing is a file server that cannot write, and says so as servers do of a full
// disk: that it failed.
type failing struct {
	sftp.FileCmder
	free uint64 // bytes
}

func (failing) Filewrite(*sftp.Request) (io.WriterAt, error) { return nil, sftp.ErrSSHFxFailure }

func (f failing) StatVFS(*sftp.Request) (*sftp.StatVFS, error) {
	return &sftp.StatVFS{Bsize: 1024, Frsize: 1024, Bavail: f.free / 1024}, nil
}

// TestSilentFailure: who reads "failure" cannot know that a disk is full.
func TestSilentFailure(t *testing.T) {
	for free, words := range map[uint64][]string{
		20 << 10: {"the disk is full, 20480 bytes are free", "make room, or set cache_dir"},
		3e9:      {"its disk has 3.0 GB free", "quota"},
	} {
		s := &testServer{subsystem: func(ch ssh.Channel) bool {
			h := sftp.InMemHandler()
			f := failing{h.FileCmd, free}
			h.FilePut, h.FileCmd = f, f
			sftp.NewRequestServer(ch, h).Serve()
			return true
		}}
		target, o := s.serve(t)
		_, err := connect(t, target, o).Put(t.Context(), noise(t, 10, 6), nil)
		wantError(t, err, append(words, "no more than that it failed")...)
	}
}

// TestTwentyBoards deploys to twenty at once, over one shared set of hashes.
func TestTwentyBoards(t *testing.T) {
	target, o := openSSH(t)
	o.Sums = &Sums{}
	folder := modelFolder(t)
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() {
			mine := target
			mine.CacheDir = filepath.Join(target.CacheDir, "board", string(rune('a'+i)))
			h, err := Dial(t.Context(), mine, o)
			if err != nil {
				errs[i] = err
				return
			}
			at, err := h.Put(t.Context(), folder, nil)
			if err == nil {
				_, err = os.Stat(filepath.Join(at, "config.json"))
			}
			errs[i] = errors.Join(err, h.Close())
		})
	}
	wg.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		t.Errorf("board %d: %v", i, errs[i])
	}
}

// TestSource: links of model hubs are followed, and what is no file is refused.
func TestSource(t *testing.T) {
	dir := t.TempDir()
	blob := noise(t, 10, 5)
	if err := os.Symlink(blob, filepath.Join(dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	sums := &Sums{}
	if src, err := sums.open(dir); err != nil || len(src.files) != 1 || src.bytes != 10 {
		t.Errorf("a folder of links: %+v (%v)", src, err)
	}
	_, err := sums.open(t.TempDir())
	wantError(t, err, "is empty")
	_, err = sums.open(filepath.Join(dir, "none"))
	wantError(t, err, "no such file")
	_, err = sums.open("/dev/null")
	wantError(t, err, "is no plain file")
	if err := os.WriteFile(filepath.Join(dir, "a\nb"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = sums.open(dir)
	wantError(t, err, "is no name for a file on a target")
}
