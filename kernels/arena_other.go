//go:build !linux

package kernels

// arena returns n zeros for packed weights; owner is not needed here.
func arena[T int8 | uint8 | uint16, O any](_ *O, n int) []T { return aligned[T](n) }

// JoinPages does nothing here.
func JoinPages() {}
