//go:build noasm || !(amd64 || arm64)

package kernels

// byteOffset is 0: bytes stay signed.
const byteOffset = 0

// wideTokens is the number of tokens from which on a panel is expanded first:
// plain Go gains nothing by it.
func wideTokens(Tier, format, int) int { return 1 << 30 }

func expands(Tier, format) bool { return false }

// directRows is the number of tokens, of those left in a tile, of the next call
// of mulDirect.
func directRows(_ Tier, _ format, _, left int) int { return left }

func wideRows(_ Tier, _ format, left int) int { return left }

func mulDirect(_ Tier, f format, rows int, c *intTile) { mulDirectGeneric(f, rows, c) }

func mulWide(Tier, format, int, int, *wideTile) { panic("kernels: no wide kernel in this build") }

func expand(Tier, format, []uint8, []uint8, int) { panic("kernels: no wide kernel in this build") }

func widenHalves(dst []float32, src []uint16) {
	for i := range dst {
		dst[i] = F16ToF32(src[i])
	}
}

func fetchLines(*uint8, int) {}

func joinScales(dst []uint16, u *superScales, first int) { u.joinGeneric(dst, first, false) }

func joinMins(dst []uint16, u *superScales, first int) { u.joinGeneric(dst, first, true) }

func quantize(_ Tier, x []float32, a *Acts, at, width int) { quantizeGeneric(x, a, at, width) }

// quantizeTiles has nothing faster than quantize by rows.
func quantizeTiles(Tier, []float32, int, int, int, *Acts, int) bool { return false }

func subtract(_ Tier, x []float32, a *Acts, at, width int) { subtractGeneric(x, a, at, width) }
