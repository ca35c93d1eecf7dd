// Command gen writes the assembly of package kernels to the folder named by its
// argument, the current one by default. Run it with go generate.
package main

import (
	"fmt"
	"maps"
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
		"pack_avx2_amd64.s":     x86Packs(),
		"int_amd64.go":          x86IntDispatch(),
		"int_kernels_amd64.go":  x86IntDeclarations(),
		"tile_amd64.go":         tileDispatch("amd64", amd64Tiles()),
		"tile_arm64.go":         tileDispatch("arm64", arm64Tiles()),
		"vector_avx512_amd64.s": vectors(avx512),
		"vector_avx2_amd64.s":   vectors(avx2),
		"moves_avx2_amd64.s":    movesAVX2(),
		"acts_avx2_amd64.s":     actsAVX2(),
		"acts_avx512_amd64.s":   actsAVX512(),
		"vector_neon_arm64.s":   vectorsNEON(),
		"moves_neon_arm64.s":    movesNEON(),
		"acts_neon_arm64.s":     actsNEON(),
		"probe_rate_amd64.s":    x86Rates(),
		"probe_read_amd64.s":    x86Read(),
		"probe_rate_arm64.s":    neonRates(),
		"probe_read_arm64.s":    neonRead(),
	}
	for _, set := range amd64Tiles() {
		out["tile_"+set.file+"_amd64.s"] = x86Tiles(set)
	}
	for _, set := range arm64Tiles() {
		out["tile_"+set.file+"_arm64.s"] = neonTiles(set)
	}
	for _, s := range intISAs {
		maps.Copy(out, x86Ints(s))
	}
	maps.Copy(out, amxFiles())
	maps.Copy(out, armInts())
	maps.Copy(out, attentionFiles())
	maps.Copy(out, wordFiles())
	return out
}
