//go:build !linux

package measure

// probeMemory returns n bytes.
func probeMemory(n int) (data []byte, free func(), err error) {
	return make([]byte, n), func() {}, nil
}
