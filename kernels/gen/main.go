// Command gen writes the assembly of package kernels to the folder named by its
// argument, the current one by default. Run it with go generate.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	for name, text := range files() {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			fmt.Fprintf(os.Stderr, "gen: writing assembly: %v\n", err)
			os.Exit(1)
		}
	}
}

// files returns everything that is generated, by file name.
func files() map[string][]byte {
	out := map[string][]byte{
		"tile_amd64.go":         tileDispatch("amd64", amd64Tiles()),
		"tile_arm64.go":         tileDispatch("arm64", arm64Tiles()),
		"vector_avx512_amd64.s": vectors(avx512),
		"vector_avx2_amd64.s":   vectors(avx2),
		"moves_avx2_amd64.s":    movesAVX2(),
		"vector_neon_arm64.s":   vectorsNEON(),
		"moves_neon_arm64.s":    movesNEON(),
	}
	for _, set := range amd64Tiles() {
		out["tile_"+set.file+"_amd64.s"] = x86Tiles(set)
	}
	for _, set := range arm64Tiles() {
		out["tile_"+set.file+"_arm64.s"] = neonTiles(set)
	}
	for kind, nibbles := range map[string]bool{"bytes": false, "nibbles": true} {
		out[kind+"_avx512_amd64.s"] = intTiles512(nibbles)
		out[kind+"_avx2_amd64.s"] = intTiles256(nibbles)
		out[kind+"_neon_arm64.s"] = intTilesNEON(nibbles, 1)
		out[kind+"_pair_neon_arm64.s"] = intTilesNEON(nibbles, 2)
	}
	return out
}
