package measure

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/kernels"
)

// A share of a limit is only as good as the limit: every rate asked for must be
// there and above 0, on one thread and on several.
func TestCeilings(t *testing.T) {
	active := kernels.Active()
	for _, threads := range []int{1, 2} {
		l, err := This().Ceilings(t.Context(), threads, kernels.Available(), Effort{ReadBytes: 8 << 20, Passes: 2, Pass: time.Millisecond, Products: true})
		if err != nil {
			t.Fatal(err)
		}
		if l.Threads != threads || l.ReadBytes != 8<<20 || l.ReadWay == "" || !plausible(l.Read) {
			t.Errorf("read: %+v", l)
		}
		for _, p := range append(l.Peaks, l.Products...) {
			if !plausible(p.GOPS) {
				t.Errorf("%+v", p)
			}
		}
		var products []string
		for _, p := range l.Products {
			products = append(products, p.Tier)
		}
		var want []string
		for _, tier := range kernels.Available() {
			if tier != kernels.Generic || len(kernels.Available()) == 1 {
				want = append(want, tier.String())
			}
		}
		if diff := cmp.Diff(want, products); diff != "" {
			t.Errorf("tiers of products (-want +got):\n%s", diff)
		}
		if now := kernels.Active(); now != active {
			t.Errorf("the tier was %v and is %v", active, now)
		}
		for _, tier := range kernels.Available() {
			if l.Peak(tier, kernels.MixInt8) <= 0 || l.Peak(tier, kernels.MixF32) <= 0 {
				t.Errorf("tier %v has no peak: %+v", tier, l.Peaks)
			}
		}
	}
}

func plausible(r Rate) bool { return r.N == 2 && r.Median > 0 && r.Best >= r.Median && r.Best < 1e6 }

func TestCeilingsOfNoTier(t *testing.T) {
	l, err := This().Ceilings(t.Context(), 1, nil, Effort{ReadBytes: 1, Passes: 1})
	if err != nil || len(l.Peaks) != 0 || l.Peak(kernels.Generic, kernels.MixInt8) != 0 || l.ReadBytes != probeUnit {
		t.Errorf("got %+v, %v", l, err)
	}
}

// A board with little memory must not be driven into swapping by a probe.
func TestProbeSize(t *testing.T) {
	const size = "sys/devices/system/cpu/cpu0/cache/index3/size"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing known", nil, 512 << 20},
		{"ample", map[string]string{"proc/meminfo": "MemAvailable: 8388608 kB\n", size: "32768K\n"}, 512 << 20},
		{"a large cache", map[string]string{"proc/meminfo": "MemAvailable: 8388608 kB\n", size: "256M\n"}, 1 << 30},
		{"a board", map[string]string{"proc/meminfo": "MemFree: 1 kB\nMemAvailable: 524288 kB\n"}, 128 << 20},
		{"a container", map[string]string{
			"proc/meminfo": "MemAvailable: 8388608 kB\n", "sys/fs/cgroup/memory.max": "536870912\n", "sys/fs/cgroup/memory.current": "268435456\n",
		}, 64 << 20},
		{"no limit", map[string]string{"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "1\n", size: "x\n"}, 512 << 20},
		{"full", map[string]string{"sys/fs/cgroup/memory.max": "5\n", "sys/fs/cgroup/memory.current": "9\n"}, probeUnit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := tree(t, tt.files)
			if diff := cmp.Diff(tt.want, m.probeBytes()); diff != "" {
				t.Errorf("bytes to read (-want +got):\n%s", diff)
			}
		})
	}
}
