package main

import "fmt"

// actsAVX2 writes what the second plane of activations needs, and starts of sums.
func actsAVX2() []byte {
	a := newAsm()
	a.fn("subtractAVX2", "(x *float32, blocks int, q *int8, scale *float32, width int)", 40,
		"SI x, CX blocks left, DI q, R8 scale, R11 step of scale, R12 step of q",
		"Y0 to Y3 values, Y4 to Y7 what q stands for, Y8 scale")
	load(a, "x", "SI", "blocks", "CX", "q", "DI", "scale", "R8", "width", "R11")
	a.op("MOVQ", "R11", "R12")
	a.op("SHLQ", "$5", "R12")
	a.op("SHLQ", "$2", "R11")
	a.label("loop")
	a.op("VBROADCASTSS", "(R8)", "Y8")
	for i := range 4 { // two roundings, as plain Go has them
		value, product := reg("Y", i), reg("Y", 4+i)
		a.op("VMOVUPS", mem(32*i, "SI"), value)
		a.op("VPMOVSXBD", mem(8*i, "DI"), product)
		a.op("VCVTDQ2PS", product, product)
		a.op("VMULPS", product, "Y8", product)
		a.op("VSUBPS", product, value, value)
		a.op("VMOVUPS", value, mem(32*i, "SI"))
	}
	a.op("ADDQ", "$128", "SI")
	a.op("ADDQ", "R12", "DI")
	a.op("ADDQ", "R11", "R8")
	a.op("DECQ", "CX")
	a.op("JNZ", "loop")
	ret(a)
	startsAVX2(a)
	return a.Bytes()
}

// startsAVX2 writes what sums of blocks start from.
func startsAVX2(a *asm) {
	a.fn("startsAVX2", "(dst, corr, less *int32, n, shift int)", 40,
		"DI dst, SI corr, DX less or 0, CX values left, 8 at a time", "Y0 values, X1 shift, Y2 floatBase")
	load(a, "dst", "DI", "corr", "SI", "less", "DX", "n", "CX", "shift", "AX")
	a.op("VMOVQ", "AX", "X1")
	a.op("MOVL", fmt.Sprintf("$%#x", floatBase), "AX")
	a.op("VMOVD", "AX", "X2")
	a.op("VPBROADCASTD", "X2", "Y2")
	a.label("loop")
	a.op("VMOVDQU", "(SI)", "Y0")
	a.op("TESTQ", "DX", "DX")
	a.op("JZ", "whole")
	a.op("VPSUBD", "(DX)", "Y0", "Y0")
	a.op("ADDQ", "$32", "DX")
	a.label("whole")
	a.op("VPSRAD", "X1", "Y0", "Y0")
	a.op("VPADDD", "Y2", "Y0", "Y0")
	a.op("VMOVDQU", "Y0", "(DI)")
	a.op("ADDQ", "$32", "SI")
	a.op("ADDQ", "$32", "DI")
	a.op("SUBQ", "$8", "CX")
	a.op("JNZ", "loop")
	ret(a)
}

// actsNEON writes what the second plane needs on arm64.
func actsNEON() []byte {
	a := neon{newAsm()}
	a.fn("subtractNEON", "(x *float32, blocks int, q *int8, scale *float32, width int)", 40,
		"R1 x, R3 x to store, R2 blocks left, R5 q, R4 scale, R7 step of scale, R8 step from a q's end to the next",
		"V0 to V3 values, V4 to V7 what q stands for, V16 to V18 narrow values, V24 scale")
	a.args("x", "R1", "blocks", "R2", "q", "R5", "scale", "R4", "width", "R7")
	a.op("MOVD", "R1", "R3")
	a.op("LSL", "$5", "R7", "R8")
	a.op("SUB", "$32", "R8")
	a.op("LSL", "$2", "R7")
	a.label("loop")
	a.op("VLD1R", "(R4)", list(24, 1, "S4"))
	for range 2 {
		a.from("R1", 0, 4)
		a.widen(elements[2], 4, 16)
		for i := range 4 { // two roundings, as plain Go has them
			a.three("FMUL.4S", 4+i, 24, 4+i)
			a.three("FSUB.4S", i, i, 4+i)
		}
		a.to("R3", 0, 4)
	}
	a.op("ADD", "R8", "R5")
	a.op("ADD", "R7", "R4")
	a.op("SUBS", "$1", "R2")
	a.op("BNE", "loop")
	a.op("RET")
	return a.Bytes()
}
