package main

import (
	"encoding/binary"
	"math"
)

// The part of ONNX's format that a graph of weights needs, written by hand:
// protobuf fields in the numbering of onnx.proto3
// (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3). Weights lie in a
// file beside the graph.

// message is an encoded protobuf message in the making.
type message []byte

func (m *message) integer(field int, v int64) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3)
	*m = binary.AppendUvarint(*m, uint64(v))
}

func (m *message) bytes(field int, v []byte) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3|2)
	*m = binary.AppendUvarint(*m, uint64(len(v)))
	*m = append(*m, v...)
}

func (m *message) text(field int, v string) { m.bytes(field, []byte(v)) }

func (m *message) float(field int, v float32) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3|5)
	*m = binary.LittleEndian.AppendUint32(*m, math.Float32bits(v))
}

// ONNX's numbers of element types.
const (
	onnxFloat   = 1
	onnxUint8   = 2
	onnxInt32   = 6
	onnxInt64   = 7
	onnxFloat16 = 10
)

// The operator sets: ONNX's own and Microsoft's, which has the quantized ones.
const (
	onnxDomain      = ""
	microsoftDomain = "com.microsoft"
	onnxOpset       = 21
	onnxIR          = 10
)

// onnxGraph collects the fields of a GraphProto.
type onnxGraph struct {
	fields   message
	dataFile string // name beside the graph
	offset   int64  // in that file
	write    func([]byte) error
	err      error
}

// attributes of a node: int64 or float32 values by name.
type attribute struct {
	name  string
	value any
}

// node appends an operator and returns its first output.
func (g *onnxGraph) node(domain, op string, inputs, outputs []string, attributes ...attribute) string {
	var n message
	for _, in := range inputs {
		n.text(1, in)
	}
	for _, out := range outputs {
		n.text(2, out)
	}
	n.text(3, outputs[0])
	n.text(4, op)
	for _, a := range attributes {
		const kindFloat, kindInt = 1, 2
		var m message
		m.text(1, a.name)
		switch v := a.value.(type) {
		case float32:
			m.float(2, v)
			m.integer(20, kindFloat)
		case int:
			m.integer(3, int64(v))
			m.integer(20, kindInt)
		}
		n.bytes(5, m)
	}
	if domain != onnxDomain {
		n.text(7, domain)
	}
	g.fields.bytes(1, n)
	return outputs[0]
}

// weight appends an initializer whose bytes go to the data file, and returns its
// name.
func (g *onnxGraph) weight(name string, kind int, shape []int, data []byte) string {
	const page = 4096 // external data is mapped
	if pad := -g.offset & (page - 1); pad > 0 {
		g.put(make([]byte, pad))
	}
	var t message
	for _, d := range shape {
		t.integer(1, int64(d))
	}
	t.integer(2, int64(kind))
	t.text(8, name)
	for _, e := range [][2]string{{"location", g.dataFile}, {"offset", itoa(g.offset)}, {"length", itoa(int64(len(data)))}} {
		var m message
		m.text(1, e[0])
		m.text(2, e[1])
		t.bytes(13, m)
	}
	const external = 1
	t.integer(14, external)
	g.fields.bytes(5, t)
	g.put(data)
	return name
}

func (g *onnxGraph) put(data []byte) {
	g.offset += int64(len(data))
	if g.err == nil {
		g.err = g.write(data)
	}
}

// value declares an input (field 11) or an output (field 12). Dimensions are
// numbers or names.
func (g *onnxGraph) value(field int, name string, kind int, shape ...any) {
	var dims message
	for _, d := range shape {
		var m message
		switch v := d.(type) {
		case int:
			m.integer(1, int64(v))
		case string:
			m.text(2, v)
		}
		dims.bytes(1, m)
	}
	var tensor, kindOf, v message
	tensor.integer(1, int64(kind))
	tensor.bytes(2, dims)
	kindOf.bytes(1, tensor)
	v.text(1, name)
	v.bytes(2, kindOf)
	g.fields.bytes(field, v)
}

// model wraps the graph into a ModelProto.
func (g *onnxGraph) model() []byte {
	g.fields.text(2, "model")
	var m message
	m.integer(1, onnxIR)
	m.text(2, "rivals")
	m.bytes(7, g.fields)
	for _, set := range []struct {
		domain  string
		version int64
	}{{onnxDomain, onnxOpset}, {microsoftDomain, 1}} {
		var o message
		o.text(1, set.domain)
		o.integer(2, set.version)
		m.bytes(8, o)
	}
	return m
}
