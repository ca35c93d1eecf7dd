package kernels

import (
	"fmt"
	"unsafe"
)

// SuperValues is the inputs of a superblock.
const SuperValues = 256

// Supers are the scales of some rows of a matrix in superblocks of 256 inputs, as
// llama.cpp's k-quants have them (https://github.com/ggml-org/llama.cpp/pull/1684):
// w = Scale*Fine*(q+offset) - Min*FineMin, where offset makes q unsigned, or
// w = Scale*Fine*q without minimums.
type Supers struct {
	Scale, Min    []uint16 // binary16, [rows][cols/256]
	Fine, FineMin []int8   // [rows][cols/group]
}

// superScales are such scales of a whole matrix: those of a panel's superblock lie
// together, so that a kernel reads one stream of them.
type superScales struct {
	offset float32
	groups int // of a superblock
	mins   bool
	size   int     // of a superblock's, in bytes
	bytes  []uint8 // per panel [superblocks] what superBlock has, one after the other
}

// superBlock is the scales of a superblock of a panel.
type superBlock struct {
	scale, min    []uint16 // [16]; minimums are empty if there are none
	fine, fineMin []int8   // [groups][16]
}

// NewSuper is NewInt with Supers: a scale takes a byte, and one in 256 inputs
// two. cols is a multiple of 256, group divides it.
func NewSuper(bits, rows, cols, group int, mins bool) *IntMatrix {
	if cols%SuperValues != 0 || SuperValues%group != 0 {
		panic(fmt.Sprintf("kernels: NewSuper of %d inputs in groups of %d: needs superblocks of %d", cols, group, SuperValues))
	}
	m := newInt(bits, rows, cols, group, mins)
	m.super = newSupers(m, SuperValues/group, mins)
	return m
}

// newSupers has room for m's scales, with so many groups to a superblock.
func newSupers(m *IntMatrix, groups int, mins bool) *superScales {
	s := &superScales{groups: groups, mins: mins, size: panelRows * (2 + groups)}
	if mins {
		s.offset, s.size = float32(int(1)<<(m.format-1)), 2*s.size
	}
	s.bytes = arena[uint8](m, m.panelCount()*m.slots/groups*s.size)
	return s
}

// block returns superblock i: panels have cols/256 each.
func (s *superScales) block(i int) (b superBlock) {
	at := s.bytes[i*s.size:][:s.size]
	take := func(n int) unsafe.Pointer {
		p := unsafe.Pointer(unsafe.SliceData(at))
		at = at[n:]
		return p
	}
	b.scale = unsafe.Slice((*uint16)(take(2*panelRows)), panelRows)
	if s.mins {
		b.min = unsafe.Slice((*uint16)(take(2*panelRows)), panelRows)
	}
	n := s.groups * panelRows
	b.fine = unsafe.Slice((*int8)(take(n)), n)
	if s.mins {
		b.fineMin = unsafe.Slice((*int8)(take(n)), n)
	}
	return b
}

// SetSuperRows is SetRows for a matrix of NewSuper.
func (m *IntMatrix) SetSuperRows(from int, q []int8, s *Supers) {
	n := m.setIntegers(from, q)
	supers := m.cols / SuperValues
	if m.super == nil || len(s.Scale) != n*supers || len(s.Fine) != n*m.groups ||
		m.super.mins && (len(s.Min) != len(s.Scale) || len(s.FineMin) != len(s.Fine)) {
		panic(fmt.Sprintf("kernels: SetSuperRows of %d superblocks and %d groups for %d rows of %d", len(s.Scale), len(s.Fine), n, supers))
	}
	for i := range n {
		r := from + i
		lane := r % panelRows
		for k := range supers {
			b := m.super.block(r/panelRows*supers + k)
			from := i*supers + k
			b.scale[lane] = s.Scale[from]
			spread(b.fine[lane:], s.Fine[from*m.super.groups:][:m.super.groups])
			if m.super.mins {
				b.min[lane] = s.Min[from]
				spread(b.fineMin[lane:], s.FineMin[from*m.super.groups:][:m.super.groups])
			}
		}
	}
}

// spread writes src to the same row of groups of 16 rows each.
func spread(dst, src []int8) {
	for g, v := range src {
		dst[g*panelRows] = v
	}
}

// fused reports whether the tier's kernels of stored panels read m's scales as they
// are: then products have them in f32, and only expanded panels need them joined.
func (m *IntMatrix) fused(tier Tier) bool {
	return m.super != nil && fuses(tier, m.format, m.group, m.super.mins)
}

// widenSupers writes panel p's joined scales and minimums as f32.
func (m *IntMatrix) widenSupers(scales, mins []float32, p int) {
	u, n := m.super, m.slots*panelRows
	joinScalesWide(scales[:n], u, p*m.supers())
	if u.mins {
		joinMinsWide(mins[:n], u, p*m.supers())
	}
}

// supers is how many superblocks a panel has.
func (m *IntMatrix) supers() int { return m.slots / m.super.groups }

// panelScales returns panel p's scales and minimums, [slots][16]; those of
// superblocks are worked out in part i of s's memory.
func (m *IntMatrix) panelScales(p, i int, s *scratch) (scales, mins []uint16) {
	n := m.slots * panelRows
	if m.super == nil {
		at := p * n
		scales = m.scales[at:][:n]
		if m.mins != nil {
			mins = m.mins[at:][:n]
		}
		return scales, mins
	}
	if size := 2 * maxStreams * n; cap(s.joined) < size {
		s.joined = aligned[uint16](size)
	}
	u, first := m.super, p*m.supers()
	scales = s.joined[:cap(s.joined)][i*n:][:n]
	joinScales(scales, u, first)
	if u.mins {
		mins = s.joined[:cap(s.joined)][(maxStreams+i)*n:][:n]
		joinMins(mins, u, first)
	}
	// The next panel's are too few for the processor to see where they go on.
	if next := (first + m.supers()) * u.size; next < len(u.bytes) {
		fetchLines(&u.bytes[next], m.supers()*u.size)
	}
	return scales, mins
}

// maxStreams is how many panels a kernel takes at most.
const maxStreams = 4

// rowScale is the scale and the minimum of row r's group g.
func (m *IntMatrix) rowScale(r, g int) (scale, minimum float32) {
	if u := m.super; u != nil {
		b := u.block(r/panelRows*m.supers() + g/u.groups)
		if u.mins {
			minimum = b.joinedMin(r%panelRows, g%u.groups, u.offset)
		}
		return b.joinedScale(r%panelRows, g%u.groups), minimum
	}
	at := r/panelRows*panelRows*m.slots + r%panelRows + g*panelRows
	if m.mins != nil {
		minimum = F16ToF32(m.mins[at])
	}
	return F16ToF32(m.scales[at]), minimum
}

// joinedScale is the scale of group g of the panel's row r, an exact product.
func (b *superBlock) joinedScale(r, g int) float32 {
	return F16ToF32(b.scale[r]) * float32(b.fine[g*panelRows+r])
}

// joinedMin is its minimum, rounded once: both products are exact.
func (b *superBlock) joinedMin(r, g int, offset float32) float32 {
	low := offset * F16ToF32(b.scale[r]) * float32(b.fine[g*panelRows+r])
	return low - F16ToF32(b.min[r])*float32(b.fineMin[g*panelRows+r])
}

// joinGeneric writes scales or, if set, minimums of the superblocks from first on,
// [superblocks][groups][16].
func (s *superScales) joinGeneric(dst []uint16, first int, mins bool) {
	for ; len(dst) > 0; first++ {
		b := s.block(first)
		for g := range s.groups {
			for r := range panelRows {
				if mins {
					dst[r] = F32ToF16(b.joinedMin(r, g, s.offset))
				} else {
					dst[r] = F32ToF16(b.joinedScale(r, g))
				}
			}
			dst = dst[panelRows:]
		}
	}
}
