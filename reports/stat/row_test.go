package stat

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Exports, the gate and outside scripts address rows by these names; a renamed
// or reordered key breaks every stored baseline.
func TestRowHasPublishedFields(t *testing.T) {
	want := strings.Fields("run cell target board model dataset bits group_size algorithm rank_ratio prune_ratio threshold batch threads tier scenario metric unit value lo hi n verdict warnings time commit")
	if diff := cmp.Diff(want, Columns()); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	var tags []string
	for f := range reflect.TypeFor[Row]().Fields() {
		tags = append(tags, f.Tag.Get("json"))
	}
	if diff := cmp.Diff(want, tags); diff != "" {
		t.Errorf("json tags (-want +got):\n%s", diff)
	}
}

// An unavailable figure must read as null: a zero would be believed.
func TestRowUnavailableIsNull(t *testing.T) {
	r := Row{Metric: "energy_j"}
	r.Set(Interval{Value: math.NaN(), Lo: math.Inf(-1), Hi: 3})
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"value":null`, `"lo":null`, `"hi":3`, `"warnings":[]`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("row %s lacks %s", b, want)
		}
	}
	var back Row
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if back.Available() {
		t.Error("a row without value says it is available")
	}
}
