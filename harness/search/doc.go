// Package search decides which cells of a plan are worth further trials and how
// sure it is of the Pareto front. It measures nothing: what is known of the cells
// comes in, what to measure next and why comes out, so that a live sweep and the
// replay of a recorded one take the same decisions.
//
// Decisions depend on the plan's seed and the measured values alone. A search
// that is asked again with the same values answers the same, which is what
// makes a run resumable from its stored trials.
package search
