//go:build noasm || !amd64

package kernels

// mulPairs leaves all panels to others: there is no AMX.
func (m *IntMatrix) mulPairs(_ *Out, _, lo, _ int, _ *scratch) int { return lo }
