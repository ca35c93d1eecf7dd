package power

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Facts is what an inventory may say of a machine's sensors beyond what the
// machine tells of itself. The zero value is a machine of which nothing is said.
type Facts struct {
	// Compatible is the device tree's list, most specific first. Empty is read
	// from the machine.
	Compatible []string
	// ShuntUOhm are true shunts by rail, µΩ, where the kernel has them wrong.
	ShuntUOhm map[string]float64
	// TotalRails names the rails whose sum is the total, where the board is not
	// known or its own rule is not wanted.
	TotalRails []string
	// Scope is what that total covers; see Description.
	Scope string
	// BatterySign is +1 where the gauge counts a discharge as positive, -1 where
	// as negative, 0 to find out. BatteryScale is what its currents are multiplied
	// by to be µA: 1, or 1000 for a gauge that tells mA; 0 to find out.
	BatterySign, BatteryScale float64
}

// checkBattery refuses a sign or scale that no gauge has.
func (f Facts) checkBattery() error {
	if f.BatterySign != 0 && f.BatterySign != 1 && f.BatterySign != -1 {
		return fmt.Errorf("battery sign %g of the inventory: give 1 or -1", f.BatterySign)
	}
	if f.BatteryScale != 0 && !(f.BatteryScale >= 1e-3 && f.BatteryScale <= 1e6) {
		return fmt.Errorf("battery scale %g of the inventory: give 1 where the gauge tells µA, 1000 where mA", f.BatteryScale)
	}
	return nil
}

// compatible is the list of the facts, or the machine's own.
func (f Facts) compatible(root string) []string {
	if len(f.Compatible) > 0 {
		return f.Compatible
	}
	for _, path := range []string{"proc/device-tree/compatible", "sys/firmware/devicetree/base/compatible"} {
		if s := optAttr(filepath.Join(root, path)); s != "" {
			return strings.Split(s, "\x00")
		}
	}
	return nil
}

// jetson is what is soldered to a module: shunts, and the rails whose sum is its
// power. The kernel's labels are those of the module's device tree.
type jetson struct {
	name      string
	parts     []string // found in a compatible string
	shuntUOhm float64  // of the rails named here; 0 = not known
	total     []string
	rule      string
	others    []string // measured, no part of the total
}

// Sources: the power-sensors nodes of tegra234-p3701.dtsi and tegra234-p3767.dtsi;
// Jetson AGX Xavier Product Design Guide DG-09840-001, 5.6.2. AGX Orin has no
// input rail: VIN_SYS_5V0 is its 5 V I/O supply, from which VDDQ_VDD2_1V8AO
// (DRAM) is believed to be fed, so that adding both would count DRAM twice.
var jetsons = []jetson{
	{
		"Jetson Orin Nano/NX",
		[]string{"p3767"},
		5000,
		[]string{"VDD_IN"},
		"VDD_IN alone: the module's input, of which the other rails are parts",
		[]string{"VDD_CPU_GPU_CV", "VDD_SOC"},
	},
	{
		"Jetson AGX Orin",
		[]string{"p3701"},
		2000,
		[]string{"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"},
		"VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0; VDDQ_VDD2_1V8AO is believed to be fed from VIN_SYS_5V0 and is not added",
		[]string{"VDDQ_VDD2_1V8AO"},
	},
	{
		"Jetson Xavier NX",
		[]string{"p3668"},
		5000,
		[]string{"VDD_IN"},
		"VDD_IN alone: the module's input, of which the other rails are parts",
		[]string{"VDD_CPU_GPU_CV", "VDD_SOC"},
	},
	{
		"Jetson AGX Xavier",
		[]string{"p2888", "p2972"},
		5000,
		[]string{"GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"},
		"GPU + CPU + SOC + CV + VDDRQ + SYS5V: the module has no input rail", nil,
	},
	{
		"Jetson Nano",
		[]string{"p3448", "p3450", "jetson-nano"},
		5000,
		[]string{"POM_5V_IN"},
		"POM_5V_IN alone: the module's input, of which the other rails are parts",
		[]string{"POM_5V_GPU", "POM_5V_CPU"},
	},
	{"Jetson AGX Thor", []string{"tegra264"}, 0, []string{"VIN"}, "VIN alone: the input of the board", nil},
}

// jetsonOf finds the module in a compatible list, nil where it is none.
func jetsonOf(compatible []string) *jetson {
	for i := range jetsons {
		for _, part := range jetsons[i].parts {
			if slices.ContainsFunc(compatible, func(c string) bool { return strings.Contains(c, part) }) {
				return &jetsons[i]
			}
		}
	}
	return nil
}

// shunt is the resistor in a rail of the module, µΩ, 0 where it is not known.
func (j *jetson) shunt(rail string) float64 {
	if j == nil || !slices.Contains(j.total, rail) && !slices.Contains(j.others, rail) {
		return 0
	}
	return j.shuntUOhm
}

// isPi5 reports the boards with a power management chip that measures: Pi 5,
// Compute Module 5, Pi 500.
func isPi5(compatible []string) bool { return slices.Contains(compatible, "brcm,bcm2712") }

func isPi(compatible []string) bool {
	return slices.ContainsFunc(compatible, func(c string) bool { return strings.HasPrefix(c, "raspberrypi,") })
}

func isQualcomm(compatible []string) bool {
	return slices.ContainsFunc(compatible, func(c string) bool { return strings.HasPrefix(c, "qcom,") })
}

// rule is how rails add up to a total.
type rule struct {
	rails        []string
	words, scope string
}

// inputs are labels that mean the supply of everything behind them on every
// board that has them.
var inputs = []string{"VDD_IN", "POM_5V_IN", "VIN"}

// ruleOf says how the rails found add up: by the inventory, by the module, by an
// input's name, or because there is but one. Anything else might count power twice.
func ruleOf(facts Facts, module *jetson, found []string) (rule, *Unavailable) {
	r := rule{scope: "module"}
	has := func(name string) bool { return slices.Contains(found, name) }
	input := slices.IndexFunc(inputs, has)
	switch {
	case len(facts.TotalRails) > 0:
		r.rails, r.words = facts.TotalRails, strings.Join(facts.TotalRails, " + ")+": by the inventory"
		if len(facts.TotalRails) == 1 {
			r.words = facts.TotalRails[0] + " alone: by the inventory"
		}
	case module != nil:
		r.rails, r.words = module.total, module.rule
	case input >= 0:
		r.rails, r.words = inputs[input:input+1], inputs[input]+" alone: the input of the board"
	case len(found) == 1:
		r.rails, r.words, r.scope = found, "the only rail", "board"
	default:
		return rule{}, &Unavailable{
			Reason: "nothing says how the rails " + strings.Join(found, ", ") + " of this board add up",
			Mend:   "name those whose sum is the total in the inventory",
		}
	}
	if facts.Scope != "" {
		r.scope = facts.Scope
	}
	for _, name := range r.rails {
		if !has(name) {
			return rule{}, &Unavailable{
				Reason: fmt.Sprintf("rail %s of the total (%s) is not among those found: %s", name, r.words, strings.Join(found, ", ")),
				Mend:   "enable its channel (in*_enable), or name the rails of the total in the inventory",
			}
		}
	}
	return r, nil
}
