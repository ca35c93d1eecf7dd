package remote

import (
	"context"
	"path"
	"regexp"
	"strings"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// Facts are what deployment needs to know of a target.
type Facts struct {
	OS      string // as uname -s says: Linux
	Machine string // as uname -m says: aarch64
	GOOS    string // linux
	GOARCH  string // arm64, amd64, riscv64
	Android bool
	Cache   string // the folder of our files, absolute
	BootID  string // changes with every boot; empty where the target hides it
	Hashes  bool   // sha256sum is there
}

// runFolder holds the notes of processes, in the cache folder.
const runFolder = "run"

// probeScript says what a target is, in lines that a chatty login cannot be
// taken for, and makes the cache folder.
const probeScript = `c=$1
if [ -z "$c" ]; then
  c=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/harness
  mkdir -p "$c/run" 2>/dev/null || c=/data/local/tmp/harness
fi
mkdir -p "$c/run" || exit 1
cd "$c" || exit 1
b=; read -r b < /proc/sys/kernel/random/boot_id
s=no; command -v sha256sum >/dev/null 2>&1 && s=yes
a=no; [ -x /system/bin/getprop ] && a=yes
printf 'harness-probe:%s\n' "cache=$(pwd -P)" "uname=$(uname -sm)" "boot=$b" "hashes=$s" "android=$a"`

// probe asks a target what it is.
func (h *Host) probe(ctx context.Context) (Facts, error) {
	out, err := h.Output(ctx, []string{"sh", "-c", probeScript, "harness", h.Target.CacheDir})
	if err != nil {
		if Lost(err) || ctx.Err() != nil {
			return Facts{}, err
		}
		return Facts{}, targetFault("", "asking %s what it is: %w", h.Target.Name, err)
	}
	f, err := parseFacts(string(out))
	if err != nil {
		return Facts{}, targetFault("", "asking %s what it is: %w", h.Target.Name, err)
	}
	return f, nil
}

var (
	bootLike = regexp.MustCompile(`^[0-9a-f-]{1,64}$`)
	unameOne = regexp.MustCompile(`^[A-Za-z0-9_.+-]{1,64}$`)
)

// parseFacts reads the answer to probeScript among whatever the login says.
func parseFacts(out string) (Facts, error) {
	var f Facts
	for line := range strings.Lines(out) {
		rest, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "harness-probe:")
		if !ok {
			continue
		}
		key, value, _ := strings.Cut(rest, "=")
		switch key {
		case "cache":
			if !path.IsAbs(value) || path.Clean(value) != value || value == "/" || len(value) > 512 || strings.ContainsFunc(value, control) {
				return Facts{}, targetFault("set cache_dir", "its cache folder is %s, which must be an absolute path", short(value))
			}
			f.Cache = value
		case "uname":
			f.OS, f.Machine, _ = strings.Cut(value, " ")
			if !unameOne.MatchString(f.OS) || !unameOne.MatchString(f.Machine) {
				return Facts{}, targetFault("", "uname says %s", short(value))
			}
		case "boot":
			if bootLike.MatchString(value) {
				f.BootID = value
			}
		case "hashes":
			f.Hashes = value == "yes"
		case "android":
			f.Android = value == "yes"
		}
	}
	if f.Cache == "" || f.OS == "" {
		return Facts{}, targetFault("does its login run a POSIX shell? ssh HOST true must succeed", "it answers %s", short(out))
	}
	return f, f.platform()
}

// platform chooses the runner. A 64-bit kernel runs a static 64-bit program under
// a 32-bit userland too, as Raspberry Pi OS has it.
func (f *Facts) platform() error {
	if f.OS != "Linux" {
		return fault(wire.Unsupported, "a target needs Linux or Android", "its system is %s", f.OS)
	}
	f.GOOS = "linux"
	switch f.Machine {
	case "aarch64", "arm64":
		f.GOARCH = "arm64"
	case "x86_64", "amd64":
		f.GOARCH = "amd64"
	case "riscv64":
		f.GOARCH = "riscv64"
	case "armv6l", "armv7l", "armv8l", "i386", "i686":
		return fault(wire.Unsupported, "install a 64-bit system", "its kernel is 32-bit (%s)", f.Machine)
	default:
		return fault(wire.Unsupported, "known are aarch64, x86_64 and riscv64", "its processor is %s", f.Machine)
	}
	return nil
}
