package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/targets/power"
)

// adbStandIn is a phone of the inventory that is no phone: its adb runs on this machine
// what it would run there. It returns the inventory's lines, and how often the phone
// was dialled.
func adbStandIn(t *testing.T, name string) (entry string, dials func() int) {
	t.Helper()
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("no setsid here, with which the stand-in for adb ends a command's processes")
	}
	program, err := filepath.Abs("../targets/remote/testdata/adb")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	calls := filepath.Join(dir, "calls")
	script := fmt.Sprintf("#!/bin/sh\necho \"$3\" >> '%s'\nexec '%s' \"$@\"\n", calls, program)
	if err := os.WriteFile(filepath.Join(dir, "adb"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	entry = fmt.Sprintf("- {name: %s, transport: adb, address: STANDIN01, cache_dir: %s}\n", name, filepath.Join(dir, "cache"))
	return entry, func() int {
		b, err := os.ReadFile(calls)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(b), "get-state")
	}
}

// standInRunner is a folder of runners that holds this test's binary, which is one
// from then on.
func standInRunner(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := elf.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	if slices.ContainsFunc(binary.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Skip("this binary needs a dynamic linker, as one with the race detector, and is no runner for a board")
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "runner-linux-"+runtime.GOARCH)); err != nil {
		t.Fatal(err)
	}
	t.Setenv(asRunner, "1")
	return dir
}

// leaveSettings leaves on the stand-in what a killed run does.
func leaveSettings(t *testing.T) {
	t.Helper()
	path := filepath.Join(os.Getenv("XDG_STATE_HOME"), "harness", "setting.json")
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(`{"boot_id":"x","power_mode":{"id":2,"name":"15W"}}`), 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

// withMeter gives a target a meter at this machine; entry is its name or its lines.
func withMeter(entry string, c power.I2C) string {
	if !strings.HasPrefix(entry, "-") {
		entry = "- {name: " + entry + ", address: nowhere.invalid}\n"
	}
	meter := fmt.Sprintf(", meter: {kind: i2c, bus: %s, address: 0x40, chip: %s, shunt_uohm: %.0f}}\n", c.Bus, c.Chip, c.Rails[0].ShuntUOhm)
	return strings.TrimSuffix(entry, "}\n") + meter
}

func writeInventory(t *testing.T, entries ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "targets.yaml")
	if err := os.WriteFile(path, []byte("targets:\n"+strings.Join(entries, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
