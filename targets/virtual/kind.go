package virtual

import (
	"fmt"
	"slices"
	"strings"
)

// spec is all that tells one kind of board from another.
type spec struct {
	kind       string
	model      string   // of the device tree
	compatible []string // of the device tree, most specific first
	user, home string
	port       int
	kernel     string // uname -r
	qemu       string // QEMU_CPU: the nearest core that the emulator knows
	clusters   []cluster
	// revision ends /proc/cpuinfo on boards that tell one.
	revision string
	memory   int64 // bytes
	zones    []string
	// cooling are the types of the cooling devices that cap processors.
	cooling []string
	thermal thermal
	supply  supply
	rails   []rail
	sensor  sensor
	modes   []mode // nvpmodel, by id
	props   string // Android properties as getprop prints them
}

// cluster is a group of like cores with one clock.
type cluster struct {
	cores             int
	implementer, part int // of MIDR_EL1
	minKHz, maxKHz    int
	capacity          int // 0-1024, the largest core of the board has 1024
	features          string
}

// thermal is a first-order model: the temperature goes to
// ambient + riseC·(share of full power) with time constant tauS.
type thermal struct {
	ambientC, riseC, tauS float64
	throttleC             float64
}

// supply is the input by which all power enters.
type supply struct {
	volts float64
	ohms  float64 // of cable and source: the input sags by volts per ampere
	sagV  float64 // the input's voltage while the undervolt fault stands
}

// fiveVolts says that it is nominally 5 V.
func (s supply) fiveVolts() bool { return s.volts > 4.75 && s.volts < 5.25 }

// rail is a measured supply: watts at rest, and further watts at full load.
type rail struct {
	name       string
	volts      float64
	idle, full float64
	// inInput: its power is part of the input's. The input itself is the rail
	// that has it not.
	inInput bool
}

// sensor is where the rails are read.
type sensor string

const (
	// sensorPMIC: vcgencmd pmic_read_adc.
	sensorPMIC sensor = "pmic"
	// sensorHwmon: the kernel's ina3221 driver.
	sensorHwmon sensor = "hwmon"
	// sensorBattery: the fuel gauge below /sys/class/power_supply.
	sensorBattery sensor = "battery"
	// sensorController: an INA226 in the supply's lead, wired to the controller.
	sensorController sensor = "controller"
)

// mode is a power mode: the share of the cores' clocks that it allows.
type mode struct {
	name  string
	share float64
}

// specs are the kinds that there are.
var specs = []spec{pi5, pi4, orinNano, agxOrin, rb3, phone}

// Kinds lists the kinds of boards that Start knows.
func Kinds() []string {
	kinds := make([]string, len(specs))
	for i, s := range specs {
		kinds[i] = s.kind
	}
	return kinds
}

func specOf(kind string) (spec, error) {
	i := slices.IndexFunc(specs, func(s spec) bool { return s.kind == kind })
	if i < 0 {
		return spec{}, fmt.Errorf("no virtual board of kind %q: use one of %s", kind, strings.Join(Kinds(), ", "))
	}
	return specs[i], nil
}

func (s spec) cores() int {
	n := 0
	for _, c := range s.clusters {
		n += c.cores
	}
	return n
}

// watts are the input's power at rest and at full load.
func (s spec) watts() (idle, full float64) {
	for _, r := range s.rails {
		if !r.inInput {
			idle, full = idle+r.idle, full+r.full
		}
	}
	return idle, idle + full
}

// fullAmps is the input's current at full load, that a sensor must be able to read.
func (s spec) fullAmps() float64 {
	_, full := s.watts()
	return full / s.supply.volts
}
