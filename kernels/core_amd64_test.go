//go:build !noasm

package kernels

import (
	"fmt"
	"testing"
)

// eachCore runs f as a subtest under every tier, as cores of Intel and as others do.
func eachCore(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	before := intelCore
	defer func() { intelCore = before }()
	for _, intelCore = range []bool{false, true} {
		t.Run(fmt.Sprintf("Intel=%t", intelCore), func(t *testing.T) { eachTier(t, f) })
	}
}
