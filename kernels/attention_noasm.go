//go:build noasm || !(amd64 || arm64)

package kernels

func halvesVector(*uint16, *float32, int) {}

func runKVTile(Tier, KVFormat, int, *kvTile) bool { return false }

// kvTileRows is the number of rows, of those left, of the next tile.
func kvTileRows(_ Tier, left int) int { return min(left, 4) }
