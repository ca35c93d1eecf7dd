// Command emulate is the only process of an emulated machine: it runs the
// command lines of /commands, each with its environment in front, prints what
// they print and switches the machine off.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Println("EMULATED FAIL", err)
	}
	time.Sleep(2 * time.Second) // the serial line is slow
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println(err)
	}
}

func run() error {
	for name, dir := range map[string]string{"proc": "/proc", "sysfs": "/sys", "devtmpfs": "/dev", "tmpfs": "/tmp"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(name, dir, name, 0, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", dir, err)
		}
	}
	lines, err := os.ReadFile("/commands")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(lines)) {
		words := strings.Fields(line)
		first := 0
		for first < len(words) && strings.Contains(words[first], "=") {
			first++
		}
		if first == len(words) {
			continue
		}
		cmd := exec.Command(words[first], words[first+1:]...)
		cmd.Env = append([]string{"HOME=/tmp", "HARNESS_SHARED=/"}, words[:first]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
		began := time.Now()
		fmt.Println("EMULATED RUN", strings.TrimSpace(line))
		if err := cmd.Run(); err != nil {
			return err
		}
		fmt.Println("EMULATED PASS", time.Since(began).Round(time.Millisecond))
	}
	return nil
}
