package main

import "fmt"

// x86IntDeclarations writes the Go declarations of the integer kernels.
func x86IntDeclarations() []byte {
	a := new(asm)
	a.WriteString(notice + "package kernels\n")
	for _, s := range intISAs {
		for _, f := range intFormats {
			for _, shape := range directShapes(s) {
				fmt.Fprintf(a, "\n//go:noescape\nfunc %s(c *intTile)\n", shape.name(s, f))
			}
		}
		for _, w := range wideForms(s) {
			for _, tokens := range wideTokens(s) {
				fmt.Fprintf(a, "\n//go:noescape\nfunc %s(c *wideTile)\n", w.name(s, tokens))
			}
		}
		for _, bits := range expandBits {
			fmt.Fprintf(a, "\n//go:noescape\nfunc expand%d%s(dst, src *uint8, blocks int)\n", bits, s.suffix)
		}
	}
	return a.Bytes()
}

// x86IntDispatch writes the switches that pick a kernel. Functions are called
// directly: through a variable the compiler could not keep the arguments on the
// stack.
func x86IntDispatch() []byte {
	a := new(asm)
	a.WriteString(notice + "package kernels\n")
	key := func(f intFormat) string {
		if f.short {
			return fmt.Sprintf("(%d|short)", f.bits)
		}
		return fmt.Sprint(f.bits)
	}
	a.WriteString("\n// pair is added to the rows of two panels.\nconst pair = 8\n")
	a.WriteString("\n// short marks groups of half a block.\nconst short = 16\n")
	a.WriteString("\n// runDirect computes rows tokens of c; form is the format, and short;\n// rows 1+pair is one token and two panels.\n")
	a.WriteString("func runDirect(tier Tier, form, rows int, c *intTile) {\n\tswitch tier {\n")
	for _, s := range intISAs {
		fmt.Fprintf(a, "\tcase %s:\n\t\tswitch form<<4 | rows {\n", s.suffix)
		for _, f := range intFormats {
			for _, shape := range directShapes(s) {
				fmt.Fprintf(a, "\t\tcase %s<<4 | %d:\n\t\t\t%s(c)\n", key(f), shape.tokens+(shape.panels-1)*pairCode, shape.name(s, f))
			}
		}
		a.WriteString("\t\t}\n")
	}
	a.WriteString("\t}\n}\n")
	a.WriteString("\n// runWide computes rows tokens of c; form is the bits of the expanded panel, and short.\n")
	a.WriteString("func runWide(tier Tier, form, rows int, c *wideTile) {\n\tswitch tier {\n")
	for _, s := range intISAs {
		fmt.Fprintf(a, "\tcase %s:\n\t\tswitch form<<4 | rows {\n", s.suffix)
		for _, w := range wideForms(s) {
			for _, tokens := range wideTokens(s) {
				fmt.Fprintf(a, "\t\tcase %s<<4 | %d:\n\t\t\t%s(c)\n", key(w.intFormat), tokens, w.name(s, tokens))
			}
		}
		a.WriteString("\t\t}\n")
	}
	a.WriteString("\t}\n}\n")
	a.WriteString("\n// runExpand turns blocks of src to bytes.\n")
	a.WriteString("func runExpand(tier Tier, f format, dst, src *uint8, blocks int) {\n\tswitch tier {\n")
	for _, s := range intISAs {
		fmt.Fprintf(a, "\tcase %s:\n\t\tswitch f {\n", s.suffix)
		for _, bits := range expandBits {
			fmt.Fprintf(a, "\t\tcase %d:\n\t\t\texpand%d%s(dst, src, blocks)\n", bits, bits, s.suffix)
		}
		a.WriteString("\t\t}\n")
	}
	a.WriteString("\t}\n}\n")
	return a.Bytes()
}

// pairCode is package kernels' pair.
const pairCode = 8

// expandBits lists the formats of panels.
var expandBits = []int{8, 6, 5, 4, 3, 2}
