package main

import (
	"fmt"
	"strings"
)

// armKernel is one integer kernel.
type armKernel struct {
	isa    armISA
	form   armForm
	tokens int
}

// armTiers are the tiers that use an instruction set's kernels of stored and of
// expanded panels, and of its expansions.
var armTiers = map[armISA]struct{ stored, wide, expand string }{
	isaNEON: {"NEON", "NEON", "NEON, DotProd"},
	isaDot:  {"DotProd, I8MM", "DotProd", ""},
	isaI8MM: {"", "I8MM", "I8MM"},
}

var armISAs = []armISA{isaNEON, isaDot, isaI8MM}

// armKernels lists all there is of an instruction set.
func armKernels(isa armISA) (kernels []armKernel) {
	add := func(f armForm, tokens ...int) {
		for _, t := range tokens {
			kernels = append(kernels, armKernel{isa, f, t})
		}
	}
	plain, short := armForm{wide: true}, armForm{wide: true, short: true}
	switch isa {
	case isaNEON:
		add(armForm{bits: 8}, 2, 1)
		add(armForm{bits: 4}, 2, 1)
		add(plain, 2, 1)
		add(short, 2, 1)
	case isaDot:
		add(armForm{bits: 8}, 2, 1)
		add(armForm{bits: 4}, 4, 2, 1)
		for _, bits := range []int{6, 5, 3, 2} {
			add(armForm{bits: bits}, 1)
		}
		add(armForm{bits: 6, short: true}, 1)
		add(plain, 4, 2, 1)
		add(short, 4, 2, 1)
	case isaI8MM:
		add(plain, 4, 2, 1)
		add(short, 4, 2, 1)
	}
	return kernels
}

// armExpansions lists the bits that an instruction set expands.
func armExpansions(isa armISA) []int {
	switch isa {
	case isaNEON:
		return []int{6, 5, 4, 3, 2}
	case isaI8MM:
		return []int{8, 6, 5, 4, 3, 2}
	}
	return nil
}

func (k armKernel) write(a neon) {
	switch {
	case k.isa == isaNEON:
		mullRows(a, k.form, k.tokens)
	case k.isa == isaI8MM:
		mmlaTile(a, k.form, k.tokens)
	case !k.form.wide && k.form.bits != 8 && k.form.bits != 4:
		dotJoined(a, k.form)
	case k.tokens == 4:
		dotTile(a, k.form)
	default:
		dotRows(a, k.form, k.tokens)
	}
}

// armInts writes the integer kernels of arm64, a file a family.
func armInts() map[string][]byte {
	out := map[string][]byte{"int_arm64.go": armIntDispatch()}
	for _, isa := range armISAs {
		name := strings.ToLower(string(isa)) + "_arm64.s"
		stored, wide := neon{newAsm()}, neon{newAsm()}
		for _, k := range armKernels(isa) {
			if k.form.wide {
				k.write(wide)
			} else {
				k.write(stored)
			}
		}
		if isa != isaI8MM {
			out["int_direct_"+name] = stored.Bytes()
		}
		out["int_wide_"+name] = wide.Bytes()
		if bits := armExpansions(isa); bits != nil {
			expand := neon{newAsm()}
			for _, b := range bits {
				neonExpand(expand, isa, b)
			}
			out["int_expand_"+name] = expand.Bytes()
		}
	}
	return out
}

// armIntDispatch writes the declarations of the integer kernels and the switches
// that pick one.
func armIntDispatch() []byte {
	a := new(asm)
	a.WriteString(notice + "package kernels\n")
	for _, isa := range armISAs {
		for _, k := range armKernels(isa) {
			fmt.Fprintf(a, "\n//go:noescape\nfunc %s(c *%s)\n", k.form.name(isa, k.tokens), k.form.tile())
		}
		for _, bits := range armExpansions(isa) {
			fmt.Fprintf(a, "\n//go:noescape\nfunc expand%d%s(dst, src *uint8, blocks int)\n", bits, isa)
		}
	}
	a.WriteString("\n// short marks groups of half a block.\nconst short = 16\n")
	a.WriteString("\n// runDirect computes rows tokens of c; form is the format, and short.\n")
	a.WriteString("func runDirect(tier Tier, form, rows int, c *intTile) {\n")
	armSwitch(a, false)
	a.WriteString("\n// runWide computes rows tokens of c; form is 0 or short.\n")
	a.WriteString("func runWide(tier Tier, form, rows int, c *wideTile) {\n")
	armSwitch(a, true)
	a.WriteString("\n// runExpand turns blocks of src to bytes.\n")
	a.WriteString("func runExpand(tier Tier, f format, dst, src *uint8, blocks int) {\n\tswitch tier {\n")
	for _, isa := range armISAs {
		if armExpansions(isa) == nil {
			continue
		}
		fmt.Fprintf(a, "\tcase %s:\n\t\tswitch f {\n", armTiers[isa].expand)
		for _, bits := range armExpansions(isa) {
			fmt.Fprintf(a, "\t\tcase %d:\n\t\t\texpand%d%s(dst, src, blocks)\n", bits, bits, isa)
		}
		a.WriteString("\t\t}\n")
	}
	a.WriteString("\t}\n}\n")
	return a.Bytes()
}

func armSwitch(a *asm, wide bool) {
	a.WriteString("\tswitch tier {\n")
	for _, isa := range armISAs {
		tiers := armTiers[isa].stored
		if wide {
			tiers = armTiers[isa].wide
		}
		if tiers == "" {
			continue
		}
		fmt.Fprintf(a, "\tcase %s:\n\t\tswitch form<<4 | rows {\n", tiers)
		for _, k := range armKernels(isa) {
			if k.form.wide != wide {
				continue
			}
			form := fmt.Sprint(k.form.bits)
			switch {
			case k.form.short && wide:
				form = "short"
			case k.form.short:
				form = "(" + form + "|short)"
			}
			fmt.Fprintf(a, "\t\tcase %s<<4 | %d:\n\t\t\t%s(c)\n", form, k.tokens, k.form.name(isa, k.tokens))
		}
		a.WriteString("\t\t}\n")
	}
	a.WriteString("\t}\n}\n")
}
