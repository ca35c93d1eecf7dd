// Command arm64 judges the integer kernels of arm64 without the hardware: the
// instructions a multiply-accumulate takes, counted under user-mode emulation,
// and the cycles that llvm-mca estimates for the loop, beside gcc's code for the
// same layout in intrinsics. Neither sees cache misses or the clock: this is
// instruction quality, not speed. It fails where ours takes more instructions.
package main

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

//go:embed c
var sources embed.FS

// Tools that Debian ships apart, and where.
const (
	emulator  = "qemu-aarch64" // the dynamic one: the static one takes no plugins
	mca       = "llvm-mca-19"
	cross     = "aarch64-linux-gnu-gcc"
	objdump   = "aarch64-linux-gnu-objdump"
	compiler  = "cc"
	inputs    = 1024
	outputs   = 16
	callCount = 20
)

var packages = map[string]string{
	emulator: "qemu-user",
	mca:      "llvm-19",
	cross:    "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
	objdump:  "binutils-aarch64-linux-gnu",
	compiler: "gcc libc6-dev",
}

// isa is an instruction set and how gcc names it.
type isa struct{ name, march string }

var (
	neon = isa{"ARMv8.0", "armv8-a"}
	dot  = isa{"dotprod", "armv8.2-a+dotprod"}
	i8mm = isa{"i8mm", "armv8.6-a+i8mm"}
)

// cores are those that llvm-mca estimates cycles for: what it knows of the
// Cortex-A76 is the model of older cores, of the Neoverse N1 its own.
var cores = map[isa][]string{
	neon: {"cortex-a72"},
	dot:  {"neoverse-n1", "cortex-a55"},
	i8mm: {"neoverse-v1", "neoverse-n2"},
}

// kernel is one line of the table: symbols of ours and of the reference, which
// does as much at a call.
type kernel struct {
	isa
	name, what   string
	tokens       int
	ours, theirs []string
}

var kernels = []kernel{
	{neon, "neon_q8x1", "q8, 1 token", 1, []string{"mul8NEONT1"}, nil},
	{neon, "neon_q8x2", "q8, 2 tokens", 2, []string{"mul8NEONT2"}, nil},
	{neon, "neon_q4x1", "q4, 1 token", 1, []string{"mul4NEONT1"}, nil},
	{neon, "neon_q4x2", "q4, 2 tokens", 2, []string{"mul4NEONT2"}, nil},
	{dot, "dot_q8x1", "q8, 1 token", 1, []string{"mul8DotT1"}, nil},
	{dot, "dot_q8x2", "q8, 2 tokens", 2, []string{"mul8DotT2"}, nil},
	{dot, "dot_q8x4", "q8, 4 tokens, f32 scales", 4, []string{"wideDotT4"}, nil},
	{dot, "dot_q4x1", "q4, 1 token", 1, []string{"mul4DotT1"}, nil},
	{dot, "dot_q4x2", "q4, 2 tokens", 2, []string{"mul4DotT2"}, nil},
	{dot, "dot_q4x4", "q4, 4 tokens", 4, []string{"mul4DotT4"}, nil},
	{i8mm, "i8mm_q8x4", "q8 expanded, 4 tokens", 4, []string{"wideI8MMT4"}, nil},
	{i8mm, "i8mm_q4x8", "q4 with expansion, 8 tokens", 8, []string{"expand4I8MM", "wideI8MMT4"}, []string{"i8mm_expand4", "i8mm_q8x4"}},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "arm64-quality:", err)
		os.Exit(1)
	}
}

func run() error {
	if err := checkTools(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "arm64-quality")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := build(dir)
	if err != nil {
		return err
	}
	fmt.Println("Instruction quality of the integer kernels of arm64, 16 outputs x 1,024 inputs, groups of 32.")
	fmt.Println("Instructions and loads are counted under emulation; cycles are llvm-mca's for the loop, loads hitting L1.")
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nisa\tkernel\tinsn/MAC\tgcc -O3\tratio\tloads/MAC\tgcc -O3\tratio")
	cycles := []string{"\nisa\tkernel\tcore\tcycles/MAC\tgcc -O3\tratio"}
	var worse []string
	for _, k := range kernels {
		ours, err := b.ours(k)
		if err != nil {
			return fmt.Errorf("measuring %s: %w", k.name, err)
		}
		theirs, err := b.theirs(k)
		if err != nil {
			return fmt.Errorf("measuring gcc's %s: %w", k.name, err)
		}
		if ours.checksum != theirs.checksum {
			return fmt.Errorf("%s: our results have checksum %s, gcc's %s: they do not compute the same", k.name, ours.checksum, theirs.checksum)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", k.isa.name, k.what,
			compare(ours.instructions, theirs.instructions), compare(ours.loads, theirs.loads))
		for i, core := range cores[k.isa] {
			cycles = append(cycles, fmt.Sprintf("%s\t%s\t%s\t%s", k.isa.name, k.what, core, compare(ours.cycles[i], theirs.cycles[i])))
		}
		if ours.instructions > theirs.instructions {
			worse = append(worse, k.isa.name+" "+k.what)
		}
	}
	t.Flush()
	fmt.Fprintln(t, strings.Join(cycles, "\n"))
	t.Flush()
	if worse != nil {
		return fmt.Errorf("more instructions per MAC than gcc's: %s", strings.Join(worse, "; "))
	}
	return nil
}

func compare(ours, theirs float64) string {
	return fmt.Sprintf("%.4f\t%.4f\t%.3f", ours, theirs, ours/theirs)
}

func checkTools() error {
	var missing []string
	for _, tool := range slices.Sorted(maps.Keys(packages)) {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, fmt.Sprintf("%s (Debian: %s)", tool, packages[tool]))
		}
	}
	if missing != nil {
		return errors.New("tools are missing: " + strings.Join(missing, ", "))
	}
	return nil
}

// binaries are what is measured: paths of the plugin, the test binary of package
// kernels and the reference for each instruction set.
type binaries struct {
	dir, plugin, test string
	reference         map[isa]string
}

func build(dir string) (*binaries, error) {
	for _, name := range []string{"count.c", "reference.c"} {
		text, err := sources.ReadFile("c/" + name)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	b := &binaries{dir, filepath.Join(dir, "count.so"), filepath.Join(dir, "kernels.test"), map[isa]string{}}
	if err := command(nil, compiler, "-O2", "-shared", "-fPIC", "-o", b.plugin, filepath.Join(dir, "count.c")); err != nil {
		return nil, fmt.Errorf("building the plugin: %w", err)
	}
	for _, i := range []isa{neon, dot, i8mm} {
		b.reference[i] = filepath.Join(dir, "reference-"+i.name)
		if err := command(nil, cross, "-O3", "-static", "-march="+i.march, "-o", b.reference[i], filepath.Join(dir, "reference.c")); err != nil {
			return nil, fmt.Errorf("building the reference for %s: %w", i.name, err)
		}
	}
	env := append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if err := command(env, "go", "test", "-c", "-o", b.test, "./kernels"); err != nil {
		return nil, fmt.Errorf("building the kernels: %w", err)
	}
	return b, nil
}

func command(env []string, name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Env = env
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}
