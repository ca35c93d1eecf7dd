package virtual

import (
	"embed"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Marker is the file of a board's userland that says that nothing behind it is
// hardware: energy read below the same root is simulated, latency emulated.
const Marker = "/etc/harness-virtual"

//go:embed userland host
var scripts embed.FS

// commands are the scripts of each kind beside busybox's.
var commands = map[string][]string{
	"pi5":       {"sudo", "vcgencmd"},
	"pi4":       {"sudo", "vcgencmd"},
	"orin-nano": {"sudo", "nvpmodel", "jetson_clocks"},
	"agx-orin":  {"sudo", "nvpmodel", "jetson_clocks"},
	"rb3gen2":   {"sudo"},
	"phone":     {"getprop", "dumpsys", "termux-battery-status"},
}

// applets are the names under which busybox stands in /bin.
var applets = strings.Fields(`ash awk base64 basename cat chmod chown cp cut date dd df dirname du echo env
	expr false find free grep gunzip gzip head hostname id kill killall ln ls md5sum mkdir mkfifo mktemp
	mv nohup nproc od pgrep pidof pkill printenv printf ps pwd readlink realpath rm rmdir sed seq setsid sh
	sha256sum sleep sort stat sync tail tar tee test time timeout top touch tr true tty uname uniq uptime
	wc which whoami xargs yes zcat [`)

// userland writes the root file system that logins see, below root. shell is a
// static busybox of the board's architecture.
func (s spec) userland(root, shell, name string, uid int) error {
	for _, dir := range []string{"bin", "dev/shm", "dev/pts", "etc", "proc", "run/board", "run/sshd", "sys", "usr/bin", "var/lib/nvpmodel", hosted, s.home} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return fmt.Errorf("making a board's userland: %w", err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "tmp"), 0o777); err != nil {
		return fmt.Errorf("making a board's userland: %w", err)
	}
	for dir, mode := range map[string]os.FileMode{"tmp": 0o777 | os.ModeSticky, s.home: 0o750} {
		if err := os.Chmod(filepath.Join(root, dir), mode); err != nil {
			return fmt.Errorf("making a board's userland: %w", err)
		}
	}
	if err := os.Chown(filepath.Join(root, s.home), uid, uid); err != nil {
		return fmt.Errorf("giving a board's user the home directory: %w", err)
	}
	box, err := os.ReadFile(shell)
	if err != nil {
		return fmt.Errorf("reading the board's shell: %w", err)
	}
	if err := writeFile(filepath.Join(root, "bin/busybox"), string(box), 0o755); err != nil {
		return err
	}
	for _, a := range applets {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", a)); err != nil {
			return fmt.Errorf("making a board's userland: %w", err)
		}
	}
	for _, d := range devices {
		if path.Base(d) == "pts" {
			continue // a directory
		}
		// A place is needed for what will be shown there.
		if err := writeFile(filepath.Join(root, d), "", 0o666); err != nil {
			return err
		}
	}
	// The host's own programs find their libraries where they expect them.
	for _, dir := range []string{"lib", "lib64"} {
		if err := os.Symlink(hosted+"/"+dir, filepath.Join(root, dir)); err != nil {
			return fmt.Errorf("making a board's userland: %w", err)
		}
	}
	for _, c := range commands[s.kind] {
		if err := writeScript("userland/"+c, filepath.Join(root, "usr/bin", c)); err != nil {
			return err
		}
	}
	for file, text := range s.etc(name, uid) {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(file, "var/") {
			mode = 0o666 // what sudo may write on a board
		}
		if err := writeFile(filepath.Join(root, file), text, mode); err != nil {
			return err
		}
	}
	return nil
}

// etc are the userland's text files.
func (s spec) etc(name string, uid int) map[string]string {
	texts := map[string]string{
		Marker: "kind: " + s.kind + "\nenergy: simulated\nlatency: emulated\n",
		// The SSH server runs the login's shell itself, which is one of the host's.
		"etc/passwd": fmt.Sprintf("root:*:0:0:root:/:%[1]s/bin/sh\nsshd:*:%[2]d:%[2]d::/run/sshd:%[1]s/bin/false\n%[3]s:*:%[4]d:%[4]d::%[5]s:%[1]s/bin/sh\n",
			hosted, serverUID, s.user, uid, s.home),
		"etc/group":      fmt.Sprintf("root:x:0:\n%s:x:%d:\n", s.user, uid),
		"etc/hostname":   name + "\n",
		"etc/os-release": "ID=virtual\nPRETTY_NAME=\"Virtual " + s.kind + "\"\n",
	}
	if len(s.modes) > 0 {
		var table strings.Builder
		for id, m := range s.modes {
			fmt.Fprintf(&table, "< POWER_MODEL ID=%d NAME=%s >\n", id, m.name)
		}
		texts["etc/nvpmodel.conf"] = table.String()
		texts["var/lib/nvpmodel/status"] = fmt.Sprintf("pmode:%04d\n", s.firstMode())
		texts["etc/nv_tegra_release"] = "# R36 (release), REVISION: 4.3, GCID: 0, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC 2025\n"
	}
	if s.props != "" {
		texts["etc/properties"] = s.props
	}
	return texts
}

// firstMode is the mode without a limit on the clocks.
func (s spec) firstMode() int {
	for id, m := range s.modes {
		if m.share == 1 {
			return id
		}
	}
	return 0
}

func writeScript(name, to string) error {
	text, err := scripts.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading an embedded script: %w", err)
	}
	return writeFile(to, string(text), 0o755)
}

// devices are the host's that a board has too.
var devices = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts"}

// hosted is where a board in namespaces sees the host's files.
const hosted = "/.host"

// words are the beginnings of the command lines that logins and SFTP run. A
// shell gets a clean environment and proot, which puts the emulator before every
// program and the board's files in place of the kernel's. The SFTP server is of
// the host's architecture and does without.
func (b *Board) words(t tools) (shell, sftp []string) {
	host, root := hosted, "/"
	if !b.Isolated {
		host, root = "", b.place.root()
	}
	s := b.spec
	shell = []string{
		host + t.env, "-i", "PROOT_TMP_DIR=" + host + b.place.scratch(), "QEMU_CPU=" + s.qemu, "QEMU_UNAME=" + s.kernel,
		"HOME=" + s.home, "USER=" + s.user, "LOGNAME=" + s.user, "SHELL=/bin/sh", "TERM=dumb", "TMPDIR=/tmp",
		"PATH=/usr/local/bin:/usr/bin:/bin", host + t.proot, "-r", root, "-w", s.home,
	}
	if t.qemu != "" {
		shell = append(shell, "-q", host+t.qemu)
	}
	for _, name := range []string{
		"cpuinfo", "cmdline", "device-tree", "loadavg", "meminfo", "pressure", "stat", "swaps", "sys/kernel/osrelease", "sys/kernel/random/boot_id", "uptime", "version", "vmstat",
	} {
		shell = append(shell, "-b", host+b.place.tree(path.Join("proc", name))+":/proc/"+name)
	}
	if !b.Isolated { // elsewhere these are mounted
		shell = append(shell, "-b", "/proc", "-b", b.place.tree("sys")+":/sys", "-b", b.place.tree("run")+":/run/board", "-b", s.home)
		for _, d := range devices {
			shell = append(shell, "-b", d)
		}
	}
	return append(shell, "/bin/busybox", "sh"), []string{host + t.sftp}
}

// place is where a board's files are.
type place struct{ dir string }

func (p place) root() string            { return filepath.Join(p.dir, "root") }
func (p place) board() string           { return filepath.Join(p.dir, "board") }
func (p place) tree(part string) string { return filepath.Join(p.board(), part) }
func (p place) stage() string           { return filepath.Join(p.dir, "stage") }
func (p place) host(name string) string { return filepath.Join(p.dir, "host", name) }
func (p place) home() string            { return filepath.Join(p.dir, "home") }
func (p place) scratch() string         { return filepath.Join(p.dir, "scratch") }
