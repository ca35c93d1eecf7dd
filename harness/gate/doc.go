// Package gate decides whether a change made anything worse: it compares stored
// runs metric by metric and cell by cell, measures two builds, models or recipes in
// one interleaved series on a board, tells which kernel a slow-down is in and which
// commit brought it, and carries out the nightly plan around all that.
package gate
