package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/targets"
	"github.com/seed-c6f48606/harness/targets/power"
	"github.com/seed-c6f48606/harness/targets/virtual"
)

// openMeter opens the meter of an inventory entry that is wired to this machine.
func openMeter(ctx context.Context, t targets.Target) (power.Meter, error) {
	m := t.Meter
	switch m.Kind {
	case "tasmota", "shelly":
		return power.OpenPlug(ctx, plugOf(m))
	case "serial":
		return power.OpenSerial(power.SerialConfig{Port: m.Device, Baud: m.Baud, Scope: m.Scope, TotalRails: t.Total})
	case "i2c":
		return openI2C(i2cOf(m))
	}
	return nil, fmt.Errorf("meter of kind %q: use tasmota, shelly, serial or i2c", m.Kind)
}

// plugOf is a plug. The inventory counts outlets from 1, and none is the first.
func plugOf(m *targets.Meter) power.PlugConfig {
	return power.PlugConfig{Kind: m.Kind, URL: m.URL, Channel: max(m.Channel-1, 0)}
}

// i2cOf is an I²C sensor at this machine.
func i2cOf(m *targets.Meter) power.I2C {
	return power.I2C{
		Bus: m.Bus, Address: uint16(m.Address), Chip: m.Chip, Scope: m.Scope,
		Rails: []power.I2CRail{{
			Name: "input", Channel: m.Channel, ShuntUOhm: float64(m.ShuntUOhm),
			ShuntRel: m.ShuntRel, MaxAmps: m.MaxAmps, Volts: m.Volts,
		}},
	}
}

// meterPeriod is what a reading at this machine averages over. A machine with other
// work may not get to its sensor for a tenth of a second and more; a chip that
// averages without dead time loses nothing meanwhile.
const meterPeriod = 100 * time.Millisecond

// openI2C opens a sensor at this machine for trials.
func openI2C(c power.I2C) (power.Meter, error) {
	c.Period = meterPeriod
	return power.OpenI2C(c)
}

// metered is a target with a meter of the inventory.
type metered struct {
	*sweep.Remote
	entry targets.Target
}

// Meter opens it.
func (m metered) Meter(ctx context.Context) (power.Meter, error) { return openMeter(ctx, m.entry) }

// neighbour is a virtual board: it shares this machine's processors with others,
// and the sensor of one without rails of its own hangs on this machine.
type neighbour struct {
	*sweep.Remote
	board *virtual.Board
}

// Turn takes turns with the other boards.
func (n neighbour) Turn(ctx context.Context) (func(), error) { return n.board.Turn(ctx) }

// Meter opens the board's sensor, nil where it has its own.
func (n neighbour) Meter(context.Context) (power.Meter, error) {
	if n.board.Sensor == nil {
		return nil, nil
	}
	return openI2C(n.board.Sensor.I2C)
}
