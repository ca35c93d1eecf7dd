package virtual

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// tools are the host's programs that a board is made of.
type tools struct {
	sshd, sftp, proot, env string
	qemu                   string // empty on a host of the boards' architecture
	shell                  string // static busybox of the boards' architecture
}

// packages are Debian's, by program.
var packages = map[string]string{
	"sshd": "openssh-server", "sftp-server": "openssh-sftp-server", "proot": "proot",
	"qemu-aarch64-static": "qemu-user-static", "env": "coreutils",
}

// findTools looks the programs up. The error names all that are missing and the
// command that installs them.
func findTools(ctx context.Context, shell string) (tools, error) {
	if runtime.GOOS != "linux" {
		return tools{}, fmt.Errorf("virtual boards need Linux: this is %s", runtime.GOOS)
	}
	var t tools
	var missing []string
	find := func(to *string, program string, dirs ...string) {
		path, err := exec.LookPath(program)
		for _, dir := range dirs {
			if err != nil {
				path, err = exec.LookPath(filepath.Join(dir, program))
			}
		}
		if err != nil {
			missing = append(missing, packages[program])
		}
		*to = path
	}
	find(&t.sshd, "sshd", "/usr/sbin", "/usr/local/sbin")
	find(&t.sftp, "sftp-server", "/usr/lib/openssh", "/usr/libexec/openssh", "/usr/lib/ssh")
	find(&t.proot, "proot")
	find(&t.env, "env")
	if runtime.GOARCH != "arm64" {
		find(&t.qemu, "qemu-aarch64-static")
	}
	if len(missing) > 0 {
		return tools{}, fmt.Errorf("virtual boards need programs that are not here: sudo apt-get install --no-install-recommends %s", strings.Join(missing, " "))
	}
	var err error
	if t.shell, err = findShell(ctx, shell); err != nil {
		return tools{}, err
	}
	return t, nil
}

// Shell is the variable that names a static arm64 busybox.
const Shell = "HARNESS_BUSYBOX_ARM64"

// findShell finds a static arm64 busybox: the given one, the one that the
// environment names, the one in the cache, or Debian's, fetched into the cache by
// apt-get, which checks its signature. Nothing is installed.
func findShell(ctx context.Context, given string) (string, error) {
	for _, path := range []string{given, os.Getenv(Shell)} {
		if path != "" {
			return path, checkShell(path)
		}
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache for the boards' shell: %w; or name a static arm64 busybox in %s", err, Shell)
	}
	dir := filepath.Join(base, "harness", "virtual")
	path := filepath.Join(dir, "busybox-arm64")
	if checkShell(path) == nil {
		return path, nil
	}
	if err := fetchShell(ctx, dir, path); err != nil {
		return "", fmt.Errorf("fetching the boards' shell, Debian's busybox-static for arm64: %w; or name a static arm64 busybox in %s", err, Shell)
	}
	return path, checkShell(path)
}

// checkShell refuses what would not run on a board.
func checkShell(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("reading the boards' shell: %w", err)
	}
	defer f.Close()
	if f.Machine != elf.EM_AARCH64 {
		return fmt.Errorf("the boards' shell %s is for %s: an arm64 one is needed", path, f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("the boards' shell %s needs shared libraries: use a static one (Debian's busybox-static)", path)
		}
	}
	return nil
}

// fetchShell downloads and unpacks the package below dir, with package lists of
// its own so that the host's architectures stay as they are.
func fetchShell(ctx context.Context, dir, to string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(work, d), 0o755); err != nil {
			return err
		}
	}
	options := []string{
		"-q", "-o", "APT::Architecture=arm64", "-o", "APT::Architectures::=arm64", "-o", "Dir::State::Lists=" + filepath.Join(work, "lists"),
		"-o", "Dir::Cache=" + filepath.Join(work, "cache"), "-o", "Dir::State::status=/dev/null", "-o", "Acquire::Languages=none",
		"-o", "APT::Sandbox::User=",
	}
	if err := run(ctx, work, append(append([]string{"apt-get"}, options...), "update")...); err != nil {
		return err
	}
	if err := run(ctx, work, append(append([]string{"apt-get"}, options...), "download", "busybox-static:arm64")...); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(debs) != 1 {
		return errors.New("apt-get left no package")
	}
	if err := run(ctx, work, "dpkg-deb", "--extract", debs[0], filepath.Join(work, "files")); err != nil {
		return err
	}
	for _, name := range []string{"bin/busybox", "usr/bin/busybox"} {
		if err = os.Rename(filepath.Join(work, "files", name), to); err == nil {
			return nil
		}
	}
	return err
}

// run runs a command in a directory. Its error ends with the last of what the
// command said.
func run(ctx context.Context, dir string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		said := bytes.TrimSpace(out.Bytes())
		return fmt.Errorf("%s: %w: %s", argv[0], err, said[max(0, len(said)-500):])
	}
	return nil
}
