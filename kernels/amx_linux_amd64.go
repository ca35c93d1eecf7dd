//go:build !noasm

package kernels

import (
	"unsafe"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"
)

// Linux gives a process the state of tiles, 8 KiB a thread, when it asks for it:
// see Documentation/arch/x86/xstate.rst of the kernel.
const (
	archGetXcompPerm = 0x1022
	archReqXcompPerm = 0x1023
	xfeatureTileCfg  = 17
	xfeatureTileData = 18
)

// amxGranted reports whether the processor has AMX for bytes and asks the kernel
// for it.
func amxGranted() bool {
	if !cpu.X86.HasAMXTile || !cpu.X86.HasAMXInt8 {
		return false
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, archReqXcompPerm, xfeatureTileData, 0); errno != 0 {
		return false
	}
	var granted uint64
	const both = 1<<xfeatureTileCfg | 1<<xfeatureTileData
	_, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, archGetXcompPerm, uintptr(unsafe.Pointer(&granted)), 0)
	return errno == 0 && granted&both == both
}
