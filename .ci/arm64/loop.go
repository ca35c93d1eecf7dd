package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// instruction is one line of a function: where, as GNU objdump writes it, how
// often it ran, and where it jumps to if it is a branch.
type instruction struct {
	at     uint64
	text   string
	ran    int64
	target uint64
}

var (
	line   = regexp.MustCompile(`^\s*([0-9a-f]+):\s+(.*?)(?:\s+// .*)?$`)
	branch = regexp.MustCompile(`^(b|b\.\w+|cbn?z|tbn?z)\s.*?([0-9a-f]+) <[^>]*>$`)
)

func disassemble(program string, f span, ran map[uint64]int64) ([]instruction, error) {
	out, err := exec.Command(objdump, "-d", "--no-show-raw-insn",
		fmt.Sprintf("--start-address=%d", f.lo), fmt.Sprintf("--stop-address=%d", f.hi), program).Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", objdump, err)
	}
	return parse(string(out), ran)
}

// parse reads what objdump wrote.
func parse(text string, ran map[uint64]int64) ([]instruction, error) {
	var code []instruction
	for l := range strings.Lines(text) {
		m := line.FindStringSubmatch(strings.TrimRight(l, "\n"))
		if m == nil {
			continue
		}
		at, err := strconv.ParseUint(m[1], 16, 64)
		if err != nil {
			return nil, err
		}
		i := instruction{at: at, text: m[2], ran: ran[at]}
		if b := branch.FindStringSubmatch(m[2]); b != nil {
			if i.target, err = strconv.ParseUint(b[2], 16, 64); err != nil {
				return nil, err
			}
		}
		code = append(code, i)
	}
	return code, nil
}

// hotLoop returns what runs in a round of the loop that most instructions of the
// function run in, as text for llvm-mca, and the rounds. A backward branch that
// is never taken makes no loop.
func hotLoop(code []instruction) (text string, rounds int64, err error) {
	var body []instruction
	var most int64
	for end, i := range code {
		taken := i.ran
		if end+1 < len(code) {
			taken -= code[end+1].ran
		}
		if i.target == 0 || i.target > i.at || taken <= 0 {
			continue
		}
		start := end
		for start > 0 && code[start].at > i.target {
			start--
		}
		var work int64
		for _, j := range code[start : end+1] {
			work += j.ran
		}
		if work > most {
			body, most, rounds = code[start:end+1], work, i.ran
		}
	}
	if body == nil {
		return "", 0, fmt.Errorf("no loop found in %d instructions", len(code))
	}
	var b strings.Builder
	b.WriteString("loop:\n")
	for _, i := range body {
		if i.ran < rounds/2 { // skipped by a branch
			continue
		}
		s := i.text
		if m := branch.FindStringSubmatchIndex(s); m != nil {
			s = s[:m[4]] + "loop"
		}
		b.WriteString(s + "\n")
	}
	return b.String(), rounds, nil
}

// loopCycles estimates the cycles that the function's hot loop took in all.
func loopCycles(code []instruction, core string) (float64, error) {
	text, rounds, err := hotLoop(code)
	if err != nil {
		return 0, err
	}
	const iterations = 100
	c := exec.Command(mca, "-mtriple=aarch64", "-mcpu="+core, "-mattr=+dotprod,+i8mm,+fullfp16", fmt.Sprint("-iterations=", iterations))
	c.Stdin = strings.NewReader(text)
	out, err := c.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s\n%s", mca, err, out, text)
	}
	m := regexp.MustCompile(`Total Cycles:\s+(\d+)`).FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%s named no cycles:\n%s", mca, out)
	}
	cycles, err := strconv.ParseFloat(string(m[1]), 64)
	return cycles / iterations * float64(rounds), err
}
