// Command skips reads the output of go test -json, prints what failed and fails when
// a test was skipped that expected.txt does not name: a missing data set or board must
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

type event struct{ Action, Package, ImportPath, Test, Output string }

// reason is the last line that a test printed, without go test's own.
func reason(output string) (last string) {
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			last = line
		}
	}
	return last
}

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
	output := map[string]string{} // of tests and packages that run
	var passed, failed, skipped, surprising int
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintf(w, "%s\n", lines.Bytes()) // what failed before a test ran
			continue
		}
		name := strings.TrimSpace(e.Package + e.ImportPath + " " + e.Test)
		switch e.Action {
		case "output", "build-output":
			output[name] += e.Output
			continue
		case "fail", "build-fail":
			failed++
			fmt.Fprintf(w, "failed: %s\n%s", name, output[name])
		case "pass":
			if e.Test != "" {
				passed++
			}
		case "skip":
			if e.Test == "" {
				break // a package without tests
			}
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
			fmt.Fprintf(w, "%s: %s: %s\n", verdict, name, reason(output[name]))
		default:
			continue
		}
		delete(output, name)
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
