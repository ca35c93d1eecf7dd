package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// node-llama-cpp keeps the prebuilt library of each platform in a package of its
// own, of the same version. The drivers are written for these versions.
const (
	llamaScope   = "@node-llama-cpp/"
	llamaVersion = "3.22.1"
	onnxVersion  = "1.30.0"
)

//go:embed driver/llama.c
var driverSource []byte

var platforms = map[string]string{
	"linux/amd64": "linux-x64",
	"linux/arm64": "linux-arm64",
}

// installer brings the rivals into a cache folder.
type installer struct {
	Cache    string
	Platform string // GOOS/GOARCH

	lookPath func(name string) (string, error)
	execute  func(ctx context.Context, dir string, argv []string) (outcome, error)
}

// library returns the folder with libllama.
func (i installer) library(ctx context.Context) (string, error) {
	platform, ok := platforms[i.Platform]
	if !ok {
		return "", fmt.Errorf("node-llama-cpp has no library for the CPU of %s that this program drives", i.Platform)
	}
	modules, err := i.npm(ctx, llamaScope+platform, llamaVersion)
	return filepath.Join(modules, llamaScope+platform, "bins", platform), err
}

// npm installs a package without running its scripts, unless it was installed
// before, and returns the folder node_modules.
func (i installer) npm(ctx context.Context, name, version string) (string, error) {
	home := filepath.Join(i.Cache, filepath.Base(name)+"-"+version)
	modules := filepath.Join(home, "node_modules")
	if isFile(filepath.Join(modules, name, "package.json")) {
		return modules, nil
	}
	npm, err := i.find("npm", "install Node.js with npm")
	if err != nil {
		return "", err
	}
	if _, err := i.find("node", "install Node.js"); err != nil { // npm is a script that needs it
		return "", err
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	at := name + "@" + version
	if _, err := i.execute(ctx, home, []string{
		npm, "install", "--prefix", home, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", at,
	}); err != nil {
		return "", fmt.Errorf("installing %s: %w", at, err)
	}
	if !isFile(filepath.Join(modules, name, "package.json")) {
		return "", fmt.Errorf("installing %s: npm left no such package in %s", at, modules)
	}
	return modules, nil
}

// driver compiles the driver, once for each version of its source.
func (i installer) driver(ctx context.Context) (string, error) {
	sum := sha256.Sum256(driverSource)
	path := filepath.Join(i.Cache, "driver-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	cc, err := i.find("cc", "install a C compiler")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(i.Cache, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	source := path + ".c"
	if err := os.WriteFile(source, driverSource, 0o644); err != nil {
		return "", fmt.Errorf("compiling the driver: %w", err)
	}
	defer os.Remove(source)
	part := path + ".part"
	if _, err := i.execute(ctx, i.Cache, []string{cc, "-O2", "-o", part, source, "-ldl", "-lm"}); err != nil {
		return "", fmt.Errorf("compiling the driver: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return "", fmt.Errorf("compiling the driver: %w", err)
	}
	return path, nil
}

func (i installer) find(name, mend string) (string, error) {
	path, err := i.lookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("no %s in PATH: %s", name, mend)
	}
	return path, err
}

// shapeFile has our own runner write a model of random weights, unless it did
// before.
func (i installer) shapeFile(ctx context.Context, runner, shape, kind string) (modelFile, error) {
	path := filepath.Join(i.Cache, fmt.Sprintf("%s-%s.gguf", shape, kind))
	if !isFile(path) {
		if err := os.MkdirAll(i.Cache, 0o755); err != nil {
			return modelFile{}, fmt.Errorf("making the cache folder: %w", err)
		}
		argv := []string{runner, "bench", "--shape", shape, "--type", kind, "--write", path, "-p", "0", "-n", "0"}
		if _, err := i.execute(ctx, i.Cache, argv); err != nil {
			return modelFile{}, fmt.Errorf("writing a model of shape %s as %s: %w", shape, kind, err)
		}
	}
	return openModel(kind, path)
}

func openModel(name, path string) (modelFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return modelFile{}, fmt.Errorf("finding a model: %w", err)
	}
	return modelFile{name, path, info.Size()}, nil
}
