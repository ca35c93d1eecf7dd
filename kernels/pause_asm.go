//go:build !noasm && (amd64 || arm64)

package kernels

// pause tells the core that this is a waiting loop, for some 50 ns.
func pause()
