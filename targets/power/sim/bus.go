// Package sim simulates power sensors at the level of their registers: what their
// drivers write and read over I²C is answered as the data sheets say, from a load
// given as a function of time and from errors of the size that real parts have.
//
// It stands in for hardware in tests and behind virtual boards. Readings made
// through it are marked as simulated by the bus's name.
package sim

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/seed-c6f48606/harness/targets/power"
	"periph.io/x/conn/v3/physic"
)

// Bus is an I²C bus with simulated sensors on it. It implements i2c.BusCloser and is
// safe for use by several goroutines.
type Bus struct {
	name string
	now  func() time.Duration

	mu    sync.Mutex
	chips map[uint16]*Chip
}

// NewBus makes an empty bus. The name gets power.SimPrefix where it has none. now is
// the time that loads are asked for and never goes back; nil is the time since NewBus.
func NewBus(name string, now func() time.Duration) *Bus {
	if !strings.HasPrefix(name, power.SimPrefix) {
		name = power.SimPrefix + name
	}
	if now == nil {
		start := time.Now()
		now = func() time.Duration { return time.Since(start) }
	}
	return &Bus{name: name, now: now, chips: map[uint16]*Chip{}}
}

// Add puts a chip at an address, in its state after power-on.
func (b *Bus) Add(addr uint16, c *Chip) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if addr < 0x40 || addr > 0x4F {
		return fmt.Errorf("adding a sensor to %s: address 0x%02x: use 0x40 to 0x4f", b.name, addr)
	}
	if b.chips[addr] != nil {
		return fmt.Errorf("adding a sensor to %s: address 0x%02x is taken", b.name, addr)
	}
	c.powerOn(b.now())
	b.chips[addr] = c
	return nil
}

// Remove takes the chip off an address, as a loose wire does.
func (b *Bus) Remove(addr uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.chips, addr)
}

func (b *Bus) String() string { return b.name }

// SetSpeed implements i2c.Bus; the simulation takes no time on the wires.
func (b *Bus) SetSpeed(physic.Frequency) error { return nil }

// Close implements i2c.BusCloser.
func (b *Bus) Close() error { return nil }

// Tx implements i2c.Bus. A write sets the register pointer and, with two bytes more,
// the register; a read starts at the pointer and gives ones behind the register's
// two bytes.
func (b *Bus) Tx(addr uint16, w, r []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.chips[addr]
	if c == nil {
		return fmt.Errorf("%s: 0x%02x: %w", b.name, addr, power.ErrNoDevice)
	}
	now := b.now()
	if len(w) > 0 {
		c.pointer = w[0]
	}
	if len(w) >= 3 {
		c.write(c.pointer, uint16(w[1])<<8|uint16(w[2]), now)
	}
	if len(r) > 0 {
		v := c.read(c.pointer, now)
		for i := range r {
			r[i] = 0xFF
		}
		r[0] = byte(v >> 8)
		if len(r) > 1 {
			r[1] = byte(v)
		}
	}
	return nil
}
