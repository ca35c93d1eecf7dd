// Package power reads the energy sensors of a machine.
//
// A Meter tells watts or joules of one or more rails. A Sampler polls it beside
// the workload, on the workload's own monotonic clock, and gives the energy of any
// window between two of its readings, with a 95 % interval (Energy says by what
// model); a Controller does so for work on another machine, whose clock it
// compares with its own. What is not there is unavailable, with the reason and what
// would mend it: never zero and never a data-sheet number.
//
// The package imports nothing of this module. Every file is read below a root
// that tests replace by a fixture tree.
package power
