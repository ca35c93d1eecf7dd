package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// The samples of a trial are stored as one value, about six bytes a sample:
//
//	format  1 byte, packedV1
//	n       uvarint
//	latency column, then start, items and tokens columns
//
// A float column begins with its mode. Runners time in whole nanoseconds, so a
// float is stored as the integer that gives it back bit for bit, and where one
// value has no such integer the column is stored raw. An integer latency is
// stored as the difference to the last, a start as that to the end of the last
// sample; both as zigzag varints.
const packedV1 = 1

// Modes of a column.
const (
	rawFloats = 0 // 8 bytes each, little-endian
	wholeNS   = 1 // varints of nanoseconds, see scale

	oneInt  = 0 // one varint that holds for all
	allInts = 1 // a varint each
)

// scale is a unit in which a float counts nanoseconds.
type scale func(time.Duration) float64

func seconds(d time.Duration) float64      { return d.Seconds() }
func milliseconds(d time.Duration) float64 { return 1e3 * d.Seconds() }

// whole returns the nanoseconds that give every value back; nil where there are none.
func whole(n int, perNS float64, unit scale, at func(int) float64) []int64 {
	out := make([]int64, n)
	for i := range out {
		v := at(i)
		ns := math.Round(v * perNS)
		if math.Abs(ns) >= 1<<62 {
			return nil
		}
		out[i] = int64(ns)
		if math.Float64bits(unit(time.Duration(out[i]))) != math.Float64bits(v) {
			return nil
		}
	}
	return out
}

// packSamples encodes samples. Values that are not finite are refused.
func packSamples(xs []wire.Sample) ([]byte, error) {
	for i, x := range xs {
		for name, v := range map[string]float64{"t_s": x.TimeS, "latency_ms": x.LatencyMS} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("sample %d: %s is %g: a time is a finite number", i, name, v)
			}
		}
	}
	b := binary.AppendUvarint(append(make([]byte, 0, 8*len(xs)+16), packedV1), uint64(len(xs)))
	latency := func(i int) float64 { return xs[i].LatencyMS }
	start := func(i int) float64 { return xs[i].TimeS }
	spent := whole(len(xs), 1e6, milliseconds, latency)
	b = appendFloats(b, len(xs), latency, spent, nil)
	b = appendFloats(b, len(xs), start, whole(len(xs), 1e9, seconds, start), spent)
	b = appendInts(b, len(xs), func(i int) int { return xs[i].Items })
	return appendInts(b, len(xs), func(i int) int { return xs[i].Tokens }), nil
}

// appendFloats appends a column; spent is what the next value is expected to be
// later than the last, nil for nothing.
func appendFloats(b []byte, n int, at func(int) float64, ns, spent []int64) []byte {
	if ns == nil {
		b = append(b, rawFloats)
		for i := range n {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(at(i)))
		}
		return b
	}
	b = append(b, wholeNS)
	last := int64(0)
	for i, v := range ns {
		b = binary.AppendVarint(b, v-last)
		last = v
		if spent != nil {
			last += spent[i]
		}
	}
	return b
}

func appendInts(b []byte, n int, at func(int) int) []byte {
	same := n > 0
	for i := 1; i < n; i++ {
		same = same && at(i) == at(0)
	}
	if same {
		return binary.AppendVarint(append(b, oneInt), int64(at(0)))
	}
	b = append(b, allInts)
	for i := range n {
		b = binary.AppendVarint(b, int64(at(i)))
	}
	return b
}

var errPacked = errors.New("stored samples are damaged")

// packed reads a value from its front.
type packed struct {
	data []byte
	n    int
}

// openPacked reads the head. Memory for n samples may be taken afterwards: they
// have at least a byte each.
func openPacked(data []byte) (packed, error) {
	if len(data) == 0 || data[0] != packedV1 {
		return packed{}, fmt.Errorf("%w: unknown format", errPacked)
	}
	n, size := binary.Uvarint(data[1:])
	if size <= 0 || n > uint64(len(data)) {
		return packed{}, fmt.Errorf("%w: wrong count", errPacked)
	}
	return packed{data[1+size:], int(n)}, nil
}

func (p *packed) mode() (byte, error) {
	if len(p.data) == 0 {
		return 0, errPacked
	}
	m := p.data[0]
	p.data = p.data[1:]
	return m, nil
}

func (p *packed) varint() (int64, error) {
	v, size := binary.Varint(p.data)
	if size <= 0 {
		return 0, errPacked
	}
	p.data = p.data[size:]
	return v, nil
}

// floats reads a column. ns, where not nil, takes the nanoseconds of a column of
// whole ones; spent is as it was written with.
func (p *packed) floats(unit scale, spent, ns []int64, put func(int, float64)) (isWhole bool, err error) {
	mode, err := p.mode()
	if err != nil {
		return false, err
	}
	switch mode {
	case rawFloats:
		if len(p.data) < 8*p.n {
			return false, errPacked
		}
		for i := range p.n {
			put(i, math.Float64frombits(binary.LittleEndian.Uint64(p.data[8*i:])))
		}
		p.data = p.data[8*p.n:]
		return false, nil
	case wholeNS:
		last := int64(0)
		for i := range p.n {
			v, err := p.varint()
			if err != nil {
				return true, err
			}
			last += v
			put(i, unit(time.Duration(last)))
			if ns != nil {
				ns[i] = last
			}
			if spent != nil {
				last += spent[i]
			}
		}
		return true, nil
	}
	return false, errPacked
}

func (p *packed) ints(put func(int, int)) error {
	mode, err := p.mode()
	if err != nil || mode > allInts {
		return errPacked
	}
	v := int64(0)
	for i := range p.n {
		if mode == allInts || i == 0 {
			if v, err = p.varint(); err != nil {
				return err
			}
		}
		put(i, int(v))
	}
	return nil
}

// unpackSamples decodes what packSamples encoded.
func unpackSamples(data []byte) ([]wire.Sample, error) {
	p, err := openPacked(data)
	if err != nil {
		return nil, err
	}
	xs, spent := make([]wire.Sample, p.n), make([]int64, p.n)
	isWhole, err := p.floats(milliseconds, nil, spent, func(i int, v float64) { xs[i].LatencyMS = v })
	if err != nil {
		return nil, err
	}
	if !isWhole {
		spent = nil
	}
	if _, err := p.floats(seconds, spent, nil, func(i int, v float64) { xs[i].TimeS = v }); err != nil {
		return nil, err
	}
	if err := p.ints(func(i, v int) { xs[i].Items = v }); err != nil {
		return nil, err
	}
	if err := p.ints(func(i, v int) { xs[i].Tokens = v }); err != nil {
		return nil, err
	}
	if len(p.data) > 0 {
		return nil, errPacked
	}
	return xs, nil
}

// unpackLatencies decodes the latencies alone, in milliseconds, into buf.
func unpackLatencies(data []byte, buf []float64) ([]float64, error) {
	p, err := openPacked(data)
	if err != nil {
		return nil, err
	}
	buf = slices.Grow(buf[:0], p.n)[:p.n]
	_, err = p.floats(milliseconds, nil, nil, func(i int, v float64) { buf[i] = v })
	return buf, err
}
