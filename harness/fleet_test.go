package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/targets/remote"
)

// What setting a target up warns of was lost where no log was given: a board measured in
// the power mode of a killed run, and nobody was told.
func TestTheFleetTellsOfWarnings(t *testing.T) {
	entry, _ := adbStandIn(t, "pixel")
	leaveSettings(t)
	var said bytes.Buffer
	f := &fleet{path: writeInventory(t, entry), finder: remote.Finder{Dir: standInRunner(t)}, log: tellOn(&said)}
	target, err := f.open(t.Context(), "pixel")
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Error(err)
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"warning: a run that was killed left its settings; target pixel; ", `power mode "15W"`, os.Getenv("XDG_STATE_HOME"), "; mend "} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("it says %q, which lacks %q", said.String(), want)
		}
	}
	if (&fleet{}).options().Log == nil {
		t.Error("a fleet without a log keeps warnings to itself")
	}
}
