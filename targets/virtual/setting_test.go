package virtual

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/seed-c6f48606/harness/targets/board"
	"github.com/seed-c6f48606/harness/targets/remote"
)

// shell runs commands on a board for settings.
type shell struct{ c *ssh.Client }

func (x shell) Run(_ context.Context, argv []string, stdin []byte) ([]byte, error) {
	line, err := remote.Line(argv)
	if err != nil {
		return nil, err
	}
	s, err := x.c.NewSession()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	s.Stdin = bytes.NewReader(stdin)
	return s.Output(line)
}

// Who allows locked clocks in the inventory could use no virtual Jetson.
func TestAJetsonsClocksAreLockedAndPutBack(t *testing.T) {
	b := start(t, Options{Kind: "orin-nano"})
	c := dial(t, b)
	const governors = "cat /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
	sh(t, c, "for f in /sys/devices/system/cpu/cpufreq/policy*/scaling_governor; do echo schedutil >$f; done")
	found := sh(t, c, governors)
	if err := (board.Setting{Clocks: true, Sudo: []string{board.SudoClocks}}).Apply(t.Context(), shell{c}); err != nil {
		t.Fatal(err)
	}
	if got := sh(t, c, governors); got != "performance\nperformance" {
		t.Errorf("locked, the governors are %q", got)
	}
	if left, err := board.Restore(t.Context(), shell{c}); !left || err != nil {
		t.Errorf("putting back: %v, %v", left, err)
	}
	if got := sh(t, c, governors); got != found {
		t.Errorf("the governors were %q and are %q", found, got)
	}
	if got := sh(t, c, "jetson_clocks --show | head -n 1"); !strings.Contains(got, "Governor=schedutil") {
		t.Errorf("jetson_clocks --show says %q", got)
	}
}
