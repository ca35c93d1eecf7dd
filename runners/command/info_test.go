package command_test

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/wire"
)

func TestInfo(t *testing.T) {
	status, stdout, stderr := run(t, "info")
	if status != 0 || stderr != "" {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	for _, want := range []string{runtime.GOOS + "/" + runtime.GOARCH, kernels.Active().String(), "cores", "memory", "energy"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	status, stdout, stderr = run(t, "info", "-o", "json")
	if status != 0 || stderr != "" {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	var info wire.InfoResult
	dec := json.NewDecoder(strings.NewReader(stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&info); err != nil {
		t.Fatal(err)
	}
	if info.Env.Arch != runtime.GOARCH || info.Env.ToolVersion == "" || info.Env.Tier != kernels.Active().String() || len(info.Tiers) == 0 {
		t.Errorf("got %+v", info)
	}
	if (info.Energy == "") != (info.EnergyReason != "") {
		t.Errorf("energy %q, reason %q: one of the two", info.Energy, info.EnergyReason)
	}
}
