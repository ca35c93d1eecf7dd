package board

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// groupOf names the group that owns a file, "" where it has no name.
func (s Source) groupOf(path string) string {
	info, err := os.Stat(s.path(path))
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	id := strconv.FormatUint(uint64(st.Gid), 10)
	for line := range strings.Lines(string(s.bytes("etc/group"))) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) >= 3 && f[2] == id {
			return f[0]
		}
	}
	return ""
}
