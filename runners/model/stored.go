package model

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/seed-c6f48606/harness/kernels"
)

// Stored is a matrix whose values stay where they are, in a file or in the
// rule that computes them, and are read some rows at a time. Its methods are
// safe for concurrent use.
//
// Files are read with pread into a small buffer, not mapped: their pages never
// count as this process's memory, a file cut short under it is an error and no
// SIGBUS, and a buffer that stays in the processor's cache costs a copy of it
// less than the page faults of a mapping do.
type Stored struct {
	rows, cols int
	source     rowSource
}

// rowSource gives rows of a matrix.
type rowSource interface {
	format() Format
	floats(from, n int, dst []float32) error
	bytes() int64 // that the matrix takes in the file
}

// intSource gives integers with a scale for each group.
type intSource interface {
	ints(from, n int, q []int8, scale []uint16) error
}

// superSource gives integers in superblocks.
type superSource interface {
	supers(from, n int, q []int8, scales *kernels.Supers) error
}

func storedMatrix(rows, cols int, source rowSource) *Matrix {
	return &Matrix{Rows: rows, Cols: cols, Stored: &Stored{rows, cols, source}}
}

// Format tells how the values of a stored matrix are kept.
type Format struct {
	Bits  int  // of integers, 2 to 8; 0 where the values are floats
	Group int  // values of a row that share a scale: 16, 32, …
	Mins  bool // groups have a minimum beside their scale
	Super bool // scales are those of superblocks: read them by Supers, not by Ints
}

// Format tells how the values are kept.
func (s *Stored) Format() Format { return s.source.format() }

// Ints reads rows from to from+n-1 as integers with a scale for each group: q
// takes n·cols values, scale n·⌈cols/group⌉ f16 values, so that w = scale·q.
func (s *Stored) Ints(from, n int, q []int8, scale []uint16) error {
	f := s.Format()
	source, ok := s.source.(intSource)
	if !ok || f.Bits == 0 || f.Super {
		return unsupportedf("the matrix does not hold integers with a scale for each group")
	}
	if err := s.check(from, n); err != nil {
		return err
	}
	groups := n * ((s.cols + f.Group - 1) / f.Group)
	if len(q) < n*s.cols || len(scale) < groups {
		return fmt.Errorf("%d integers and %d scales have no room for %d rows of %d", len(q), len(scale), n, s.cols)
	}
	return source.ints(from, n, q[:n*s.cols], scale[:groups])
}

// Supers reads rows from to from+n-1 as integers and scales of superblocks. q
// takes n·cols values; the lengths of scales are kernels.Supers' for n rows.
func (s *Stored) Supers(from, n int, q []int8, scales *kernels.Supers) error {
	f := s.Format()
	source, ok := s.source.(superSource)
	if !ok || !f.Super {
		return unsupportedf("the matrix holds no superblocks")
	}
	if err := s.check(from, n); err != nil {
		return err
	}
	groups, supers := n*s.cols/f.Group, n*s.cols/superValues
	if len(q) < n*s.cols || len(scales.Scale) < supers || len(scales.Fine) < groups ||
		f.Mins && (len(scales.Min) < supers || len(scales.FineMin) < groups) {
		return fmt.Errorf("%d integers, %d superblocks and %d groups have no room for %d rows of %d", len(q), len(scales.Scale), len(scales.Fine), n, s.cols)
	}
	return source.supers(from, n, q[:n*s.cols], scales)
}

// Floats reads rows from to from+n-1 as n·cols exact float32 values.
func (s *Stored) Floats(from, n int, dst []float32) error {
	if err := s.check(from, n); err != nil {
		return err
	}
	if len(dst) < n*s.cols {
		return fmt.Errorf("%d floats have no room for %d rows of %d", len(dst), n, s.cols)
	}
	return s.source.floats(from, n, dst[:n*s.cols])
}

// is reports whether the values are blocks of the given type in a file.
func (s *Stored) is(kind ggmlType) bool {
	b, ok := s.source.(*blockRows)
	return ok && b.kind == kind
}

func (s *Stored) check(from, n int) error {
	if from < 0 || n < 0 || from > s.rows-n {
		return fmt.Errorf("rows %d to %d are not among %d", from, from+n-1, s.rows)
	}
	return nil
}

// Materialize returns the matrix with its values in memory: a stored matrix as
// integers where those and their f16 scales are exact (Q8_0, Q4_0), as bf16
// where it is that, otherwise in float32; any other matrix as it is.
func (m *Matrix) Materialize() (*Matrix, error) {
	switch m.Kind() {
	case KindFactored:
		b, err := m.B.Materialize()
		if err != nil {
			return nil, err
		}
		a, err := m.A.Materialize()
		if err != nil {
			return nil, err
		}
		return &Matrix{Rows: m.Rows, Cols: m.Cols, B: b, A: a}, nil
	case KindStored:
	default:
		return m, nil
	}
	out := m.form()
	var read func(from, n int) error
	switch out.Kind() {
	case KindInt:
		groups := out.Groups()
		out.Q, out.Scale = make([]int8, m.Rows*m.Cols), make([]uint16, m.Rows*groups)
		read = func(from, n int) error {
			return m.Stored.Ints(from, n, out.Q[from*m.Cols:], out.Scale[from*groups:])
		}
	case KindBF16:
		out.BF16 = make([]uint16, m.Rows*m.Cols)
		read = func(from, n int) error {
			wide := make([]float32, n*m.Cols)
			err := m.Stored.Floats(from, n, wide)
			for i, f := range wide {
				out.BF16[from*m.Cols+i] = kernels.F32ToBF16(f)
			}
			return err
		}
	default:
		out.F32 = make([]float32, m.Rows*m.Cols)
		read = func(from, n int) error { return m.Stored.Floats(from, n, out.F32[from*m.Cols:]) }
	}
	if err := eachRows(m.Rows, m.Cols, read); err != nil {
		return nil, err
	}
	return out, nil
}

// form is what a stored matrix materializes to, still without its values.
func (m *Matrix) form() *Matrix {
	out := &Matrix{Rows: m.Rows, Cols: m.Cols}
	switch f := m.Stored.Format(); {
	case f.Bits > 0 && !f.Super && f.Group%32 == 0:
		out.Q, out.Bits, out.Group = []int8{}, f.Bits, f.Group
	case m.Stored.is(ggmlBF16):
		out.BF16 = []uint16{}
	default:
		out.F32 = []float32{}
	}
	return out
}

// eachRows splits the rows of a matrix among the processors, about 64 thousand
// values at a time, and returns the first error.
func eachRows(rows, cols int, use func(from, n int) error) error {
	step := max(1, 1<<16/cols)
	pieces := (rows + step - 1) / step
	var (
		mu    sync.Mutex
		next  int
		first error
		wg    sync.WaitGroup
	)
	claim := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		at := next
		next++
		return at, at < pieces && first == nil
	}
	for range min(runtime.GOMAXPROCS(0), pieces) {
		wg.Go(func() {
			for {
				i, ok := claim()
				if !ok {
					return
				}
				if err := use(i*step, min(step, rows-i*step)); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return first
}
