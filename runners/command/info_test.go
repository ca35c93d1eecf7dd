package command_test

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/board"
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

// The doctor on the controller judges what the runner tells of its board: nothing
// else is known of it there.
func TestInfoTellsTheFacts(t *testing.T) {
	status, stdout, stderr := run(t, "info", "--watch", "20ms", "-o", "json")
	if status != 0 || stderr != "" {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	var info struct {
		wire.InfoResult
		Facts *board.Facts `json:"facts"`
	}
	dec := json.NewDecoder(strings.NewReader(stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&info); err != nil {
		t.Fatal(err)
	}
	f := info.Facts
	if f == nil || f.Background == nil || f.Background.Seconds < 0.02 || f.Cores != info.Env.Cores || string(f.Kind) != info.Env.Kind || len(f.Sensors) == 0 {
		t.Errorf("got %s", stdout)
	}
	if status, _, stderr := run(t, "info", "--watch", "2h"); status == 0 || !strings.Contains(stderr, "use 0 to 1m0s") {
		t.Errorf("exit status %d: %s", status, stderr)
	}
}

// The limits are the yardstick of every figure of bench, so a user must be able
// to look at them.
func TestInfoMeasures(t *testing.T) {
	if testing.Short() {
		t.Skip("reads much memory")
	}
	status, stdout, stderr := run(t, "info", "--measure", "-o", "json")
	if status != 0 || stderr != "" {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	var info struct {
		wire.InfoResult
		Limits       []measure.Ceilings `json:"limits"`
		CoreToCoreNS float64            `json:"core_to_core_ns"`
	}
	dec := json.NewDecoder(strings.NewReader(stdout))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&info); err != nil {
		t.Fatal(err)
	}
	if len(info.Limits) != min(2, runtime.GOMAXPROCS(0)) || info.Env.Tier == "" {
		t.Errorf("got %+v", info)
	}
	for _, l := range info.Limits {
		if l.Read.Best <= 0 || l.Peak(kernels.Active(), kernels.MixInt8) <= 0 {
			t.Errorf("%d threads: %+v", l.Threads, l)
		}
	}
	status, stdout, stderr = run(t, "info", "--measure")
	if status != 0 || stderr != "" || !strings.Contains(stdout, "memory read, ") || !strings.Contains(stdout, kernels.Active().String()+" int8") {
		t.Errorf("exit status %d: %s%s", status, stdout, stderr)
	}
}
