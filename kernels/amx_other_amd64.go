//go:build !noasm && !linux

package kernels

// amxGranted reports that AMX is not used here: only Linux is asked for it.
func amxGranted() bool { return false }
