package board

import (
	"slices"
	"strings"
)

// Kind is a family of boards that are detected, read and judged alike.
type Kind string

// The kinds that are known. Generic is any other machine.
const (
	Pi5        Kind = "pi5"
	Pi4        Kind = "pi4"
	Pi3        Kind = "pi3"
	OrinNano   Kind = "orin-nano"
	OrinNX     Kind = "orin-nx"
	AGXOrin    Kind = "agx-orin"
	XavierNX   Kind = "xavier-nx"
	AGXXavier  Kind = "agx-xavier"
	JetsonNano Kind = "jetson-nano"
	RB3Gen2    Kind = "rb3gen2"
	RB5        Kind = "rb5"
	Phone      Kind = "phone"
	Generic    Kind = "generic"
)

// Kinds lists them all.
func Kinds() []Kind {
	return []Kind{
		Pi5, Pi4, Pi3, OrinNano, OrinNX, AGXOrin, XavierNX, AGXXavier, JetsonNano, RB3Gen2, RB5, Phone, Generic,
	}
}

// Pi says whether the board has a Raspberry Pi's firmware.
func (k Kind) Pi() bool { return k == Pi5 || k == Pi4 || k == Pi3 }

// Jetson says whether the board runs NVIDIA's Linux for Tegra.
func (k Kind) Jetson() bool { return k.Orin() || k == XavierNX || k == AGXXavier || k == JetsonNano }

// Orin says whether the board is a Jetson of the Orin generation.
func (k Kind) Orin() bool { return k == OrinNano || k == OrinNX || k == AGXOrin }

// signs tell a kind by the start of a device tree's compatible string, the most
// specific first: one chip is on several boards.
var signs = []struct {
	prefix string
	kind   Kind
}{
	{"nvidia,p3767-0000", OrinNX},
	{"nvidia,p3767-0001", OrinNX},
	{"nvidia,p3767", OrinNano},
	{"nvidia,p3701", AGXOrin},
	{"nvidia,p3668", XavierNX},
	{"nvidia,p2888", AGXXavier},
	{"nvidia,p3448", JetsonNano},
	{"nvidia,p3450", JetsonNano},
	{"nvidia,jetson-nano", JetsonNano},
	{"qcom,qcs6490-rb3gen2", RB3Gen2},
	{"qcom,qrb5165-rb5", RB5},
	{"brcm,bcm2712", Pi5},
	{"brcm,bcm2711", Pi4},
	{"brcm,bcm2837", Pi3},
}

// names tell a kind by the board's model name where the device tree is silent.
var names = []struct {
	part string
	kind Kind
}{
	{"Raspberry Pi 5", Pi5},
	{"Raspberry Pi 4", Pi4},
	{"Raspberry Pi 3", Pi3},
	{"AGX Orin", AGXOrin},
	{"Orin NX", OrinNX},
	{"Orin Nano", OrinNano},
	{"AGX Xavier", AGXXavier},
	{"Xavier NX", XavierNX},
	{"Jetson Nano", JetsonNano},
	{"Robotics RB3gen2", RB3Gen2},
	{"Robotics RB5", RB5},
}

// KindOf tells the kind from the device tree's model name and compatible
// strings. Generic is the answer for all that are not known.
func KindOf(model string, compatible []string) Kind {
	for _, s := range signs {
		// A carrier and its module share a string: nvidia,p3768-0000+p3767-0005.
		if slices.ContainsFunc(compatible, func(c string) bool { return has(c, s.prefix) }) {
			return s.kind
		}
	}
	for _, n := range names {
		if strings.Contains(model, n.part) {
			return n.kind
		}
	}
	return Generic
}

// Kind tells the kind from the device tree alone, without running a tool; a
// phone, which hides it, is Generic here.
func (s Source) Kind() Kind { return KindOf(s.model(), s.compatible()) }

// has says whether a compatible string, or a part of a joined one, begins so.
func has(compatible, prefix string) bool {
	vendor, device, _ := strings.Cut(compatible, ",")
	for part := range strings.SplitSeq(device, "+") {
		if strings.HasPrefix(vendor+","+part, prefix) {
			return true
		}
	}
	return false
}

// chip is the system on a chip: the last and most general compatible string.
func chip(compatible []string) string {
	if len(compatible) == 0 {
		return ""
	}
	_, name, _ := strings.Cut(compatible[len(compatible)-1], ",")
	return name
}
