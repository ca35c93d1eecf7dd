package remote

import (
	"debug/buildinfo"
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
