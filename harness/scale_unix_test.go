//go:build unix

package main

import (
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/seed-c6f48606/harness/harness/queue/pgtest"
)

func postgres(t *testing.T) string { return pgtest.Database(t) }

// peakRSS is the greatest resident memory of a process that has ended, in bytes.
func peakRSS(p *os.ProcessState) int64 {
	rss := p.SysUsage().(*syscall.Rusage).Maxrss
	if runtime.GOOS == "darwin" {
		return rss
	}
	return rss << 10
}
