package command_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/runners/model"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// A model that takes most of a board's memory must run there: one copy of its
// weights, the keys and values and little else, also where it replaces another
// one, as the cells of a sweep do.
func TestServeHoldsOneCopyOfTheWeights(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a model of 383 MB")
	}
	m, err := model.Random("ernie-0.3b", 1)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := model.WriteGGUF(path, m, model.MadeUp(m.VocabSize), "q8_0"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "serve")
	cmd.Env = append(os.Environ(), asRunner+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		time.AfterFunc(patience, func() { cmd.Process.Kill() }) //nolint:errcheck // it may be gone
		if err := cmd.Wait(); err != nil {
			t.Errorf("the runner ended by %v", err)
		}
	})
	c, err := wire.Dial(t.Context(), out, in)
	if err != nil {
		t.Fatal(err)
	}
	items := writeItems(t)
	for _, which := range []string{"the first", "a second"} {
		loaded, err := c.Load(t.Context(), wire.Load{Model: path}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Measure(t.Context(), short(items), nil)
		if err != nil {
			t.Fatal(err)
		}
		// Two sequences of a few tokens, with room for 64.
		kv := int64(2 * 64 * m.NumLayers * 2 * m.NumKVHeads * m.HeadDim * 2)
		limit, peak := loaded.ModelBytes*115/100+kv, highWater(t, cmd.Process.Pid)
		if peak > limit {
			t.Errorf("%s model of %d bytes: the peak of memory is %d, at most %d are allowed", which, loaded.ModelBytes, peak, limit)
		}
		if r.PeakRSSBytes < loaded.ModelBytes || r.PeakRSSBytes > peak {
			t.Errorf("%s model: the runner says %d, VmHWM is %d", which, r.PeakRSSBytes, peak)
		}
	}
}

// highWater is the greatest resident set of a process in bytes.
func highWater(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
