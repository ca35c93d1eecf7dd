package main

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// quality is per multiply-accumulate, cycles by core; checksum is of the
// results.
type quality struct {
	instructions, loads float64
	cycles              []float64
	checksum            string
}

func (b *binaries) ours(k kernel) (quality, error) {
	symbols := make([]string, len(k.ours))
	for i, s := range k.ours {
		symbols[i] = "github.com/seed-c6f48606/harness/kernels." + s + ".abi0"
	}
	return b.measure(k, b.test, symbols, "-test.run=^$", "-test.bench=^BenchmarkIntKernel$/^"+k.name+"$", fmt.Sprintf("-test.benchtime=%dx", callCount))
}

func (b *binaries) theirs(k kernel) (quality, error) {
	symbols := k.theirs
	if symbols == nil {
		symbols = []string{k.name}
	}
	return b.measure(k, b.reference[k.isa], symbols, k.name, strconv.Itoa(callCount))
}

// span is the address range of a function.
type span struct{ lo, hi uint64 }

// measure runs a program under the emulator and counts in the functions of the
// given names, the first of which runs once a call.
func (b *binaries) measure(k kernel, program string, symbols []string, args ...string) (q quality, err error) {
	functions, err := spans(program, symbols)
	if err != nil {
		return q, err
	}
	all := functions[0]
	for _, f := range functions {
		all = span{min(all.lo, f.lo), max(all.hi, f.hi)}
	}
	counts := filepath.Join(b.dir, "counts")
	plugin := fmt.Sprintf("%s,lo=%d,hi=%d,out=%s", b.plugin, all.lo, all.hi, counts)
	out, err := exec.Command(emulator, append([]string{"-cpu", "max", "-plugin", plugin, program}, args...)...).CombinedOutput()
	if err != nil {
		return q, fmt.Errorf("%s: %w\n%s", emulator, err, out)
	}
	if m := regexp.MustCompile(`(\d+) checksum`).FindSubmatch(out); m != nil {
		q.checksum = string(m[1])
	}
	ran, err := readCounts(counts)
	if err != nil {
		return q, err
	}
	calls := ran[functions[0].lo]
	if calls == 0 {
		return q, fmt.Errorf("%s never ran:\n%s", symbols[0], out)
	}
	q.cycles = make([]float64, len(cores[k.isa]))
	macs := float64(calls) * float64(inputs*outputs*k.tokens)
	for _, f := range functions {
		code, err := disassemble(program, f, ran)
		if err != nil {
			return q, err
		}
		for _, i := range code {
			q.instructions += float64(i.ran) / macs
			if strings.HasPrefix(i.text, "ld") {
				q.loads += float64(i.ran) / macs
			}
		}
		for i, core := range cores[k.isa] {
			cycles, err := loopCycles(code, core)
			if err != nil {
				return q, err
			}
			q.cycles[i] += cycles / macs
		}
	}
	return q, nil
}

// spans finds the functions of the given names.
func spans(program string, names []string) ([]span, error) {
	f, err := elf.Open(program)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("reading symbols of %s: %w", program, err)
	}
	found := make([]span, len(names))
	for i, name := range names {
		for _, s := range symbols {
			if s.Name == name {
				found[i] = span{s.Value, s.Value + s.Size}
			}
		}
		if found[i].hi == 0 {
			return nil, fmt.Errorf("%s has no function %s", filepath.Base(program), name)
		}
	}
	return found, nil
}

// readCounts reads what the plugin wrote: how often each address ran.
func readCounts(path string) (map[uint64]int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	ran := map[uint64]int64{}
	for line := range strings.Lines(string(text)) {
		var at uint64
		var n int64
		if _, err := fmt.Sscanf(line, "%x %d", &at, &n); err != nil {
			return nil, fmt.Errorf("reading counts: %w", err)
		}
		ran[at] = n
	}
	return ran, nil
}
