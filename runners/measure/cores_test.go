package measure

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// Two processors see each other's writes in tens or hundreds of ns: a figure far from
// that would sort runs by chance.
func TestCoreToCore(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("there is one processor")
	}
	var got []float64
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if ns := CoreToCore(t.Context()); 1 < ns && ns < 5000 {
			return
		} else {
			got = append(got, ns)
		}
	}
	t.Errorf("%v ns from core to core; want 1 to 5,000 at least once", got)
}

func TestCoreToCoreEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ns := CoreToCore(ctx); ns != 0 {
		t.Errorf("%v ns of a cancelled measurement, want 0", ns)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if ns := CoreToCore(t.Context()); ns != 0 {
		t.Errorf("%v ns on one processor, want 0", ns)
	}
}
