// Command harness measures which compressed variant of a small language model
// should run on which board, what it costs, and whether a change made it worse.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
