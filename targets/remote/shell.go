package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
	"time"
)

// Scripts for a POSIX shell. They are constants; what varies comes in as
// arguments.
const (
	listScript = `cd "$1" 2>/dev/null || exit 44
for f in * .[!.]*; do
  if [ -e "$f" ] || [ -L "$f" ]; then stat -c '%f %s %Y %n' "./$f" || exit 45; fi
done`
	writeScript = `mkdir -p "$1" || exit 1
if [ "$3" -eq 0 ]; then exec cat > "$2"; fi
dd if=/dev/null of="$2" bs=1 seek="$3" 2>/dev/null || exit 1
exec cat >> "$2"`
	moveScript = `if [ "$3" != 0 ]; then chmod "$3" "$1" || exit 1; fi
[ "$1" != "$2" ] || exit 0
exec mv -f "$1" "$2"`
)

// noFolder is the exit status by which listScript tells that there is none.
const noFolder = 44

// shellFiles is files by commands, for targets without SFTP.
type shellFiles struct {
	name string
	link transport
}

// run runs a script of ours with arguments and returns its output.
func (s *shellFiles) run(ctx context.Context, limit int64, script string, args ...string) ([]byte, error) {
	return s.exec(ctx, limit, append([]string{"sh", "-c", script, "harness"}, args...)...)
}

func (s *shellFiles) exec(ctx context.Context, limit int64, argv ...string) ([]byte, error) {
	c, err := s.link.start(ctx, argv, hooks{})
	if err != nil {
		return nil, err
	}
	return collect(c, limit)
}

func (s *shellFiles) List(ctx context.Context, dir string) ([]entry, error) {
	out, err := s.run(ctx, maxListing, listScript, dir)
	var exit *ExitError
	if errors.As(err, &exit) && exit.Status == noFolder {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, s.fault("listing "+dir, err)
	}
	return parseListing(string(out))
}

// parseListing reads lines of listScript: mode in hex, bytes, seconds, name.
func parseListing(out string) ([]entry, error) {
	var all []entry
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		f := strings.SplitN(line, " ", 4)
		if len(f) != 4 {
			return nil, targetFault("", "the target lists files as %s", short(line))
		}
		mode, err1 := strconv.ParseUint(f[0], 16, 32)
		size, err2 := strconv.ParseInt(f[1], 10, 64)
		sec, err3 := strconv.ParseInt(f[2], 10, 64)
		if err := errors.Join(err1, err2, err3); err != nil || size < 0 {
			return nil, targetFault("", "the target lists files as %s", short(line))
		}
		name := strings.TrimPrefix(f[3], "./")
		if err := checkName(name); err != nil {
			return nil, err
		}
		if len(all) >= maxEntries {
			return nil, targetFault("remove what is not the harness's", "the target lists more than %d files", maxEntries)
		}
		const typeMask, folder = 0o170000, 0o040000
		all = append(all, entry{name, size, mode&typeMask == folder, time.Unix(sec, 0)})
	}
	return all, nil
}

func (s *shellFiles) Write(ctx context.Context, file string, offset int64, r io.Reader) error {
	c, err := s.link.start(ctx, []string{"sh", "-c", writeScript, "harness", path.Dir(file), file, strconv.FormatInt(offset, 10)}, hooks{})
	if err != nil {
		return err
	}
	_, sendErr := io.Copy(c.Stdin, r)
	if sendErr != nil && ctx.Err() != nil {
		// A closed stream would look like the end of the file.
		c.Kill()
	}
	_, err = collect(c, maxOutput)
	if err == nil {
		err = sendErr
	}
	return s.fault("writing "+file, err)
}

func (s *shellFiles) Move(ctx context.Context, from, to string, mode fs.FileMode) error {
	_, err := s.run(ctx, maxOutput, moveScript, from, to, strconv.FormatUint(uint64(mode.Perm()), 8))
	return s.fault("placing "+to, err)
}

func (s *shellFiles) Remove(ctx context.Context, file string) error {
	_, err := s.exec(ctx, maxOutput, "rm", "-rf", file)
	return s.fault("removing "+file, err)
}

func (s *shellFiles) Free(ctx context.Context, dir string) (int64, error) {
	out, err := s.exec(ctx, maxOutput, "df", "-Pk", dir)
	if err != nil {
		return 0, s.fault("asking for space in "+dir, err)
	}
	n, err := parseFree(string(out))
	return n, s.fault("asking for space in "+dir, err)
}

// parseFree reads POSIX df -Pk: the fourth column of the last line in KiB.
func parseFree(out string) (int64, error) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	f := strings.Fields(lines[len(lines)-1])
	if len(lines) >= 2 && len(f) >= 6 {
		// The device's name may hold spaces: count from the percent sign back.
		for i := len(f) - 2; i >= 4; i-- {
			if !strings.HasSuffix(f[i], "%") {
				continue
			}
			if kib, err := strconv.ParseInt(f[i-1], 10, 64); err == nil && kib >= 0 {
				return min(kib, math.MaxInt64/1024) * 1024, nil
			}
		}
	}
	return 0, targetFault("", "df says %s", short(out))
}

func (s *shellFiles) fault(what string, err error) error {
	var exit *ExitError
	if errors.As(err, &exit) {
		return targetFault("", "%s on %s: %w", what, s.name, exit)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
