package main

import "fmt"

// intName is the name of the kernel for tokens rows of activations.
func intName(nibbles bool, suffix string, tokens int) string {
	kind := "Bytes"
	if nibbles {
		kind = "Nibbles"
	}
	return fmt.Sprintf("mul%s%sT%d", kind, suffix, tokens)
}

// intTiles512 writes the integer products of AVX-512 with VNNI. VPDPBUSD takes
// one unsigned operand: bytes are turned to weight+128, nibbles hold weight+8,
// and a block's sum starts at the correction that Quantize computed.
func intTiles512(nibbles bool) []byte {
	a := newAsm()
	for _, tokens := range []int{8, 4, 2, 1} {
		intTile512(a, nibbles, tokens)
	}
	return a.Bytes()
}

// x86IntHead emits the entry of an integer kernel: its arguments to registers.
func x86IntHead(a *asm, name string, vectors ...string) {
	a.fn(name, "(c *intTile)", 8, append([]string{
		"SI weights, R8 scales of weights, DI activations, R9 their scales, R10 corrections",
		"R11 and R12 steps of a block in R9 and DI, AX blocks after this group, CX blocks left in it, R13 blocks of a group",
		"DX y, BX its stride in bytes",
	}, vectors...)...)
	a.op("MOVQ", "c+0(FP)", "BX")
	for _, f := range []struct{ field, r string }{
		{"w", "SI"},
		{"scales", "R8"},
		{"q", "DI"},
		{"xs", "R9"},
		{"corr", "R10"},
		{"width", "R11"},
		{"blocks", "AX"},
		{"groupBlocks", "R13"},
		{"y", "DX"},
		{"ldy", "BX"},
	} {
		a.op("MOVQ", "intTile_"+f.field+"(BX)", f.r)
	}
	a.op("MOVQ", "R11", "R12")
	a.op("SHLQ", "$5", "R12")
	a.op("SHLQ", "$2", "R11")
	a.op("SHLQ", "$2", "BX")
}

// x86Groups runs block for every block, after group for every group.
func x86Groups(a *asm, blockBytes int, group, block func()) {
	a.label("group")
	group()
	a.op("ADDQ", "$32", "R8")
	a.op("MOVQ", "R13", "CX")
	a.op("CMPQ", "CX", "AX")
	a.op("CMOVQGT", "AX", "CX")
	a.op("SUBQ", "CX", "AX")
	a.label("block")
	block()
	a.op("ADDQ", imm(blockBytes), "SI")
	a.op("ADDQ", "R12", "DI")
	a.op("ADDQ", "R11", "R9")
	a.op("ADDQ", "R11", "R10")
	a.op("DECQ", "CX")
	a.op("JNZ", "block")
	a.op("TESTQ", "AX", "AX")
	a.op("JNZ", "group")
}

func intTile512(a *asm, nibbles bool, tokens int) {
	z := func(n int) string { return reg("Z", n) }
	sum := func(t int) string { return z(tokens + t) }
	// A second sum per token: for a single token, so that its additions do not
	// wait for each other; the nibbles' one is of high nibbles left in place.
	second := tokens == 1
	extra := func(t int) string { return z(2*tokens + t) }
	x86IntHead(a, intName(nibbles, "AVX512", tokens),
		fmt.Sprintf("Z0 to Z%d results, then sums of a block", tokens-1),
		"Z26 scales, Z27 product of scales, Z28 and Z29 weights, Z30 mask of low nibbles, Z31 128s or mask of high nibbles")
	mask := func(v int, r string) {
		a.op("MOVL", fmt.Sprintf("$0x%02x%02x%02x%02x", v, v, v, v), "CX")
		a.op("VPBROADCASTD", "CX", r)
	}
	if nibbles {
		mask(0x0f, z(30))
		mask(0xf0, z(31))
	} else {
		mask(0x80, z(31))
	}
	for t := range tokens {
		a.op("VPXORD", z(t), z(t), z(t))
	}
	x := func(t, word int) string { return mem(32*t+4*word, "DI") }
	blockBytes := 512
	if nibbles {
		blockBytes = 256
	}
	x86Groups(a, blockBytes, func() {
		a.op("VCVTPH2PS", "(R8)", z(26))
	}, func() {
		for t := range tokens {
			a.op("VPBROADCASTD", mem(4*t, "R10"), sum(t))
			if second {
				a.op("VPXORD", extra(t), extra(t), extra(t))
			}
		}
		for word := range blockBytes / 64 {
			if tokens <= 2 {
				a.op("PREFETCHT0", mem(2176+64*word, "SI"))
			}
			if !nibbles {
				a.op("VPXORD", mem(64*word, "SI"), z(31), z(28))
				for t := range tokens {
					to := sum(t)
					if second && word%2 == 1 {
						to = extra(t)
					}
					a.op("VPDPBUSD.BCST", x(t, word), z(28), to)
				}
				continue
			}
			a.op("VMOVDQU32", mem(64*word, "SI"), z(29))
			a.op("VPANDD", z(29), z(30), z(28))
			if second {
				a.op("VPANDD", z(29), z(31), z(29))
			} else {
				a.op("VPSRLW", "$4", z(29), z(29))
				a.op("VPANDD", z(29), z(30), z(29))
			}
			for t := range tokens {
				a.op("VPDPBUSD.BCST", x(t, word), z(28), sum(t))
			}
			for t := range tokens {
				to := sum(t)
				if second {
					to = extra(t)
				}
				a.op("VPDPBUSD.BCST", x(t, word+4), z(29), to)
			}
		}
		for t := range tokens {
			if second {
				if nibbles {
					a.op("VPSRAD", "$4", extra(t), extra(t))
				}
				a.op("VPADDD", extra(t), sum(t), sum(t))
			}
			a.op("VCVTDQ2PS", sum(t), sum(t))
			a.op("VMULPS.BCST", mem(4*t, "R9"), z(26), z(27))
			a.op("VFMADD231PS", z(27), sum(t), z(t))
		}
	})
	for t := range tokens {
		if t > 0 {
			a.op("ADDQ", "BX", "DX")
		}
		a.op("VMOVUPS", z(t), "(DX)")
	}
	ret(a)
}

// intTiles256 writes the integer products of AVX2. VPMADDUBSW adds pairs in 16
// bits, which must not saturate: bytes go in as magnitudes of weights (at most
// 128) times activations with the weight's sign (at most 127); a block's eight
// products of nibbles (at most 15*127) and activations fit together.
func intTiles256(nibbles bool) []byte {
	a := newAsm()
	for _, tokens := range []int{2, 1} {
		intTile256(a, nibbles, tokens)
	}
	return a.Bytes()
}

func intTile256(a *asm, nibbles bool, tokens int) {
	y := func(n int) string { return reg("Y", n) }
	result := func(t, half int) string { return y(2*t + half) }
	sum := func(t, half int) string { return y(4 + 2*t + half) }
	x86IntHead(a, intName(nibbles, "AVX2", tokens),
		"Y0 to Y3 results, Y4 to Y7 sums of a block, halves of a panel side by side",
		"Y8 and Y9 scales, Y10 ones, Y11 mask of low nibbles, Y12 to Y14 weights and products")
	a.op("VPCMPEQW", y(10), y(10), y(10))
	if nibbles {
		a.op("VPSRLW", "$12", y(10), y(11))
		a.op("VPSLLW", "$8", y(11), y(12))
		a.op("VPOR", y(12), y(11), y(11))
	}
	a.op("VPSRLW", "$15", y(10), y(10))
	for i := range 2 * tokens {
		a.op("VPXOR", y(i), y(i), y(i))
	}
	x := func(t, word int) string { return mem(32*t+4*word, "DI") }
	blockBytes := 512
	if nibbles {
		blockBytes = 256
	}
	multiply := func(t, word int, weights, to string) {
		a.op("VPBROADCASTD", x(t, word), y(14))
		a.op("VPMADDUBSW", y(14), weights, y(14))
		a.op("VPADDW", y(14), to, to)
	}
	x86Groups(a, blockBytes, func() {
		a.op("VCVTPH2PS", "(R8)", y(8))
		a.op("VCVTPH2PS", "16(R8)", y(9))
	}, func() {
		for t := range tokens {
			for half := range 2 {
				a.op("VPXOR", sum(t, half), sum(t, half), sum(t, half))
			}
		}
		for word := range blockBytes / 64 {
			for half := range 2 {
				a.op("VMOVDQU", mem(64*word+32*half, "SI"), y(12))
				if nibbles {
					a.op("VPSRLW", "$4", y(12), y(13))
					a.op("VPAND", y(11), y(12), y(12))
					a.op("VPAND", y(11), y(13), y(13))
					for t := range tokens {
						multiply(t, word, y(12), sum(t, half))
						multiply(t, word+4, y(13), sum(t, half))
					}
					continue
				}
				a.op("VPABSB", y(12), y(13))
				for t := range tokens {
					a.op("VPBROADCASTD", x(t, word), y(14))
					a.op("VPSIGNB", y(12), y(14), y(14))
					a.op("VPMADDUBSW", y(14), y(13), y(14))
					a.op("VPMADDWD", y(10), y(14), y(14))
					a.op("VPADDD", y(14), sum(t, half), sum(t, half))
				}
			}
		}
		for t := range tokens {
			a.op("VBROADCASTSS", mem(4*t, "R9"), y(12))
			if nibbles {
				a.op("VPBROADCASTD", mem(4*t, "R10"), y(13))
			}
			for half := range 2 {
				s := sum(t, half)
				if nibbles {
					a.op("VPMADDWD", y(10), s, s)
					a.op("VPADDD", y(13), s, s)
				}
				a.op("VCVTDQ2PS", s, s)
				a.op("VMULPS", y(12), y(8+half), y(14))
				a.op("VFMADD231PS", y(14), s, result(t, half))
			}
		}
	})
	for t := range tokens {
		if t > 0 {
			a.op("ADDQ", "BX", "DX")
		}
		a.op("VMOVUPS", result(t, 0), "(DX)")
		a.op("VMOVUPS", result(t, 1), "32(DX)")
	}
	ret(a)
}
