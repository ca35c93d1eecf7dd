// Package measure times a loaded model and judges whether the figures may be
// believed, and evaluates its quality.
//
// A trial warms up until latency has settled, then runs inferences for a window.
// What the machine did meanwhile (others' CPU time, pressure, throttling,
// swapping, the clock) is read from /proc and /sys before and after, below a
// root that tests replace by a fixture tree, and decides the trial's verdict. A
// doubtful trial is no error: its samples travel with their verdict and warnings.
//
// Quality needs no quiet machine: predictions, perplexity, and the divergence
// from a reference that the dense f32 model wrote into a file before.
package measure
