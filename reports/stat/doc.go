// Package stat holds the statistics that every figure of the harness goes
// through: the tidy row in which results travel, order-statistic intervals of
// medians and quantiles, the bootstrap, and paired tests between variants.
//
// It is a leaf: anyone may import it, it imports nothing of ours. Every function
// is deterministic; those that resample take a seed.
package stat
