package measure

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// hugeKB is how much of this process is in huge pages.
func hugeKB(t *testing.T) (kb int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "AnonHugePages:")
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatal(err)
	}
	return kb
}

// pack packs weights of 5 MB for as long as the test runs, and returns how much
// of the process is in huge pages before they are joined.
func pack(t *testing.T) (kb int) {
	const rows, cols = 4096, 1024
	m := kernels.PackInt(8, make([]int8, rows*cols), make([]uint16, rows*cols/32), rows, cols, 32)
	t.Cleanup(func() { runtime.KeepAlive(m) })
	return hugeKB(t)
}

// What is measured has its weights in huge pages by then, and a cold start does
// not wait for them.
func TestPagesAreJoinedBeforeAWindow(t *testing.T) {
	before := pack(t)
	if kernels.JoinPages(); hugeKB(t) <= before {
		t.Log("pages cannot be joined on this machine")
		return
	}
	joined := func(what string, before int, want bool) {
		t.Helper()
		if got := hugeKB(t) > before; got != want {
			t.Errorf("%s: joined: %v, want %v", what, got, want)
		}
	}

	before = pack(t)
	openNano(t, "q8_0", BenchOptions{Threads: 1})
	joined("after a bench was opened", before, true)

	before = pack(t)
	b := openNano(t, "q8_0", BenchOptions{Threads: 1, Cold: true})
	joined("after a cold bench was opened", before, false)
	test := Test{Prompt: 9, Parallel: 1, Batch: 64, Repeats: 1, Cold: true}
	if _, err := b.Run(t.Context(), test); err != nil {
		t.Fatal(err)
	}
	joined("after the first repeat of a cold start", before, false)
	if _, err := b.Run(t.Context(), test); err != nil {
		t.Fatal(err)
	}
	joined("after the second", before, true)

	before = pack(t)
	s := load(t, writeModel(t, 1, labels), This())
	if _, err := s.Measure(t.Context(), wire.Measure{
		Items: writeItems(t, testItems), Batch: 1, Window: time.Millisecond, MaxInferences: 2, WarmupLimit: time.Millisecond, NoEnergy: true,
	}, quiet); err != nil {
		t.Fatal(err)
	}
	joined("after a trial", before, true)
}
