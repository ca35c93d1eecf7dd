package targets

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// maxNodes bounds an inventory with its aliases written out; 10,000 entries with
// ten keys each take a fifth of it.
const maxNodes = 1 << 20

// weight counts the nodes that a tree has once its aliases are written out. A few
// lines of aliases of lists of aliases would fill the memory.
type weight struct {
	nodes   int
	anchors map[string]int
	fault   error
}

// weigh refuses a tree that is too large, or has an alias without an anchor above it.
func weigh(n ast.Node) error {
	w := &weight{anchors: map[string]int{}}
	ast.Walk(w, n)
	return w.fault
}

// Visit counts one node.
func (w *weight) Visit(n ast.Node) ast.Visitor {
	if w.fault != nil {
		return nil
	}
	w.nodes++
	switch n := n.(type) {
	case *ast.AnchorNode:
		inner := &weight{anchors: w.anchors}
		ast.Walk(inner, n.Value)
		w.anchors[n.Name.GetToken().Value] = inner.nodes
		w.nodes, w.fault = w.nodes+inner.nodes, inner.fault
		return nil
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		nodes, ok := w.anchors[name]
		if !ok {
			w.fault = &LineError{lineOf(n), fmt.Sprintf("alias %s has no anchor above it", cut(name))}
		}
		w.nodes += nodes
	}
	if w.fault == nil && w.nodes > maxNodes {
		w.fault = &LineError{lineOf(n), fmt.Sprintf("the inventory with its aliases written out has more than %d values", maxNodes)}
	}
	return w
}
