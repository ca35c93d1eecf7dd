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

// superScales are such scales of a whole matrix.
type superScales struct {
	offset        float32
	groups        int      // of a superblock
	scale, min    []uint16 // per panel [superblocks][16]; min is nil if there are no minimums
	fine, fineMin []int8   // per panel [groups of a row][16]
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
	n := m.panelCount() * m.slots * panelRows
	s := &superScales{groups: groups, scale: arena[uint16](m, n/groups), fine: arena[int8](m, n)}
	if mins {
		s.offset, s.min, s.fineMin = float32(int(1)<<(m.format-1)), arena[uint16](m, n/groups), arena[int8](m, n)
	}
	return s
}

func (s *superScales) bytes() int64 {
	return sizeBytes(s.scale) + sizeBytes(s.min) + sizeBytes(s.fine) + sizeBytes(s.fineMin)
}

// SetSuperRows is SetRows for a matrix of NewSuper.
func (m *IntMatrix) SetSuperRows(from int, q []int8, s *Supers) {
	n := m.setIntegers(from, q)
	supers := m.cols / SuperValues
	if m.super == nil || len(s.Scale) != n*supers || len(s.Fine) != n*m.groups ||
		m.super.min != nil && (len(s.Min) != len(s.Scale) || len(s.FineMin) != len(s.Fine)) {
		panic(fmt.Sprintf("kernels: SetSuperRows of %d superblocks and %d groups for %d rows of %d", len(s.Scale), len(s.Fine), n, supers))
	}
	for i := range n {
		r := from + i
		scatter(m.super.scale, s.Scale, supers, r, i)
		scatter(m.super.fine, s.Fine, m.groups, r, i)
		if m.super.min != nil {
			scatter(m.super.min, s.Min, supers, r, i)
			scatter(m.super.fineMin, s.FineMin, m.groups, r, i)
		}
	}
}

// scatter writes row i of src, [rows][n], as row r of dst, [panels][n][16].
func scatter[T any](dst, src []T, n, r, i int) {
	at := r/panelRows*panelRows*n + r%panelRows
	for k, v := range src[i*n:][:n] {
		dst[at+k*panelRows] = v
	}
}

// fused reports whether the tier's kernels of stored panels read m's scales as they
// are: then products have them in f32, and only expanded panels need them joined.
func (m *IntMatrix) fused(tier Tier) bool {
	return m.super != nil && fuses(tier, m.format, m.group, m.super.min != nil)
}

// widenSupers writes panel p's joined scales and minimums as f32.
func (m *IntMatrix) widenSupers(scales, mins []float32, p int) {
	u, n := m.super, m.slots*panelRows
	at := p * n
	super, fine := u.scale[at/u.groups:][:n/u.groups], u.fine[at:][:n]
	joinScalesWide(scales[:n], super, fine, u.groups)
	if u.min != nil {
		joinMinsWide(mins[:n], u, at)
	}
}

// panelScales returns panel p's scales and minimums, [slots][16]; those of
// superblocks are worked out in part i of s's memory.
func (m *IntMatrix) panelScales(p, i int, s *scratch) (scales, mins []uint16) {
	n := m.slots * panelRows
	at := p * n
	if m.super == nil {
		scales = m.scales[at:][:n]
		if m.mins != nil {
			mins = m.mins[at:][:n]
		}
		return scales, mins
	}
	if size := 2 * maxStreams * n; cap(s.joined) < size {
		s.joined = aligned[uint16](size)
	}
	u := m.super
	super, fine := u.scale[at/u.groups:][:n/u.groups], u.fine[at:][:n]
	scales = s.joined[:cap(s.joined)][i*n:][:n]
	joinScales(scales, super, fine, u.groups)
	if u.min != nil {
		mins = s.joined[:cap(s.joined)][(maxStreams+i)*n:][:n]
		joinMins(mins, u, at)
	}
	// The next panel's are too few for the processor to see where they go on.
	fetch(u.fine, at+n, n)
	fetch(u.scale, (at+n)/u.groups, n/u.groups)
	fetch(u.fineMin, at+n, n)
	fetch(u.min, (at+n)/u.groups, n/u.groups)
	return scales, mins
}

// fetch asks for n elements of x from element at on, if it has so many.
func fetch[T any](x []T, at, n int) {
	if at+n <= len(x) {
		fetchLines((*uint8)(unsafe.Pointer(&x[at])), n*int(unsafe.Sizeof(x[0])))
	}
}

// maxStreams is how many panels a kernel takes at most.
const maxStreams = 4

// rowScale is the scale and the minimum of row r's group g.
func (m *IntMatrix) rowScale(r, g int) (scale, minimum float32) {
	at := r/panelRows*panelRows*m.slots + r%panelRows + g*panelRows
	if m.super == nil {
		if m.mins != nil {
			minimum = F16ToF32(m.mins[at])
		}
		return F16ToF32(m.scales[at]), minimum
	}
	u := m.super
	super := at/panelRows/u.groups*panelRows + at%panelRows
	if u.min != nil {
		minimum = u.joinedMin(super, at)
	}
	return F16ToF32(u.scale[super]) * float32(u.fine[at]), minimum
}

// joinedMin is the minimum of a place in fine and its superblock, rounded once:
// both products are exact.
func (u *superScales) joinedMin(super, at int) float32 {
	offset := u.offset * F16ToF32(u.scale[super]) * float32(u.fine[at])
	return offset - F16ToF32(u.min[super])*float32(u.fineMin[at])
}

// joinScalesGeneric writes the scales of groups, [superblocks][groups][16].
func joinScalesGeneric(dst, super []uint16, fine []int8, groups int) {
	for at := range dst {
		dst[at] = F32ToF16(F16ToF32(super[at/panelRows/groups*panelRows+at%panelRows]) * float32(fine[at]))
	}
}

// joinMinsGeneric writes their minimums; at is where the panel's groups begin in u.
func joinMinsGeneric(dst []uint16, u *superScales, at int) {
	for i := range dst {
		dst[i] = F32ToF16(u.joinedMin((at+i)/panelRows/u.groups*panelRows+i%panelRows, at+i))
	}
}
