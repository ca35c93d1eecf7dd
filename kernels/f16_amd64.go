//go:build !noasm

package kernels

//go:noescape
func halvesAVX2(dst *uint16, src *float32, n int)

// halvesVector takes a positive multiple of 8 values.
func halvesVector(dst *uint16, src *float32, n int) { halvesAVX2(dst, src, n) }
