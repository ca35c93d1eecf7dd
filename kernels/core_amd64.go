//go:build !noasm

package kernels

import "encoding/binary"

// vendor returns the processor's vendor as CPUID gives it, four letters a word in
// the order b, d, c.
func vendor() (b, c, d uint32)

// intelCore says that the processor is Intel's, whose cores want other kernels than
// AMD's with the same instructions. They read weights faster if asked for them in
// advance, where Zen 3 and 4 read them more slowly. And they multiply 512 bits twice
// a cycle, as often as they load, so that every activation loaded should meet two
// panels; Zen 4 multiplies them once a cycle and would gain nothing. Measured on
// Emerald Rapids, see docs/engine-speed.md; others of Intel are taken to be alike,
// and Zen 5, which is not measured, to be like Zen 4.
var intelCore = func() bool {
	b, c, d := vendor()
	name := binary.LittleEndian.AppendUint32(nil, b)
	name = binary.LittleEndian.AppendUint32(name, d)
	return string(binary.LittleEndian.AppendUint32(name, c)) == "GenuineIntel"
}()
