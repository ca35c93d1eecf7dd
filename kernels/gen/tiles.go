package main

import "fmt"

// tileSet is one file of dense tiles: one instruction set, one element type.
type tileSet struct {
	tier   string // constant of package kernels
	file   string
	prefix string // of the function names
	bf16   bool
	shapes []shape
}

// shape is a tile of rows of A and panels of 16 columns of B.
type shape struct{ rows, panels int }

func (s tileSet) name(sh shape) string {
	return fmt.Sprintf("%sR%dP%d", s.prefix, sh.rows, sh.panels)
}

func amd64Tiles() []tileSet {
	wide := []shape{{12, 2}, {8, 2}, {4, 2}, {2, 2}}
	small := []shape{{1, 2}, {12, 1}, {8, 1}, {4, 1}, {2, 1}, {1, 1}, {1, 4}}
	narrow := []shape{{6, 1}, {4, 1}, {2, 1}, {1, 1}, {1, 4}}
	return []tileSet{
		{"AVX512", "f32_avx512", "tileF32AVX512", false, wide},
		{"AVX512", "f32_small_avx512", "tileF32AVX512", false, small},
		{"AVX512", "bf16_avx512", "tileBF16AVX512", true, wide},
		{"AVX512", "bf16_small_avx512", "tileBF16AVX512", true, small},
		{"AVX2", "f32_avx2", "tileF32AVX2", false, narrow},
		{"AVX2", "bf16_avx2", "tileBF16AVX2", true, narrow},
	}
}

func arm64Tiles() []tileSet {
	shapes := []shape{{4, 1}, {2, 1}, {1, 1}, {1, 2}}
	return []tileSet{
		{"NEON", "f32_neon", "tileF32NEON", false, shapes},
		{"NEON", "bf16_neon", "tileBF16NEON", true, shapes},
	}
}

// tileDispatch writes the declarations of the tiles and the switch that picks
// one. Go functions are called directly: through a variable the compiler
// could not keep the arguments on the stack.
func tileDispatch(arch string, sets []tileSet) []byte {
	a := new(asm)
	a.WriteString(notice + "package kernels\n")
	for _, set := range sets {
		for _, sh := range set.shapes {
			fmt.Fprintf(a, "\n//go:noescape\nfunc %s(t *denseTile)\n", set.name(sh))
		}
	}
	fmt.Fprintf(a, "\n// runTile computes t with the kernel for rows x panels; false if %s has none.\n", arch)
	a.WriteString("func runTile(tier Tier, bf16 bool, rows, panels int, t *denseTile) bool {\n")
	a.WriteString("\tswitch {\n")
	for _, group := range grouped(sets) {
		not := "!"
		if group[0].bf16 {
			not = ""
		}
		fmt.Fprintf(a, "\tcase tier == %s && %sbf16:\n\t\tswitch rows<<4 | panels {\n", group[0].tier, not)
		for _, set := range group {
			for _, sh := range set.shapes {
				fmt.Fprintf(a, "\t\tcase %d<<4 | %d:\n\t\t\t%s(t)\n", sh.rows, sh.panels, set.name(sh))
			}
		}
		a.WriteString("\t\tdefault:\n\t\t\treturn false\n\t\t}\n")
	}
	a.WriteString("\tdefault:\n\t\treturn false\n\t}\n\treturn true\n}\n")
	return a.Bytes()
}

// grouped joins neighbouring sets of the same functions.
func grouped(sets []tileSet) [][]tileSet {
	var groups [][]tileSet
	for i, set := range sets {
		if i > 0 && set.prefix == sets[i-1].prefix {
			last := len(groups) - 1
			groups[last] = append(groups[last], set)
			continue
		}
		groups = append(groups, []tileSet{set})
	}
	return groups
}
