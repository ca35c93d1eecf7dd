package model

import "io"

// TensorBytes reads every tensor as it is stored.
func (g *GGUF) TensorBytes() (map[string][]byte, error) {
	all := map[string][]byte{}
	for name, t := range g.tensors {
		b := make([]byte, t.size)
		if _, err := io.ReadFull(io.NewSectionReader(g.source, t.offset, t.size), b); err != nil {
			return nil, err
		}
		all[name] = b
	}
	return all, nil
}
