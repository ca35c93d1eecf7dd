package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// outcome is what is seen of a process from outside.
type outcome struct {
	Stdout, Stderr []byte
	// Result is the time from the process's start to the line with its first
	// result, 0 if it printed none.
	Result       time.Duration
	PeakRSSBytes int64
}

// runProcess runs a program to its end in folder dir. An error has the end of
// what the program said.
//
// The peak of resident memory is at least that of this process when it started
// the other: Linux hands the mark on. So this program stays small.
func runProcess(ctx context.Context, dir string, argv []string) (outcome, error) {
	var o outcome
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return o, fmt.Errorf("running %s: %w", filepath.Base(argv[0]), err)
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return o, fmt.Errorf("running %s: %w", filepath.Base(argv[0]), err)
	}
	var text bytes.Buffer
	for lines := bufio.NewReader(stdout); ; {
		line, err := lines.ReadBytes('\n')
		if o.Result == 0 && bytes.Contains(line, []byte(`"samples_ns"`)) {
			o.Result = time.Since(start)
		}
		text.Write(line)
		if err != nil {
			break
		}
	}
	err = cmd.Wait()
	o.Stdout, o.Stderr = text.Bytes(), stderr.Bytes()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		o.PeakRSSBytes = usage.Maxrss << 10
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return o, fmt.Errorf("%s took too long", filepath.Base(argv[0]))
	case ctx.Err() != nil:
		return o, ctx.Err()
	case err != nil:
		err = fmt.Errorf("%s: %w", filepath.Base(argv[0]), err)
		if said := cmp.Or(lastLine(o.Stderr), lastLine(o.Stdout)); said != "" {
			err = fmt.Errorf("%w: %s", err, said)
		}
		return o, err
	}
	return o, nil
}

// lastLine is the end of what a program said, for messages.
func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	const most = 200
	last := strings.TrimSpace(lines[len(lines)-1])
	if len(last) > most {
		last = last[:most] + "…"
	}
	return last
}

// dropFile takes a file out of the page cache. It returns an error where some of
// it stays, which another process that maps it or a file system in memory cause.
//
// It reads the file first. The host of a virtual machine keeps what was read
// lately, and the machine's own memory is slow to the one who touches it first:
// without that a round's first program pays for the others.
func dropFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("dropping a file from memory: %w", err)
	}
	defer f.Close()
	if _, err := io.Copy(io.Discard, f); err != nil {
		return fmt.Errorf("dropping %s from memory: %w", path, err)
	}
	if err := f.Sync(); err != nil { // pages that were not written yet stay
		return fmt.Errorf("dropping %s from memory: %w", path, err)
	}
	if err := adviseUnneeded(f); err != nil {
		return fmt.Errorf("dropping %s from memory: %w", path, err)
	}
	share, err := residentShare(f)
	if err != nil {
		return fmt.Errorf("dropping %s from memory: %w", path, err)
	}
	if share > 0.01 {
		return fmt.Errorf("%.0f %% of %s stayed in memory", 100*share, filepath.Base(path))
	}
	return nil
}

// cpuName is the name in /proc/cpuinfo, "" where there is none.
func cpuName() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
