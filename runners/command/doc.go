// Package command is the runner's command line. It is a package, not a main, so
// that the harness can carry the runner as a hidden command and start itself
// again on the local machine.
package command
