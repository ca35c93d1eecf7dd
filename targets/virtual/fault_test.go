package virtual

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A fault that is misread tests something else than the user asked for.
func TestFaultsAreReadAsWritten(t *testing.T) {
	got, err := ParseFaults("throttle@10s, linkdown@20s+3s,undervolt,reboot+500ms")
	if err != nil {
		t.Fatal(err)
	}
	want := []Fault{
		{Throttle, 10 * time.Second, 0}, {LinkDown, 20 * time.Second, 3 * time.Second}, {Undervolt, 0, 0}, {Reboot, 0, 500 * time.Millisecond},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if none, err := ParseFaults(" "); none != nil || err != nil {
		t.Errorf("an empty list: %v, %v", none, err)
	}
}

func TestBadFaultsAreRefusedWithTheWayOut(t *testing.T) {
	for list, want := range map[string]string{
		"fire":           "use one of throttle, linkdown",
		"throttle,":      "fault 2",
		"throttle@":      `time ""`,
		"throttle@-1s":   "at most 24h",
		"throttle@25h":   "at most 24h",
		"throttle+0s":    "leave it out",
		"oom+2s":         "takes no length",
		"throttle@1s@2s": "use one like 10s",
		"gap" + strings.Repeat(",gap", faultsMax): "more than 64",
	} {
		if _, err := ParseFaults(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q in it", list, err, want)
		}
	}
}

func FuzzParseFaults(f *testing.F) {
	f.Add("throttle@10s,linkdown@20s+3s,undervolt")
	f.Add("oom,,clockjump+1h")
	f.Fuzz(func(t *testing.T, list string) {
		faults, err := ParseFaults(list)
		if err != nil {
			return
		}
		if len(faults) > faultsMax {
			t.Fatalf("%d faults", len(faults))
		}
		var words []string
		for _, f := range faults {
			words = append(words, f.String())
		}
		again, err := ParseFaults(strings.Join(words, ","))
		if diff := cmp.Diff(faults, again); err != nil || diff != "" {
			t.Errorf("%q read again: %v\n%s", words, err, diff)
		}
	})
}

func FuzzParseProcess(f *testing.F) {
	f.Add([]byte("12 (a) b) (c)) S 3 12 12 0 -1 0 0 0 0 0 100 23 0 0 20 0 1 0 4567 1000 250 18446744073709551615"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := parseProcess(text); err == nil && p.name == "" && len(text) == 0 {
			t.Error("nothing became a process")
		}
	})
}

func TestAProcessIsReadPastItsName(t *testing.T) {
	got, err := parseProcess([]byte("12 (a) b) (c) S 3 12 12 0 -1 0 0 0 0 0 100 23 0 0 20 0 1 0 4567 1000 250 1"))
	want := process{pid: 12, parent: 3, name: "a) b) (c", ticks: 123, start: 4567, pages: 250}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(process{})); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// emptied is a site whose processes have ended when they are to be killed.
type emptied struct{ site }

func (emptied) fault(context.Context, siteFault) error { return unix.ESRCH }

// A process that ends just before the kernel would have killed it is no failure of the
// board: the kernel looks for another.
func TestAVictimThatIsGoneIsNotKilled(t *testing.T) {
	b := &Board{model: newModel(pi4, 1), site: emptied{}}
	begun, err := b.begin(t.Context(), Fault{Kind: OutOfMem}, []process{{pid: 93, name: "sha256sum", pages: 5}})
	if begun || err != nil || b.model.oomKills != 0 || len(b.events) != 0 {
		t.Errorf("begun %v, %v; %d kills, events %v", begun, err, b.model.oomKills, b.events)
	}
}
