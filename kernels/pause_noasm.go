//go:build noasm || !(amd64 || arm64)

package kernels

import "runtime"

// pause lets others run while a worker waits for work.
func pause() { runtime.Gosched() }
