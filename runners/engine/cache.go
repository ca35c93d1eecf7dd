package engine

import (
	"slices"

	"github.com/seed-c6f48606/harness/kernels"
)

// layerCache holds the keys and values of one layer for one sequence, in groups
// of kernels.KVGroup tokens. The first shared ones belong to several sequences
// and are never written.
type layerCache struct {
	groups [][]byte
	shared int
}

// slabGroups is how many groups are allocated at a time when no more are known
// to be needed: they lie one behind the other, as attention likes them.
const slabGroups = 8

// groupsOf is the number of groups of so many tokens.
func groupsOf(tokens int) int { return (tokens + kernels.KVGroup - 1) / kernels.KVGroup }

// reach makes room for tokens up to n, for floor at least and for limit at
// most; size is that of a group.
func (c *layerCache) reach(n, floor, limit, size int) {
	need := groupsOf(n) - len(c.groups)
	if need <= 0 {
		return
	}
	more := max(need, groupsOf(floor)-len(c.groups))
	if floor < n { // nobody knows how many there will be
		more = max(need, min(slabGroups, max(len(c.groups), slabGroups/2), groupsOf(limit)-len(c.groups)))
	}
	slab := make([]byte, more*size)
	c.groups = slices.Grow(c.groups, more)
	for ; len(slab) > 0; slab = slab[size:] {
		c.groups = append(c.groups, slab[:size])
	}
}

// reset forgets the tokens, keeping memory that belongs to nobody else.
func (c *layerCache) reset() { c.cut(0) }

// cut forgets the tokens behind the first groups, likewise.
func (c *layerCache) cut(groups int) {
	if groups < c.shared {
		c.groups = slices.Delete(c.groups, groups, c.shared)
		c.shared = groups
	}
}

// share makes the first groups of from those of c.
func (c *layerCache) share(from *layerCache, groups int) {
	c.reset()
	if groups = min(groups, len(from.groups)); groups == 0 { // a layer that the sequence skips
		return
	}
	from.shared = max(from.shared, groups)
	c.groups = slices.Insert(c.groups, 0, from.groups[:groups]...)
	c.shared = groups
}

// bytes is the memory that belongs to this cache alone.
func (c *layerCache) bytes() (n int64) {
	for _, g := range c.groups[c.shared:] {
		n += int64(len(g))
	}
	return n
}
