package board

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Android is what a phone tells of itself.
type Android struct {
	Release  string `json:"release"`
	Model    string `json:"model"`
	SoC      string `json:"soc"`
	Platform string `json:"platform,omitempty"`
}

// ParseProps reads the answer of getprop: lines such as "[ro.soc.model]: [SM8550]".
func ParseProps(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "]: [")
		if ok && strings.HasPrefix(name, "[") && strings.HasSuffix(value, "]") {
			out[name[1:]] = value[:len(value)-1]
		}
	}
	return out
}

// android asks a phone for its properties; nil on other machines.
func (s Source) android(ctx context.Context) *Android {
	answer, err := s.tool(ctx, "getprop")
	if err != nil {
		return nil
	}
	p := ParseProps(answer)
	a := Android{
		Release: p["ro.build.version.release"], Model: p["ro.product.model"], SoC: p["ro.soc.model"], Platform: p["ro.board.platform"],
	}
	if a.Release == "" {
		return nil
	}
	if maker := p["ro.product.manufacturer"]; maker != "" && !strings.HasPrefix(a.Model, maker) {
		a.Model = maker + " " + a.Model
	}
	return &a
}

// ThermalStatus asks a phone how far it is slowed down for its heat, 0 none to 6
// shutdown; nil where it does not tell, as to an app.
func (s Source) ThermalStatus(ctx context.Context) *int {
	answer, err := s.tool(ctx, "dumpsys", "thermalservice")
	if err != nil {
		return nil
	}
	n, err := ParseThermalStatus(answer)
	if err != nil {
		return nil
	}
	return &n
}

// ParseThermalStatus reads the "Thermal Status: N" of dumpsys thermalservice: 0 is
// none, 6 is shutdown (android.os.PowerManager.THERMAL_STATUS_*).
func ParseThermalStatus(text string) (int, error) {
	_, rest, ok := strings.Cut(text, "Thermal Status:")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if !ok || err != nil || n < 0 || n > 6 {
		return 0, fmt.Errorf("dumpsys thermalservice: no Thermal Status of 0 to 6 in %.80q", text)
	}
	return n, nil
}
