// Command runner is what runs on a board: it serves a controller on its standard
// input and output, and runs models by hand.
package main

import (
	"context"
	"os"

	"github.com/seed-c6f48606/harness/runners/command"
)

func main() {
	os.Exit(command.Run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
