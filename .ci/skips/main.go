// Command skips reads the output of go test -json and fails when a test was
// skipped that expected.txt does not name: a missing data set or board must
// never pass for a tested one.
package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

//go:embed expected.txt
var expected string

type event struct{ Action, Package, Test, Output string }

func main() {
	if err := check(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// check reads events from r. expected.txt holds one regular expression a line,
// matched against "package test".
func check(r io.Reader, w io.Writer) error {
	var allowed []*regexp.Regexp
	for line := range strings.Lines(expected) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		re, err := regexp.Compile("^(?:" + line + ")$")
		if err != nil {
			return fmt.Errorf("reading expected.txt: %w", err)
		}
		allowed = append(allowed, re)
	}
	reason := map[string]string{}
	var passed, failed, skipped, surprising int
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Test == "" {
			continue
		}
		name := e.Package + " " + e.Test
		switch e.Action {
		case "output":
			if text := strings.TrimSpace(e.Output); text != "" && !strings.HasPrefix(text, "---") && !strings.HasPrefix(text, "===") {
				reason[name] = text
			}
		case "pass":
			passed++
		case "fail":
			failed++
			fmt.Fprintf(w, "failed: %s: %s\n", name, reason[name])
		case "skip":
			skipped++
			verdict := "unexpected skip"
			for _, re := range allowed {
				if re.MatchString(name) {
					verdict = "expected skip"
				}
			}
			if verdict == "unexpected skip" {
				surprising++
			}
			fmt.Fprintf(w, "%s: %s: %s\n", verdict, name, reason[name])
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading test events: %w", err)
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed+surprising > 0 {
		return fmt.Errorf("%d failed, %d unexpected skips", failed, surprising)
	}
	return nil
}
