package remote

import (
	"errors"
	"strings"
)

// Line makes one line for a POSIX shell of an argument vector. SSH and adb carry
// a line, never a vector: this is the only place where one becomes the other. The
// login shell becomes the command, so that the session, its process group and the
// command have one number, by which all of it can be ended.
func Line(argv []string) (string, error) {
	if len(argv) == 0 || argv[0] == "" {
		return "", errors.New("there is no command to run")
	}
	words := make([]string, len(argv))
	for i, a := range argv {
		if strings.IndexByte(a, 0) >= 0 {
			return "", errors.New("an argument holds a zero byte, which no command line can carry")
		}
		words[i] = quote(a)
	}
	return "exec " + strings.Join(words, " "), nil
}

// quote protects one word: in single quotes only the single quote is special.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./,:@%+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
