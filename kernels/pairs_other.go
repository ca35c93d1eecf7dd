//go:build noasm || !amd64

package kernels

// pairBlocks has no caller here: only AVX2 reads pairs.
func pairBlocks([]int8, []int8) { panic("kernels: no kernel of this build reads pairs") }

// mulPairs leaves all panels to others: no kernel of this build takes two.
func (m *IntMatrix) mulPairs(_ Tier, _ *Out, _, lo, _ int, _ *scratch) int { return lo }

// byTwos reports whether n tokens are multiplied with two panels at a time.
func (m *IntMatrix) byTwos(Tier, int) bool { return false }

// start fills starts: no kernel of this build wants any.
func (o *Out) start(Tier, int) bool { return false }

// packPanel packs 16 rows of whole blocks; false: that is left to plain Go.
func packPanel(format, []uint8, []int8, int) bool { return false }

// streams is how many panels the kernel of one token takes that takes most.
func streams(Tier) int { return 1 }

func mulDirectPanels(Tier, format, int, *intTile) {
	panic("kernels: no kernel of this build takes several panels")
}

// fuses reports whether kernels of stored panels join scales of superblocks.
func fuses(Tier, format, int, bool) bool { return false }

const noFuse = "kernels: no kernel of this build joins scales of superblocks"

func joinScalesWide([]float32, *superScales, int) { panic(noFuse) }

func joinMinsWide([]float32, *superScales, int) { panic(noFuse) }
