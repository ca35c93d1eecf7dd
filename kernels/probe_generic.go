//go:build noasm || !arm64

package kernels

import "encoding/binary"

// probeReadGeneric reads rounds times 128 bytes from each place.
func probeReadGeneric(p, q []byte, rounds, step int) {
	var s uint64
	for i := range rounds {
		for _, line := range [][]byte{p[i*step:][:probeLine], q[i*step:][:probeLine]} {
			for at := 0; at < probeLine; at += 8 {
				s += binary.LittleEndian.Uint64(line[at:])
			}
		}
	}
	probeSink.Store(s)
}
