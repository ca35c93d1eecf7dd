//go:build !linux

package power

import "time"

// threadCPU is 0: the CPU time of one thread is not told here.
func threadCPU() time.Duration { return 0 }
