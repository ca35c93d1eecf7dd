package loader

import (
	"testing"
)

func TestShared(t *testing.T) {
	if Shared() == "" {
		t.Skip("no shared data folder: set HARNESS_SHARED")
	}
	for _, n := range []string{"clinc150", "clinc150-small", "banking77", "hwu64", "crosswoz_zh"} {
		s, err := Load(n, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(s.Name, len(s.Labels), len(s.Train), len(s.Val), len(s.Test), s.Hash, s.License)
	}
}
