// Package wire holds the records that a controller and a runner exchange, and
// their encoding: JSON lines on the runner's standard input and output.
//
// A line is {"type":T,"id":N,"body":B}. The controller opens with a hello, the
// runner answers with its own, and either refuses a partner that speaks another
// protocol or was built from another version. After that the controller sends
// requests, each with an id of its own, and the runner sends, under the same id,
// any number of progress lines and exactly one answer: the result or an error.
// A cancel carries the id of the request to give up. When its input ends the
// runner stops, so that a dead controller leaves no process behind.
//
// The package is a leaf: it imports the standard library only, so that targets,
// reports and the controller may all use its records.
package wire

// Protocol is the number of this wire format. It grows with every change that
// an older partner would misread.
const Protocol = 1
