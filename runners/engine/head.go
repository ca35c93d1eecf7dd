package engine

import "fmt"

// packHead packs the head of a classifier's language model.
func (e *Engine) packHead() error {
	if e.headSource == nil {
		return nil
	}
	load := &loader{exact: e.options.Exact}
	head := load.pack(e.headSource)
	if err := load.run(e.pool); err != nil {
		return fmt.Errorf("packing the head: %w", err)
	}
	e.head, e.headSource = head, nil
	return nil
}

// Restrict makes Forward compute logits of the given vocabulary rows only, in
// that order: enough where a prompt is classified through label tokens, at a
// cost of next to nothing. A later call counts rows of the whole vocabulary
// again; none at all restores it.
func (e *Engine) Restrict(rows []int32) error {
	if e.whole == nil {
		if err := e.packHead(); err != nil {
			return err
		}
		e.whole = e.head
	}
	if len(rows) == 0 {
		e.head = e.whole
		return nil
	}
	for i, r := range rows {
		if r < 0 || int(r) >= e.config.VocabSize {
			return fmt.Errorf("restricting logits: %w: row %d is %d, the vocabulary has %d", ErrToken, i, r, e.config.VocabSize)
		}
	}
	e.head = e.whole.keep(rows)
	return nil
}
