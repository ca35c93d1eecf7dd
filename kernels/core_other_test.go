//go:build noasm || !amd64

package kernels

import "testing"

// eachCore runs f as a subtest under every tier: here it does not depend on the core.
func eachCore(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	eachTier(t, f)
}
