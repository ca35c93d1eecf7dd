// Package board says what a machine is and how it is doing: kind of board,
// cores by type, features, memory, kernel, power mode, clocks, temperatures,
// cooling, supply and sensors. Facts come from sysfs, procfs and the device tree
// below a root that tests replace by a fixture tree, host facts through gopsutil,
// and a few from the board's own tools (getprop, nvpmodel, vcgencmd). A fact that
// a machine does not tell stays at its zero value or nil.
//
// [Diagnose] judges the facts: what makes measurements bad on that board, and
// what mends it. [Setting] changes power mode and clocks where the user allows
// it, and puts them back.
package board
