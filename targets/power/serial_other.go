//go:build !linux

package power

import (
	"fmt"
	"io"
	"runtime"
)

func openPort(string, int) (io.ReadCloser, error) {
	return nil, fmt.Errorf("serial meters are read on Linux only, not on %s", runtime.GOOS)
}
