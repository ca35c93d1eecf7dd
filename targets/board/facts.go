package board

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Facts are what a board is and how it is doing: all that Diagnose judges. They
// are gathered on the board and travel as JSON.
type Facts struct {
	Identity
	Zones    []Zone    `json:"zones,omitempty"`
	Coolings []Cooling `json:"coolings,omitempty"`
	Devices  []Device  `json:"devices,omitempty"`
	Battery  *Battery  `json:"battery,omitempty"`
	Firmware *Firmware `json:"firmware,omitempty"`
	// ThermalStatus is Android's, 0 none to 6 shutdown.
	ThermalStatus *int     `json:"thermal_status,omitempty"`
	Shunts        []Shunt  `json:"shunts,omitempty"`
	Sensors       []Sensor `json:"sensors,omitempty"`
	Access        []Access `json:"access,omitempty"`
	// AllowedCPUs are those that this program may run on.
	AllowedCPUs string `json:"allowed_cpus,omitempty"`
	// PSI says whether the kernel tells pressure; PSIOff that it was told not to.
	PSI    bool `json:"psi"`
	PSIOff bool `json:"psi_off,omitempty"`
	// Background is what the machine did while it was watched; nil if it was not.
	Background *Background `json:"background,omitempty"`
}

// Firmware is what a Raspberry Pi's firmware tells.
type Firmware struct {
	Throttle *Throttle `json:"throttle,omitempty"`
	ArmHz    int64     `json:"arm_hz,omitempty"`
	// SupplyMA is the current that the supply agreed to, mA.
	SupplyMA int    `json:"supply_ma,omitempty"`
	Reason   string `json:"reason,omitempty"` // why there are no bits
}

// Gather collects the facts. It watches the machine's background for that long
// first; 0 leaves that out.
func (s Source) Gather(ctx context.Context, watch time.Duration) (Facts, error) {
	var f Facts
	if watch > 0 {
		b, err := s.Background(ctx, watch)
		if err != nil {
			return f, err
		}
		f.Background = b
	}
	f.Identity = s.Identity(ctx)
	f.Zones, f.Coolings, f.Devices, f.Battery = s.Zones(), s.Coolings(), s.Devices(), s.Battery()
	f.Shunts, f.Sensors, f.Access = s.shunts(f.Kind), s.sensors(), s.access(f.Kind)
	f.AllowedCPUs = s.statusField("Cpus_allowed_list")
	f.PSI = s.text("proc/pressure/cpu") != ""
	for _, word := range strings.Fields(s.text("proc/cmdline")) {
		f.PSIOff = f.PSIOff || word == "psi=0"
	}
	if f.Kind.Pi() {
		f.Firmware = s.firmwareFacts(ctx)
	}
	if f.Kind == Phone {
		f.ThermalStatus = s.ThermalStatus(ctx)
	}
	return f, nil
}

func (s Source) firmwareFacts(ctx context.Context) *Firmware {
	f := Firmware{SupplyMA: s.supplyMilliamps()}
	t, err := s.Throttle(ctx)
	if err != nil {
		f.Reason = err.Error()
		return &f
	}
	f.Throttle = &t
	if hz, err := s.ArmClock(ctx); err == nil {
		f.ArmHz = hz
	}
	return &f
}

// statusField is a line of this process's status (proc_pid_status(5)).
func (s Source) statusField(name string) string {
	for line := range strings.Lines(string(s.bytes("proc/self/status"))) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// Shunt is a resistor that a current is measured through, as the kernel believes
// it to be and as the board has it, µΩ.
type Shunt struct {
	Rail     string `json:"rail"`
	UOhm     int64  `json:"uohm"`
	WantUOhm int64  `json:"want_uohm"`
}

// moduleShunts are soldered to a Jetson's module, µΩ (tegra234-p3701.dtsi,
// tegra234-p3767.dtsi; AGX Xavier Product Design Guide DG-09840-001, 5.6.2).
var moduleShunts = map[Kind]int64{
	OrinNano: 5000, OrinNX: 5000, AGXOrin: 2000, XavierNX: 5000, AGXXavier: 5000, JetsonNano: 5000,
}

// shunts lists the shunts of the module's own sensor. A sensor that the user
// wired beside it has no label.
func (s Source) shunts(kind Kind) []Shunt {
	want := moduleShunts[kind]
	if want == 0 {
		return nil
	}
	var out []Shunt
	for _, dir := range s.glob("sys/class/hwmon/hwmon*") {
		if s.text(dir, "name") != "ina3221" {
			continue
		}
		for _, n := range []string{"1", "2", "3"} {
			label, shunt := s.text(dir, "in"+n+"_label"), s.number(dir, "shunt"+n+"_resistor")
			if label != "" && !strings.Contains(label, "NC") && shunt != nil {
				out = append(out, Shunt{Rail: label, UOhm: *shunt, WantUOhm: want})
			}
		}
	}
	return out
}

// Access is a device file and whether this program may use it.
type Access struct {
	Path  string `json:"path"`
	OK    bool   `json:"ok"`
	Group string `json:"group,omitempty"` // whose members may
}

// access looks at the device files that sensors and firmware are behind.
func (s Source) access(kind Kind) []Access {
	paths := s.glob("dev/i2c-*")
	if kind.Pi() {
		paths = append(paths, s.glob("dev/vcio")...)
	}
	var out []Access
	for _, path := range paths {
		a := Access{Path: filepath.Join("/", path), Group: s.groupOf(path)}
		f, err := os.OpenFile(s.path(path), os.O_RDWR, 0)
		if err == nil {
			f.Close()
		}
		// A virtual board's mailbox is a socket, which one cannot open so.
		info, statErr := os.Stat(s.path(path))
		a.OK = err == nil || statErr == nil && info.Mode()&os.ModeSocket != 0
		out = append(out, a)
	}
	return out
}
