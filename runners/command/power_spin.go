package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// Spinning is the line that `runner power spin` writes when its threads are busy.
type Spinning struct {
	Threads int `json:"threads"`
	Cores   int `json:"cores"` // that the runner may use
}

const (
	// maxSpin bounds threads and cores: more have no board and few servers.
	maxSpin = 4096
	// maxSpinning bounds the line in bytes.
	maxSpinning = 4096
)

func newPowerSpin() *cobra.Command {
	var n int
	var length time.Duration
	c := &cobra.Command{
		Use: "spin", Short: "Keep threads busy, as a known load for a sensor that another machine reads", Args: cobra.NoArgs,
		Example: "  runner power spin --threads 2 --for 30s",
	}
	c.Flags().IntVar(&n, "threads", 0, "threads to keep busy (default: one per processor)")
	c.Flags().DurationVar(&length, "for", 10*time.Second, "how long")
	attached(c, func(ctx context.Context, c *cobra.Command) error {
		if n < 0 || n > maxSpin || length <= 0 {
			return &wire.Error{Kind: wire.Harness, Text: fmt.Sprintf("spinning on %d threads for %v: use up to %d threads and a time above 0", n, length, maxSpin)}
		}
		line := Spinning{Threads: n, Cores: runtime.GOMAXPROCS(0)}
		if n == 0 {
			line.Threads = line.Cores
		}
		var told error
		err := busy(ctx, line.Threads, length, func() { told = json.NewEncoder(c.OutOrStdout()).Encode(line) })
		if told != nil {
			return fmt.Errorf("telling of the load: %w", told)
		}
		return err
	})
	return c
}

// ReadSpin reads what a runner's power spin writes until its end, and calls begun when
// the threads are busy. A line that is none is an error.
func ReadSpin(r io.Reader, begun func(Spinning)) error {
	var s Spinning
	if err := json.NewDecoder(io.LimitReader(r, maxSpinning)).Decode(&s); err != nil {
		return fmt.Errorf("reading of a runner's load: %w", err)
	}
	if s.Threads < 1 || s.Threads > maxSpin || s.Cores < 1 || s.Cores > maxSpin {
		return fmt.Errorf("reading of a runner's load: %d threads on %d cores", s.Threads, s.Cores)
	}
	begun(s)
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("reading of a runner's load: %w", err)
	}
	return nil
}

// busy is a Load of this machine.
func busy(ctx context.Context, n int, limit time.Duration, begun func()) error {
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	begun()
	spin(ctx, n)
	return nil
}

// spin keeps n threads at arithmetic until ctx ends and counts the rounds of it.
func spin(ctx context.Context, n int) int64 {
	var rounds atomic.Int64
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			x, mine := uint64(i+1), int64(0)
			for ; ctx.Err() == nil; mine++ {
				for range 100_000 {
					x = x*6364136223846793005 + 1442695040888963407
				}
			}
			runtime.KeepAlive(x)
			rounds.Add(mine)
		})
	}
	wait.Wait()
	return rounds.Load()
}
