package board

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxCPU bounds a CPU's number, against a list such as 0-9999999999.
const maxCPU = 4096

// ParseCPUList reads the kernel's list format, such as "0-3,6" (cpuset(7)).
func ParseCPUList(text string) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		if part == "" {
			continue
		}
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < 0 || to < from || to >= maxCPU {
			return nil, fmt.Errorf("CPU list %q: %q is no CPU or range of CPUs from 0 to %d", text, part, maxCPU-1)
		}
		for cpu := from; cpu <= to; cpu++ {
			out = append(out, cpu)
		}
		if len(out) > maxCPU {
			return nil, fmt.Errorf("CPU list %q: more than %d CPUs", text, maxCPU)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// FormatCPUList is the inverse of ParseCPUList for sorted CPUs.
func FormatCPUList(cpus []int) string {
	var parts []string
	for i := 0; i < len(cpus); {
		j := i
		for j+1 < len(cpus) && cpus[j+1] == cpus[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(cpus[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", cpus[i], cpus[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// byNumber sorts paths as a person would: cpu2 before cpu10.
func byNumber(paths []string) {
	slices.SortFunc(paths, func(a, b string) int {
		for a != "" && b != "" {
			na, ra := leadingNumber(a)
			nb, rb := leadingNumber(b)
			if ra != a && rb != b {
				if c := cmp.Compare(na, nb); c != 0 {
					return c
				}
				a, b = ra, rb
				continue
			}
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
		}
		return cmp.Compare(len(a), len(b))
	})
}

// leadingNumber cuts the digits that a text begins with.
func leadingNumber(s string) (n uint64, rest string) {
	rest = strings.TrimLeft(s, "0123456789")
	n, _ = strconv.ParseUint(s[:len(s)-len(rest)], 10, 64) // past 2⁶⁴ the greatest
	return n, rest
}
