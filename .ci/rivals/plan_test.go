package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A machine that warms up or slows down must not favour one side.
func TestOrderTurnsEveryRound(t *testing.T) {
	for round, want := range [][]int{{0, 1, 2}, {2, 1, 0}, {0, 1, 2}, {2, 1, 0}} {
		if diff := cmp.Diff(want, order(round, 3)); diff != "" {
			t.Errorf("round %d (-want +got):\n%s", round, diff)
		}
	}
	if diff := cmp.Diff([]int{1, 0}, order(1, 2)); diff != "" {
		t.Errorf("two programs are not ABBA (-want +got):\n%s", diff)
	}
}

func TestPlanIsEveryCombination(t *testing.T) {
	work, err := selectTasks([]string{"tg128", "pp128"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range plan([]modelFile{{Name: "a"}, {Name: "b"}}, []int{2, 1}, work) {
		got = append(got, c.Model.Name+" "+string(rune('0'+c.Threads))+" "+c.Task.ID)
	}
	want := []string{"a 2 tg128", "a 2 pp128", "a 1 tg128", "a 1 pp128", "b 2 tg128", "b 2 pp128", "b 1 tg128", "b 1 pp128"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := selectTasks([]string{"pp12"}); err == nil || !strings.Contains(err.Error(), "pp1024") {
		t.Errorf("a wrong task got %v, want the list of tasks", err)
	}
}
