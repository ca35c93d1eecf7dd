// Package stat holds the statistics that every figure of the harness goes
// through: the tidy row in which results travel, intervals of medians, quantiles,
// means and ratios, rank tests, sequential tests of ABBA series, false-discovery
// control, and steps in the history of nights. docs/statistics.md has what was
// measured of each.
//
// It is a leaf: anyone may import it, it imports nothing of ours. Every function
// is deterministic; those that resample take a seed.
package stat
