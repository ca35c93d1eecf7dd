package remote

import (
	"os/exec"
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzLine compares our quoting with a real shell.
func FuzzLine(f *testing.F) {
	for _, s := range []string{"", "a b", "it's", "$(id)", "-n", "\\", "é\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line, err := Line([]string{"/usr/bin/printf", "%s", s})
		if err != nil {
			if !strings.Contains(s, "\x00") {
				t.Errorf("%q is refused: %v", s, err)
			}
			return
		}
		out, err := exec.Command("sh", "-c", line).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q comes out of the shell as %q (%v)", s, out, err)
		}
	})
}

func FuzzFacts(f *testing.F) {
	f.Add("motd\nharness-probe:cache=/home/pi/.cache/harness\nharness-probe:uname=Linux aarch64\nharness-probe:boot=1-2\n")
	f.Fuzz(func(t *testing.T, s string) {
		facts, err := parseFacts(s)
		if err == nil && (!path.IsAbs(facts.Cache) || path.Clean(facts.Cache) != facts.Cache || facts.GOARCH == "") {
			t.Errorf("%q gives %+v", s, facts)
		}
		if err != nil && !utf8.ValidString(err.Error()) {
			t.Errorf("the error holds what is no text: %q", err)
		}
	})
}

func FuzzListing(f *testing.F) {
	f.Add("81a4 12 1700000000 ./a b\n41ed 4096 1700000000 ./dir\n")
	f.Fuzz(func(t *testing.T, s string) {
		entries, err := parseListing(s)
		for _, e := range entries {
			if err == nil && (strings.Contains(e.Name, "/") || e.Name == ".." || e.SizeBytes < 0) {
				t.Errorf("%q gives %+v", s, e)
			}
		}
	})
}

func FuzzFree(f *testing.F) {
	f.Add("Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/mmcblk0p2 30000000 1000000 28000000 4% /\n")
	f.Add("Filesystem 1K-blocks Used Available Use% Mounted on\n/a b c 1 2 3 4% /x y\n")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseFree(s); err == nil && n < 0 {
			t.Errorf("%q gives %d", s, n)
		}
	})
}

func FuzzHashes(f *testing.F) {
	f.Add(strings.Repeat("0a", 32)+"  /x\n", 1)
	f.Fuzz(func(t *testing.T, s string, n int) {
		all, err := parseHashes(s, n)
		if err == nil && len(all) != n {
			t.Errorf("%q gives %v", s, all)
		}
	})
}

func FuzzName(f *testing.F) {
	f.Add(strings.Repeat("a", 64) + ".0badcafe-12.part")
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := parseName(s); ok && (len(n.hash) != 64 || strings.Contains(s, "/")) {
			t.Errorf("%q gives %+v", s, n)
		}
	})
}

// FuzzMatch: any text in the SSH configuration gives a configuration or an error.
func FuzzMatch(f *testing.F) {
	f.Add("Match exec \"x\"\n User a\nHost b\n  Port 1\n")
	f.Fuzz(func(t *testing.T, s string) {
		rest, _ := withoutMatch([]byte(s))
		if strings.Count(string(rest), "\n") != strings.Count(s, "\n") && strings.HasSuffix(s, "\n") {
			t.Errorf("%q loses lines: %q", s, rest)
		}
	})
}
