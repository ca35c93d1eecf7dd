package power

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"
	// The kernel's buses only. periph's host also drives the boards' GPIO by their
	// memory maps, which is not wanted beside the kernel and wrong on a Raspberry Pi 5.
	_ "periph.io/x/host/v3/sysfs"
)

// withoutGPIO is a driver that is not there. periph's sysfs package will not start
// without one of this name, and the real one opens every GPIO chip of the board.
type withoutGPIO struct{}

func (withoutGPIO) String() string          { return "ioctl-gpio" }
func (withoutGPIO) Prerequisites() []string { return nil }
func (withoutGPIO) After() []string         { return nil }
func (withoutGPIO) Init() (bool, error)     { return false, errors.New("GPIO is not used") }

// initBuses registers the machine's I²C buses, and those of the environment, once.
var initBuses = sync.OnceValue(func() error {
	if err := driverreg.Register(withoutGPIO{}); err != nil {
		return fmt.Errorf("finding I²C buses: %w", err)
	}
	if _, err := driverreg.Init(); err != nil {
		return fmt.Errorf("finding I²C buses: %w", err)
	}
	return registerSocketsOf(os.Getenv(SocketEnv))
})

// Buses names the machine's I²C buses. There may be none.
func Buses() ([]string, error) {
	if err := initBuses(); err != nil {
		return nil, err
	}
	var names []string
	for _, ref := range i2creg.All() {
		names = append(names, ref.Name)
	}
	return names, nil
}

// OpenBus opens a bus by its name, an alias or its number, or the first where the
// name is empty. Without a bus or permission the error is an *Unavailable.
func OpenBus(name string) (i2c.BusCloser, error) {
	names, err := Buses()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, &Unavailable{
			Reason: "the machine has no I²C bus",
			Mend:   "enable it (Raspberry Pi: sudo raspi-config nonint do_i2c 0; elsewhere: sudo modprobe i2c-dev)",
		}
	}
	bus, err := i2creg.Open(name)
	switch {
	case err == nil:
		return bus, nil
	// periph wraps its causes away.
	case errors.Is(err, os.ErrPermission) || strings.Contains(err.Error(), "permission denied"):
		return nil, &Unavailable{
			Reason: fmt.Sprintf("no permission to open I²C bus %q", name),
			Mend:   "join its group: sudo usermod -aG i2c $USER, then log in again",
		}
	}
	return nil, fmt.Errorf("opening I²C bus %q: %w; there are %s", name, err, strings.Join(names, ", "))
}

// kernelDriver names the kernel driver that is bound to an address, "" if there is
// none. A transfer by user space gets past it, but its cached configuration and its
// alerts would not survive one of ours.
func kernelDriver(root string, bus i2c.Bus, addr uint16) string {
	var n int
	// Only the kernel's buses have such names.
	if _, err := fmt.Sscanf(bus.String(), "I2C%d", &n); err != nil {
		return ""
	}
	link := filepath.Join("/", root, "sys/bus/i2c/devices", fmt.Sprintf("%d-%04x", n, addr), "driver")
	if _, err := os.Lstat(link); err != nil {
		return ""
	}
	target, err := os.Readlink(link)
	if err != nil {
		return "unknown"
	}
	return filepath.Base(target)
}

// simulatedBus tells whether no hardware stands behind a bus.
func simulatedBus(bus i2c.Bus) bool {
	name := bus.String()
	return strings.HasPrefix(name, SimPrefix) || strings.HasPrefix(name, replayName)
}
