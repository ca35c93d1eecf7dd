package profile_test

import (
	"testing"

	pprof "github.com/google/pprof/profile"

	"github.com/seed-c6f48606/harness/reports/profile"
)

// A reader of a regression is sent to the function that is named: it must be the one
// whose own time grew, not the caller nor one that was large before.
func TestDiffNamesWhatGrew(t *testing.T) {
	stack := func(dot, other int64) *pprof.Profile {
		return made(map[string]int64{
			module + "/runners/engine.(*Engine).Forward;" + module + "/runners/engine.(*Engine).mlp;" + module + "/kernels.dotAVX2": dot,
			module + "/runners/engine.(*Engine).Forward;" + module + "/runners/engine.(*Engine).attend;" + module + "/kernels.soft": other,
		})
	}
	d := profile.Differ{Module: module, Layers: module + "/runners/engine."}
	// Twice the work on the second side: times are a unit of it.
	got, err := d.Compare(
		profile.Side{Profiles: []*pprof.Profile{stack(10000, 5000)}, Work: 100},
		profile.Side{Profiles: []*pprof.Profile{stack(11000, 5000), stack(11000, 5000)}, Work: 200},
	)
	if err != nil {
		t.Fatal(err)
	}
	top := got.Functions[0]
	if top.Name != module+"/kernels.dotAVX2" || !top.Assembly || top.Layer != module+"/runners/engine.(*Engine).mlp" {
		t.Errorf("the greatest change is %+v", top)
	}
	if top.Delta() != 1e7 || top.Share < 0.0666 || top.Share > 0.0667 || top.Z < 2.53 || top.Z > 2.55 {
		t.Errorf("its size is %g ns, share %g, %g standard errors", top.Delta(), top.Share, top.Z)
	}
	if still := got.Functions[1]; still.Delta() != 0 || still.Z != 0 {
		t.Errorf("what did not change is %+v", still)
	}
	if l := got.Layers[0]; l.Name != module+"/runners/engine.(*Engine).mlp" {
		t.Errorf("the layer is %s", l.Name)
	}
	if _, err := d.Compare(profile.Side{}, profile.Side{}); err == nil {
		t.Error("nothing was compared with nothing")
	}
	if _, err := d.Compare(profile.Side{Profiles: []*pprof.Profile{made(nil)}, Work: 1}, profile.Side{Profiles: []*pprof.Profile{stack(1, 1)}, Work: 1}); err == nil {
		t.Error("an empty profile was compared")
	}
}
