package main

import "fmt"

// armISA is an instruction set of integer kernels on arm64: its tier in package
// kernels and the suffix of names.
type armISA string

const (
	isaNEON armISA = "NEON" // products in 16 bits
	isaDot  armISA = "Dot"  // SDOT: four products and a sum in 32 bits
	isaI8MM armISA = "I8MM" // SMMLA: two outputs times two tokens, eight inputs each
)

// armForm is how a kernel finds the integers of a panel: as they are stored, or
// expanded to signed bytes with f32 scales for every block.
type armForm struct {
	bits  int
	wide  bool
	short bool // two scales a block
}

func (f armForm) name(isa armISA, tokens int) string {
	s := "wide"
	if !f.wide {
		s = fmt.Sprintf("mul%d", f.bits)
	}
	if f.short {
		s += "Short"
	}
	return fmt.Sprintf("%s%sT%d", s, isa, tokens)
}

func (f armForm) tile() string {
	if f.wide {
		return "wideTile"
	}
	return "intTile"
}

// hasMins reports whether a panel of this form may have minimums.
func (f armForm) hasMins() bool { return !f.short && (f.wide || f.bits <= 4) }

func (f armForm) blockBytes() int {
	if f.wide {
		return 512
	}
	return 64 * f.bits
}

// parts are the runs of quads that share a scale.
func (f armForm) parts() [][]int {
	all := []int{0, 1, 2, 3, 4, 5, 6, 7}
	if f.short {
		return [][]int{all[:4], all[4:]}
	}
	return [][]int{all}
}

// correctionBits are the bits behind the point of corrections in memory: they
// are -128 times a block's sum of activations.
const correctionBits = 7

// armInt is an integer kernel: 16 outputs of some neighbouring tokens. Vectors
// of results and sums are numbered by token and by four outputs.
type armInt struct {
	neon
	armForm
	isa    armISA
	tokens int
	bank
	labels int
}

// bank allots vector registers.
type bank struct {
	next      int
	registers []string
}

// take returns n neighbouring registers and notes what they hold.
func (b *bank) take(n int, holds string) []int {
	r := make([]int, n)
	for i := range r {
		r[i] = b.next + i
	}
	b.next += n
	switch {
	case b.next > 32:
		panic(fmt.Sprintf("gen: %s need %d vector registers", holds, b.next))
	case n == 1:
		b.registers = append(b.registers, fmt.Sprintf("V%d %s", r[0], holds))
	case n > 1:
		b.registers = append(b.registers, fmt.Sprintf("V%d to V%d %s", r[0], r[n-1], holds))
	}
	return r
}

// head opens the function and loads the tile; registers that a form does not
// need stay free. Groups of blocks are counted where scales are as stored.
func (k *armInt) head() {
	mins, groups := "", ""
	fields := []string{"w", "R1", "scales", "R2", "q", "R3", "xs", "R4", "width", "R6", "blocks", "R8"}
	if k.hasMins() {
		mins = ", R13 minimums or 0"
		fields = append(fields, "mins", "R13", "corr", "R5")
	}
	if k.grouped() {
		groups = ", R9 blocks left in the group, R10 blocks of a group"
		fields = append(fields, "groupBlocks", "R10")
	}
	k.fn(k.name(k.isa, k.tokens), "(c *"+k.tile()+")", 8, append([]string{
		"R0 c, R1 weights, R2 their scales" + mins + ", R3 activations, R4 their scales, R5 corrections",
		"R6 and R7 steps of a block in R4 and R3, R8 blocks left" + groups,
		"R11 y, R12 its stride in bytes, R14 whether to add to it, R15 to R17 places within a block",
	}, k.registers...)...)
	k.op("MOVD", "c+0(FP)", "R0")
	k.fields(fields...)
	k.op("LSL", "$5", "R6", "R7")
	k.op("LSL", "$2", "R6")
}

// nibbles reports whether the kernel takes stored nibbles as they are.
func (f armForm) nibbles() bool { return !f.wide && f.bits == 4 }

// scaleStep is how far scales move on after a part of a block.
func (f armForm) scaleStep() int {
	if f.grouped() {
		return 0
	}
	if f.wide {
		return 64
	}
	return 32
}

// grouped reports whether a scale may serve several blocks.
func (f armForm) grouped() bool { return !f.wide && !f.short }

// fields loads fields of the tile at R0: name, register pairs.
func (k *armInt) fields(pairs ...string) {
	part := map[string]string{
		"q": "actView", "xs": "actView", "corr": "actView", "half": "actView", "width": "actView",
		"y": "output", "ld": "output", "add": "output",
	}
	for i := 0; i < len(pairs); i += 2 {
		at := k.tile() + "_" + pairs[i]
		if p, ok := part[pairs[i]]; ok {
			at = k.tile() + "_" + p + "+" + p + "_" + pairs[i]
		}
		k.op("MOVD", at+"(R0)", pairs[i+1])
	}
}

// fresh returns a label that is not in use.
func (k *armInt) fresh(what string) string {
	k.labels++
	return fmt.Sprintf("%s%d", what, k.labels)
}

// blocks writes the loop over blocks. Scales that serve several blocks are
// loaded to hoisted once a group, or by the block itself if it is nil.
func (k *armInt) blocks(hoisted []int, block func()) {
	if !k.grouped() {
		k.label("block")
		block()
		k.op("SUBS", "$1", "R8")
		k.op("BNE", "block")
		return
	}
	k.label("group")
	if hoisted != nil {
		k.scales("R2", 32, hoisted)
	}
	k.op("CMP", "R8", "R10")
	k.op("CSEL", "LT", "R10", "R8", "R9")
	k.op("SUB", "R9", "R8")
	k.label("block")
	block()
	k.op("SUBS", "$1", "R9")
	k.op("BNE", "block")
	if hoisted == nil {
		k.op("ADD", "$32", "R2")
	}
	if k.hasMins() {
		same := k.fresh("plain")
		k.op("CBZ", "R13", same)
		k.op("ADD", "$32", "R13")
		k.label(same)
	}
	k.op("CBNZ", "R8", "group")
}

// scales loads the scales or minimums of all outputs to four registers, in
// order; step is how far the place moves on.
func (k *armInt) scales(from string, step int, to []int) {
	move, place := "VLD1", "("+from+")"
	if step != 0 {
		move, place = "VLD1.P", mem(step, from)
	}
	if k.wide {
		k.op(move, place, list(to[0], 4, "S4"))
		return
	}
	k.op(move, place, list(to[2], 2, "H8"))
	k.two("FCVTL", to[0], to[2])
	k.two("FCVTL2", to[1], to[2])
	k.two("FCVTL", to[2], to[3])
	k.two("FCVTL2", to[3], to[3])
}

// tokenWords loads 32 bits a token, neighbours in memory, and steps to the next
// block: a token alone fills all lanes.
func (k *armInt) tokenWords(from string, to int) {
	switch k.tokens {
	case 1:
		k.op("VLD1R.P", "("+from+")(R6)", list(to, 1, "S4"))
	case 2:
		k.op("VLD1.P", "("+from+")(R6)", list(to, 1, "B8"))
	default:
		k.op("VLD1.P", "("+from+")(R6)", list(to, 1, "B16"))
	}
}

// scale adds sums, exact in 32 bits, times their scales and then those of the
// activations to results, each step for all at once: a core that keeps the order of
// instructions would wait for single ones.
func (k *armInt) scale(results, sums, scales []int, xs int) {
	for _, sum := range sums {
		k.two("SCVTF.4S", sum, sum)
	}
	for i, sum := range sums {
		k.three("FMUL.4S", sum, sum, scales[i%len(scales)])
	}
	for i, sum := range sums {
		k.lane("FMLA.4S", results[i], sum, xs, i/len(scales))
	}
}

// minimums adds the sums of activations times the minimums to the results, if
// there are any. corr holds minus those sums, point bits behind the point; if
// point is 0 it is not loaded yet. It is lost, as are the four of m.
func (k *armInt) minimums(results []int, corr, point, xs int, m []int) {
	if !k.hasMins() {
		return
	}
	none := k.fresh("noMinimums")
	k.op("CBZ", "R13", none)
	if point == 0 {
		k.tokenWords("R5", corr)
		point = correctionBits
	}
	k.scvtfFixed(corr, corr, point)
	k.three("FMUL.4S", corr, corr, xs)
	step := 0
	if k.wide {
		step = 64
	}
	k.scales("R13", step, m)
	for i, r := range results {
		k.lane("FMLS.4S", r, m[i%4], corr, i/4)
	}
	k.label(none)
}

// store writes the results, four registers a token, or adds them to what is
// there; four registers from old on are free.
func (k *armInt) store(results []int, old int) {
	k.fields("y", "R11", "ld", "R12", "add", "R14")
	k.op("LSL", "$2", "R12")
	for t := range k.tokens {
		write := k.fresh("write")
		k.op("CBZ", "R14", write)
		k.op("VLD1", "(R11)", list(old, 4, "S4"))
		for g := range 4 {
			k.three("FADD.4S", results[4*t+g], results[4*t+g], old+g)
		}
		k.label(write)
		k.op("VST1", list(results[4*t], 4, "S4"), "(R11)")
		if t+1 < k.tokens {
			k.op("ADD", "R12", "R11")
		}
	}
	k.op("RET")
}
