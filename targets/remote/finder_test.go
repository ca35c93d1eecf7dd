package remote

import (
	"debug/buildinfo"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// TestRunner builds the runner for two processors and starts it as a target would.
func TestRunner(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the Go toolchain is not installed")
	}
	f := &Finder{Cache: t.TempDir()}
	var wg sync.WaitGroup
	paths := make([]string, 4)
	for i := range paths {
		wg.Go(func() {
			var err error
			if paths[i], err = f.Find(t.Context(), "linux", []string{"arm64", "amd64"}[i%2]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	if paths[0] != paths[2] || paths[1] != paths[3] {
		t.Errorf("one platform was built to several places: %v", paths)
	}
	for i, arch := range []string{"arm64", "amd64"} {
		info, err := buildinfo.ReadFile(paths[i])
		if err != nil {
			t.Fatal(err)
		}
		set := map[string]string{}
		for _, s := range info.Settings {
			set[s.Key] = s.Value
		}
		if set["GOARCH"] != arch || set["CGO_ENABLED"] != "0" || set["-trimpath"] != "true" {
			t.Errorf("%s is built with %v", paths[i], set)
		}
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("this machine does not run the runner that it builds")
	}
	target, o := (&testServer{}).serve(t)
	h := connect(t, target, o)
	at, err := h.Runner(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.Start(t.Context(), []string{at, "serve"})
	if err != nil {
		t.Fatal(err)
	}
	c.Stdin.Close()
	if err := c.Wait(); err != nil {
		t.Errorf("the deployed runner ends with %v", err)
	}
}

// TestRunnerDir: what the user named is taken or refused, never replaced.
func TestRunnerDir(t *testing.T) {
	dir := t.TempDir()
	_, err := (&Finder{Dir: dir}).Find(t.Context(), "linux", "arm64")
	wantError(t, err, "runner-linux-arm64 is not there", "GOARCH=arm64 CGO_ENABLED=0 go build")
	if err := os.WriteFile(filepath.Join(dir, "runner-linux-arm64"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = (&Finder{Dir: dir}).Find(t.Context(), "linux", "arm64")
	wantError(t, err, "is no Linux program")
	if runtime.GOOS != "linux" {
		t.Skip("the rest needs programs of Linux")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := "arm64"
	if runtime.GOARCH == "arm64" {
		other = "amd64"
	}
	raw := mustRead(t, self)
	if err := os.WriteFile(filepath.Join(dir, "runner-linux-"+other), raw, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = (&Finder{Dir: dir}).Find(t.Context(), "linux", other)
	wantError(t, err, "not for "+other)
	if shell := "/bin/sh"; checkRunner(shell, runtime.GOARCH) == nil {
		t.Logf("%s is static here", shell)
	} else {
		wantError(t, checkRunner(shell, runtime.GOARCH), "dynamic linker")
	}
}

// TestNoRunner: with no way left the error names them all.
func TestNoRunner(t *testing.T) {
	f := &Finder{Cache: t.TempDir(), Work: t.TempDir(), Go: "go"}
	_, err := f.Find(t.Context(), "linux", "arm64")
	wantError(t, err, "there is no runner for linux/arm64", "source:", "module:", "--runner-dir")
	f = &Finder{Cache: t.TempDir(), Go: filepath.Join(t.TempDir(), "no-go")}
	_, err = f.Find(t.Context(), "linux", "arm64")
	wantError(t, err, "there is no runner for linux/arm64")
	if strings.Contains(err.Error(), "panic") {
		t.Error(err)
	}
}

// TestReleased: who installed the program by go install has no source around it; the
// runner then comes from the module at the program's own version, and is kept.
func TestReleased(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in of the go command is a shell script")
	}
	dir := t.TempDir()
	// The smallest file that is a program for arm64: a header alone.
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[18], header[20], header[52], header[54], header[58] = 2, 0xb7, 1, 64, 56, 64
	program, log, fake := filepath.Join(dir, "program"), filepath.Join(dir, "log"), filepath.Join(dir, "go")
	script := "#!/bin/sh\necho \"$GOOS $GOARCH $CGO_ENABLED $*\" >> '" + log + "'\nif [ \"$1\" = build ]; then cp '" + program + "' \"$3\"; fi\n"
	if err := errors.Join(os.WriteFile(program, header, 0o600), os.WriteFile(fake, []byte(script), 0o700)); err != nil {
		t.Fatal(err)
	}
	f := &Finder{Cache: dir, Go: fake}
	to := filepath.Join(dir, "runner-linux-arm64-v1.2.3")
	for range 2 {
		if got, err := f.released(t.Context(), to, "linux", "arm64", "v1.2.3"); err != nil || got != to {
			t.Fatalf("got %s, %v", got, err)
		}
	}
	lines := strings.Split(strings.TrimSpace(string(mustRead(t, log))), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], "get "+runnerPackage+"@v1.2.3") ||
		!strings.HasPrefix(lines[1], "linux arm64 0 build -o ") || !strings.Contains(lines[1], "-X "+releaseSymbol+"=v1.2.3 "+runnerPackage) {
		t.Errorf("the go command was called as\n%s", strings.Join(lines, "\n"))
	}
	// A cached file for another processor is built anew.
	header[18] = 0x3e
	if err := os.WriteFile(to, header, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.released(t.Context(), to, "linux", "arm64", "v1.2.3"); err != nil || checkRunner(to, "arm64") != nil {
		t.Errorf("a damaged runner stays: %v", err)
	}
}
