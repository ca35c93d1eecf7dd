//go:build noasm || !(amd64 || arm64)

package kernels

// intTileRows is the number of tokens, of those left in a tile, of the next
// kernel call.
func intTileRows(_ Tier, left int) int { return left }

func mulInt(_ Tier, rows int, c *intTile) { mulIntGeneric(rows, c) }

func quantize(_ Tier, x []float32, a *Acts, at, width int) { quantizeGeneric(x, a, at, width) }
