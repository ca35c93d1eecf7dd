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
		profile.Side{Profiles: []*pprof.Profile{stack(10000, 5000)}, Work: []float64{100}},
		profile.Side{Profiles: []*pprof.Profile{stack(11000, 5000), stack(11000, 5000)}, Work: []float64{100, 100}},
	)
	if err != nil {
		t.Fatal(err)
	}
	top := got.Functions[0]
	if top.Name != module+"/kernels.dotAVX2" || !top.Assembly || top.Layer != module+"/runners/engine.(*Engine).mlp" {
		t.Errorf("the greatest change is %+v", top)
	}
	if top.Delta() != 1e7 || top.Share < 0.0666 || top.Share > 0.0667 || top.Z < 4.44 || top.Z > 4.46 {
		t.Errorf("its size is %g ns, share %g, %g standard errors", top.Delta(), top.Share, top.Z)
	}
	if still := got.Functions[1]; still.Delta() != 0 || still.Z != 0 {
		t.Errorf("what did not change is %+v", still)
	}
	if l := got.Layers[0]; l.Name != module+"/runners/engine.(*Engine).mlp" {
		t.Errorf("the layer is %s", l.Name)
	}
	// A machine whose speed comes and goes makes no function slower.
	noisy, err := d.Compare(
		profile.Side{Profiles: []*pprof.Profile{stack(10000, 5000), stack(13000, 6500)}, Work: []float64{100, 100}},
		profile.Side{Profiles: []*pprof.Profile{stack(12000, 6000), stack(14000, 7000)}, Work: []float64{100, 100}},
	)
	if err != nil {
		t.Fatal(err)
	}
	if z := noisy.Functions[0].Z; !(z > 0.7 && z < 1) {
		t.Errorf("a slow day is %g standard errors of a function", z)
	}
	if _, err := d.Compare(profile.Side{}, profile.Side{}); err == nil {
		t.Error("nothing was compared with nothing")
	}
	if _, err := d.Compare(profile.Side{Profiles: []*pprof.Profile{made(nil)}, Work: []float64{1}}, profile.Side{Profiles: []*pprof.Profile{stack(1, 1)}, Work: []float64{1}}); err == nil {
		t.Error("an empty profile was compared")
	}
}
