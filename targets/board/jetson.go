package board

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// PowerMode is one of a Jetson's power budgets. IDs differ between boards: the
// name is what is meant.
type PowerMode struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

// is says whether a user means this mode by a name or a number.
func (m PowerMode) is(want string) bool { return m.Name == want || strconv.Itoa(m.ID) == want }

// InMode says whether the machine is in the power mode of that name or number.
func (id Identity) InMode(want string) bool {
	if m, ok := findMode(id.PowerModes, want); ok {
		want = m.Name
	}
	return id.PowerMode == want
}

func findMode(modes []PowerMode, want string) (PowerMode, bool) {
	for _, m := range modes {
		if m.is(want) {
			return m, true
		}
	}
	return PowerMode{}, false
}

func modeNames(modes []PowerMode) string {
	if len(modes) == 0 {
		return "one that nvpmodel -p --verbose lists"
	}
	var names []string
	for _, m := range modes {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

const (
	modeConfig = "etc/nvpmodel.conf"
	modeStatus = "var/lib/nvpmodel/status"
)

var (
	modeLine  = regexp.MustCompile(`<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>`)
	queryLine = regexp.MustCompile(`NV Power Mode: *(\S.*)`)
)

// ParseModes reads the power modes that nvpmodel.conf defines, such as
//
//	< POWER_MODEL ID=0 NAME=15W >
func ParseModes(text string) []PowerMode {
	var out []PowerMode
	for _, m := range modeLine.FindAllStringSubmatch(text, maxEntries) {
		if id, err := strconv.Atoi(m[1]); err == nil {
			out = append(out, PowerMode{ID: id, Name: m[2]})
		}
	}
	return out
}

// ParseModeQuery reads the answer of nvpmodel -q: "NV Power Mode: 25W" and, on
// the line after, the ID. Verbose versions put more before the name.
func ParseModeQuery(text string) (PowerMode, error) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		m := queryLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		mode := PowerMode{Name: strings.TrimSpace(m[1])}
		if i+1 < len(lines) {
			if id, err := strconv.Atoi(strings.TrimSpace(lines[i+1])); err == nil {
				mode.ID = id
				return mode, nil
			}
		}
		return PowerMode{}, fmt.Errorf("nvpmodel -q: no ID after the power mode %q", mode.Name)
	}
	return PowerMode{}, fmt.Errorf("nvpmodel -q: no power mode in %.80q", text)
}

// parseModeStatus reads nvpmodel's state file, such as "pmode:0001".
func parseModeStatus(text string) (id int, ok bool) {
	_, digits, found := strings.Cut(text, "pmode:")
	if !found {
		return 0, false
	}
	digits, _, _ = strings.Cut(digits, " ")
	id, err := strconv.Atoi(strings.TrimSpace(digits))
	return id, err == nil && id >= 0
}

// modes lists a Jetson's power modes and the present one, nil where it is not known.
// The files need no process; the tool knows where they are elsewhere.
func (s Source) modes(ctx context.Context) (all []PowerMode, now *PowerMode) {
	all = ParseModes(string(s.bytes(modeConfig)))
	if id, ok := parseModeStatus(s.text(modeStatus)); ok {
		for _, m := range all {
			if m.ID == id {
				return all, &m
			}
		}
	}
	if answer, err := s.tool(ctx, "nvpmodel", "-q"); err == nil {
		if m, err := ParseModeQuery(answer); err == nil {
			return all, &m
		}
	}
	return all, nil
}

var (
	releaseLine = regexp.MustCompile(`^# R(\d+) \(release\), REVISION: ([0-9.]+)`)
	corePackage = regexp.MustCompile(`^(\d+)\.([0-9.]+)`)
)

// ParseL4T reads the version of NVIDIA's Linux for Tegra from the first line of
// /etc/nv_tegra_release, such as "# R36 (release), REVISION: 4.3, GCID: ...", or
// from the version of the package nvidia-l4t-core. "" is neither.
func ParseL4T(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if m := releaseLine.FindStringSubmatch(line); m != nil {
		return m[1] + "." + m[2]
	}
	if m := corePackage.FindStringSubmatch(line); m != nil {
		return m[1] + "." + m[2]
	}
	return ""
}

// JetPack is the major version of the SDK that a version of L4T belongs to.
func JetPack(l4t string) string {
	major, _, _ := strings.Cut(l4t, ".")
	switch major {
	case "28":
		return "3"
	case "32":
		return "4"
	case "34", "35":
		return "5"
	case "36":
		return "6"
	case "38":
		return "7"
	}
	return ""
}

func (s Source) l4t(ctx context.Context) string {
	if v := ParseL4T(s.text("etc/nv_tegra_release")); v != "" {
		return v
	}
	answer, err := s.tool(ctx, "dpkg-query", "--showformat=${Version}", "--show", "nvidia-l4t-core")
	if err != nil {
		return ""
	}
	return ParseL4T(answer)
}
