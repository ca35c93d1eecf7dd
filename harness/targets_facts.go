package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/measure"
	"github.com/seed-c6f48606/harness/targets/board"
)

// Widths of what is probed, in columns of text.
const (
	factWidth = 14 // of the names of facts, with the space behind
	leastCell = 36 // narrower ones are hard to read: fewer targets stand side by side
)

// probeTables puts as many targets side by side as a width holds, and wraps what is
// longer than its share.
func probeTables(all []examination, width int) []table {
	beside := min(len(all), max(1, (width-factWidth)/(leastCell+2)))
	if beside == 0 {
		return nil
	}
	cell := max(leastCell, (width-factWidth)/beside-2)
	var out []table
	for some := range slices.Chunk(all, beside) {
		t := probeTable(some)
		for _, row := range t.rows {
			for i := 1; i < len(row); i++ {
				row[i] = wrap(row[i], cell)
			}
		}
		out = append(out, t)
	}
	return out
}

// wrap breaks lines at spaces; what goes on is indented.
func wrap(text string, width int) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		now := ""
		for i, word := range strings.Split(line, " ") {
			switch {
			case i == 0:
				now = word
			case utf8.RuneCountInString(now)+1+utf8.RuneCountInString(word) > width:
				out = append(out, now)
				now = "  " + word
			default:
				now += " " + word
			}
		}
		out = append(out, now)
	}
	return strings.Join(out, "\n")
}

// probeTable has a column a target and a row a fact.
func probeTable(all []examination) table {
	t := table{header: []string{"fact"}}
	for _, x := range all {
		t.header = append(t.header, x.Target)
	}
	for _, row := range probeRows {
		line := []string{row.name}
		empty := true
		for i := range all {
			v := row.value(&all[i])
			if empty = empty && v == ""; v == "" {
				v = none
			}
			line = append(line, v)
		}
		if !empty {
			t.rows = append(t.rows, line)
		}
	}
	return t
}

// probeRows are the facts that a person reads; a row that no target fills is left out.
var probeRows = []struct {
	name  string
	value func(x *examination) string
}{
	{"kind", func(x *examination) string { return string(x.Facts.Kind) }},
	{"board", func(x *examination) string { return x.Facts.Model }},
	{"chip", func(x *examination) string { return x.Facts.SoC }},
	{"cores", coresOf},
	{"CPUs online", func(x *examination) string { return x.Facts.Online }},
	{"features", func(x *examination) string { return strings.Join(x.Facts.Features, " ") }},
	{"memory", func(x *examination) string { return fmt.Sprintf("%.1f GiB", float64(x.Facts.MemoryBytes)/(1<<30)) }},
	{"kernel", func(x *examination) string { return x.Facts.Kernel }},
	{"virtual", func(x *examination) string { return x.Facts.Virtual }},
	{"Android", func(x *examination) string {
		if x.Facts.Android == nil {
			return ""
		}
		return x.Facts.Android.Release
	}},
	{"L4T", func(x *examination) string { return x.Facts.L4T }},
	{"JetPack", func(x *examination) string { return x.Facts.JetPack }},
	{"power mode", modeOf},
	{"clocks", clocksOf},
	{"other clocks", func(x *examination) string {
		return each(x.Facts.Devices, func(d board.Device) string { return fmt.Sprintf("%s %.0f MHz", d.Name, float64(d.CurHz)/1e6) })
	}},
	{"temperatures", func(x *examination) string {
		return each(x.Facts.Zones, func(z board.Zone) string {
			if z.TempC == nil {
				return z.Type + " gated"
			}
			return fmt.Sprintf("%s %.1f °C", z.Type, *z.TempC)
		})
	}},
	{"cooling", func(x *examination) string {
		return each(x.Facts.Coolings, func(c board.Cooling) string { return fmt.Sprintf("%s %d/%d", c.Type, c.State, c.Max) })
	}},
	{"firmware", firmwareOf},
	{"battery", func(x *examination) string {
		if x.Facts.Battery == nil {
			return ""
		}
		return x.Facts.Battery.Name + " " + x.Facts.Battery.Status
	}},
	{"pressure", func(x *examination) string { return map[bool]string{true: "told", false: "not told"}[x.Facts.PSI] }},
	{"sensors", func(x *examination) string { return each(x.Facts.Sensors, sensorOf) }},
	{"kernel tier", func(x *examination) string { return x.Env.Tier }},
	{"int8 at most", func(x *examination) string {
		return each(x.Limits, func(c measure.Ceilings) string {
			best := 0.
			for _, p := range c.Peaks {
				if p.Mix == kernels.MixInt8.String() {
					best = max(best, p.GOPS.Best)
				}
			}
			return fmt.Sprintf("%s GOPS on %d%s", digits(best), c.Threads, labelled(x))
		})
	}},
	{"memory read", func(x *examination) string {
		return each(x.Limits, func(c measure.Ceilings) string {
			return fmt.Sprintf("%s GB/s on %d%s", digits(c.Read.Best), c.Threads, labelled(x))
		})
	}},
}

// labelled says of what was measured that an emulator was.
func labelled(x *examination) string {
	if x.Env.Virtual == board.Emulated {
		return ", " + stat.Emulated
	}
	return ""
}

// manyLines bounds a cell: a phone has a hundred thermal zones.
const manyLines = 8

// each writes an item a line.
func each[T any](list []T, show func(T) string) string {
	var out []string
	for i, v := range list {
		if i == manyLines {
			out = append(out, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		out = append(out, show(v))
	}
	return strings.Join(out, "\n")
}

// coresOf tells the cores by type, with their greatest clocks.
func coresOf(x *examination) string {
	if len(x.Facts.Clusters) == 0 {
		return fmt.Sprintf("%d", x.Facts.Cores)
	}
	return each(x.Facts.Clusters, func(c board.Cluster) string {
		text := fmt.Sprintf("%d× %s", c.N, c.Core)
		if c.Core == "" {
			text = fmt.Sprintf("%d cores", c.N)
		}
		if c.MaxKHz > 0 {
			text += fmt.Sprintf(", %.2f GHz", float64(c.MaxKHz)/1e6)
		}
		if c.Capacity > 0 {
			text += fmt.Sprintf(", capacity %d", c.Capacity)
		}
		return text
	})
}

func modeOf(x *examination) string {
	if x.Facts.PowerMode == "" {
		return ""
	}
	var others []string
	for _, m := range x.Facts.PowerModes {
		if m.Name != x.Facts.PowerMode {
			others = append(others, m.Name)
		}
	}
	if len(others) == 0 {
		return x.Facts.PowerMode
	}
	return x.Facts.PowerMode + " (not " + strings.Join(others, ", ") + ")"
}

// clocksOf tells governors and what they may do.
func clocksOf(x *examination) string {
	return each(x.Facts.Policies, func(p board.Policy) string {
		return fmt.Sprintf("CPUs %s: %s, %d of %d to %d MHz", p.CPUs, p.Governor, p.CurKHz/1000, p.MinKHz/1000, p.MaxKHz/1000)
	})
}

// firmwareOf tells what a Raspberry Pi's firmware says.
func firmwareOf(x *examination) string {
	f := x.Facts.Firmware
	if f == nil {
		return ""
	}
	var out []string
	switch {
	case f.Throttle == nil:
		out = append(out, "silent: "+f.Reason)
	case *f.Throttle == 0:
		out = append(out, "not throttled")
	default:
		out = append(out, fmt.Sprintf("throttled 0x%x", uint32(*f.Throttle)))
	}
	if f.ArmHz > 0 {
		out = append(out, fmt.Sprintf("CPU at %.0f MHz", float64(f.ArmHz)/1e6))
	}
	if f.SupplyMA > 0 {
		out = append(out, fmt.Sprintf("supply of %d mA", f.SupplyMA))
	}
	return strings.Join(out, "\n")
}

func sensorOf(s board.Sensor) string {
	text := s.Source
	if text == "" {
		text = "none"
	}
	if s.Usable {
		text += ", " + s.Scope + " (" + strings.Join(s.Rails, ", ") + ")"
	}
	if s.Simulated {
		text += ", simulated"
	}
	return text + ": " + s.Why
}
