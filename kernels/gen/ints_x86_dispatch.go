package main

import "fmt"

// x86IntDeclarations writes the Go declarations of the integer kernels.
func x86IntDeclarations() []byte {
	a := new(asm)
	a.WriteString(notice + "package kernels\n")
	for _, s := range intISAs {
		for _, f := range directFormats(s) {
			for _, shape := range directShapes(s, f) {
				fmt.Fprintf(a, "\n//go:noescape\nfunc %s(c *intTile)\n", shape.name(s, f))
			}
		}
		for _, w := range wideForms(s) {
			for _, tokens := range wideTokens(s) {
				fmt.Fprintf(a, "\n//go:noescape\nfunc %s(c *wideTile)\n", w.name(s, tokens))
			}
		}
		if s.evex() {
			fmt.Fprintf(a, "\n//go:noescape\nfunc %s(c *wideTile)\n", pairName)
		}
		for _, bits := range expandBits(s) {
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
		name := fmt.Sprint(f.bits)
		if f.short {
			name += "|short"
		}
		if f.super {
			name += "|super"
		}
		if f.short || f.super {
			return "(" + name + ")"
		}
		return name
	}
	a.WriteString("\n// panelsCode is what panels, where there are several, count for in a kernel's\n// number beside its tokens.\nconst panelsCode = 16\n")
	a.WriteString("\nconst noKernel = \"kernels: no such integer kernel\"\n")
	a.WriteString("\n// short marks groups of half a block.\nconst short = 16\n")
	a.WriteString("\n// runDirect computes rows tokens of c, or one of several panels; form is the\n// format, short and super.\n")
	a.WriteString("func runDirect(tier Tier, form, rows int, c *intTile) {\n\tswitch tier {\n")
	for _, s := range intISAs {
		fmt.Fprintf(a, "\tcase %s:\n\t\tswitch form<<8 | rows {\n", s.suffix)
		for _, f := range directFormats(s) {
			for _, shape := range directShapes(s, f) {
				fmt.Fprintf(a, "\t\tcase %s<<8 | %d:\n\t\t\t%s(c)\n", key(f), shape.code(), shape.name(s, f))
			}
		}
		a.WriteString("\t\tdefault:\n\t\t\tpanic(noKernel)\n\t\t}\n")
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
		a.WriteString("\t\tdefault:\n\t\t\tpanic(noKernel)\n\t\t}\n")
	}
	a.WriteString("\t}\n}\n")
	a.WriteString("\n// runExpand turns blocks of src to bytes.\n")
	a.WriteString("func runExpand(tier Tier, f format, dst, src *uint8, blocks int) {\n\tswitch tier {\n")
	for _, s := range intISAs {
		fmt.Fprintf(a, "\tcase %s:\n\t\tswitch f {\n", s.suffix)
		for _, bits := range expandBits(s) {
			fmt.Fprintf(a, "\t\tcase %d:\n\t\t\texpand%d%s(dst, src, blocks)\n", bits, bits, s.suffix)
		}
		a.WriteString("\t\tdefault:\n\t\t\tpanic(noKernel)\n\t\t}\n")
	}
	a.WriteString("\t}\n}\n")
	return a.Bytes()
}

// code is the number of a kernel of that shape; 16 is package kernels' panelsCode.
func (d directShape) code() int {
	if d.panels > 1 {
		return d.tokens + 16*d.panels
	}
	return d.tokens
}

// expandBits lists the formats of panels that are expanded.
func expandBits(s intISA) []int {
	if s.vnni {
		return []int{6, 5, 4, 3, 2}
	}
	return []int{8, 6, 5, 4, 3, 2}
}
