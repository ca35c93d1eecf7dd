//go:build e2e

package main

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// lookScript lists a board's processes and files.
const lookScript = `for d in /proc/[0-9]*; do [ ! -r "$d/cmdline" ] || { printf 'process '; tr '\0' ' ' <"$d/cmdline"; echo; }; done
find "$HOME" /tmp -type f | while read -r f; do echo "file $f"; done`

// look lists what is on the board, over a connection that no sweep knows of.
func (b *trialBoard) look(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(b.board.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	host, _, _, _, err := ssh.ParseAuthorizedKey([]byte(b.board.HostKeyNow()))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ssh.Dial("tcp", b.board.Endpoint(), &ssh.ClientConfig{
		User: b.board.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(host), Timeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatalf("looking at %s: %v", b.name, err)
	}
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		t.Fatalf("looking at %s: %v", b.name, err)
	}
	defer s.Close()
	out, err := s.CombinedOutput(lookScript)
	if err != nil {
		t.Fatalf("looking at %s: %v: %s", b.name, err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// deployed are the names that stay on a board for the next time.
var deployed = regexp.MustCompile(`^[0-9a-f]{64}(/[^.][^/]*|\.[0-9a-f]{8}-[0-9]+\.use)?$`)

// emulated are the temporary files of the emulation itself.
var emulated = regexp.MustCompile(`^file /tmp/prooted-`)

// left is what is on the board and neither was at first nor is to stay.
func (b *trialBoard) left(now []string) []string {
	before := slices.Clone(b.before)
	return slices.DeleteFunc(now, func(line string) bool {
		if i := slices.Index(before, line); i >= 0 {
			before = slices.Delete(before, i, i+1)
			return true
		}
		if emulated.MatchString(line) {
			return true
		}
		file, ok := strings.CutPrefix(line, "file "+path.Join(b.board.Home, ".cache/harness")+"/")
		return ok && deployed.MatchString(file)
	})
}

// clean fails unless the sweep left nothing on the board but what it deployed, and
// says so for the table. A process may take a moment to end.
func (b *trialBoard) clean(t *testing.T) string {
	t.Helper()
	var left []string
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(500 * time.Millisecond) {
		if left = b.left(b.look(t)); len(left) == 0 {
			return "clean"
		}
		if time.Now().After(until) {
			break
		}
	}
	t.Errorf("%s: left on the board:\n%s", b.name, strings.Join(left, "\n"))
	return fmt.Sprintf("%d things left", len(left))
}

// told are the events that a reader of the run is told, by code.
var told = map[string]string{
	"target-away": "waited for it", "target-unready": "waited until it could be begun", "target-rebooted": "its reboot noticed", "target-lost": "given up, then resumed",
}

// line is the board's in the table.
func (b *trialBoard) line(row faultRow, slots [][]store.Trial, events []store.Event, clean string) string {
	hit := b.hit(slots)
	var lists, whys, redone []string
	again := 0
	for _, tries := range slots {
		var verdicts []string
		for _, x := range tries {
			text := string(x.Result.Verdict)
			if hit != nil && hit.ID == x.ID {
				text = "**" + text + "**"
			}
			verdicts = append(verdicts, text)
			if x.Result.Verdict != wire.Valid {
				whys = append(whys, cellText(x.Result.Reason))
			}
		}
		again += len(tries) - 1
		lists = append(lists, strings.Join(verdicts, ", "))
	}
	switch again {
	case 0:
		redone = append(redone, "nothing")
	case 1:
		redone = append(redone, "1 trial")
	default:
		redone = append(redone, fmt.Sprintf("%d trials", again))
	}
	for _, e := range events {
		if text := told[e.Code]; text != "" && e.Target == b.name && !slices.Contains(redone, text) {
			redone = append(redone, text)
		}
	}
	cells := []string{row.faults, b.phase, row.kind, strings.Join(lists, "; "), strings.Join(slices.Compact(whys), "; "), strings.Join(redone, ", "), clean}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

var addresses = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+(:[0-9]+)?|(/[^ /:"]+){3,}|[0-9a-f]{12,}`)

// cellText is a reason short enough for a cell, without what differs by machine.
func cellText(reason string) string {
	text := strings.ReplaceAll(addresses.ReplaceAllString(reason, "…"), "|", "/")
	if r := []rune(text); len(r) > 160 {
		text = string(r[:159]) + "…"
	}
	return text
}
