package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed driver/onnx.js
var onnxDriver []byte

// onnxRuntime drives onnxruntime-node with graphs that are converted from the
// GGUF files, each once a session.
type onnxRuntime struct {
	Node, Script, Modules string
	Dir                   string // of the graphs
	Self                  string // this program
	Execute               func(ctx context.Context, dir string, argv []string) (outcome, error)

	graphs map[string]onnxFile // by the GGUF file's path
}

type onnxFile struct {
	path string
	err  error
}

// newONNX installs the package and writes the driver into dir.
func newONNX(ctx context.Context, in installer, dir string) (*onnxRuntime, error) {
	modules, err := in.npm(ctx, "onnxruntime-node", onnxVersion)
	if err != nil {
		return nil, err
	}
	o := &onnxRuntime{
		Modules: modules, Dir: dir, Script: filepath.Join(dir, "onnx.js"),
		Execute: in.execute, graphs: map[string]onnxFile{},
	}
	if o.Node, err = in.find("node", "install Node.js"); err != nil {
		return nil, err
	}
	if o.Self, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	if err := os.WriteFile(o.Script, onnxDriver, 0o644); err != nil {
		return nil, fmt.Errorf("writing the driver: %w", err)
	}
	return o, nil
}

// The command line that converts a file, and its exit status where the file's
// weights have no place in a graph. Converting takes the memory of a whole model,
// which the mark of peak memory would hand on to every program that is started
// later; so another process does it.
const (
	convertCommand = "convert-onnx"
	exitInexact    = 3
)

// convertMain is the program as another process of itself; it returns the exit
// status.
func convertMain(args []string, stderr *os.File) int {
	const positions = 4096 // more than any task has
	if len(args) != 2 {
		fmt.Fprintf(stderr, "%s takes two files\n", convertCommand)
		return 2
	}
	err := convert(args[0], args[1], positions)
	switch {
	case errors.Is(err, errInexact):
		fmt.Fprintln(stderr, err)
		return exitInexact
	case err != nil:
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// graph returns the graph of a GGUF file; the error matches errSkipped where it
// has none.
func (o *onnxRuntime) graph(ctx context.Context, file string) (string, error) {
	if g, ok := o.graphs[file]; ok {
		return g.path, g.err
	}
	to := filepath.Join(o.Dir, strings.TrimSuffix(filepath.Base(file), ".gguf")+".onnx")
	_, err := o.Execute(ctx, o.Dir, []string{o.Self, convertCommand, file, to})
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() == exitInexact:
		err = fmt.Errorf("%w: %w", errSkipped, errInexact)
	case err != nil:
		err = fmt.Errorf("converting: %w", err)
	}
	o.graphs[file] = onnxFile{to, err}
	return to, err
}

func (o *onnxRuntime) program() program {
	return program{
		Name: "ONNX Runtime", parse: parseOutput,
		command: func(ctx context.Context, file string, t task, threads int) (command, error) {
			graph, err := o.graph(ctx, file)
			return o.command(graph, ownArgs(graph, t, threads)), err
		},
		perplexity: func(ctx context.Context, file, tokens string, threads int) (command, error) {
			graph, err := o.graph(ctx, file)
			return o.command(graph, []string{"-m", graph, "--tokens", tokens, "-t", strconv.Itoa(threads)}), err
		},
	}
}

func (o *onnxRuntime) command(graph string, args []string) command {
	argv := append([]string{o.Node, o.Script, "--modules", o.Modules}, args...)
	return command{argv, []string{graph, graph + ".data"}}
}
