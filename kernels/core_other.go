//go:build noasm || !amd64

package kernels

// intelCore is of no use without kernels for it.
var intelCore = false
