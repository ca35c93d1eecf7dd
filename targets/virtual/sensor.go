package virtual

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/i2c/i2creg"

	"github.com/seed-c6f48606/harness/targets/power"
	"github.com/seed-c6f48606/harness/targets/power/sim"
)

// Sensor is a power sensor in a board's supply, wired to the controller: an
// INA226 on an I²C bus behind a socket, simulated at the level of its registers.
type Sensor struct {
	// I2C is how the driver opens it in this process: power.OpenI2C(s.I2C).
	I2C power.I2C
	// Socket is where another process finds the bus, as power.SocketEnv wants it.
	Socket string

	bus    *mutableBus
	past   *past
	cancel context.CancelFunc
	served chan error
}

const (
	sensorAddress = 0x40
	// sensorShunt is wide enough for 8 A, in µΩ.
	sensorShunt = 10000
)

// mutableBus is a bus whose sensor can be struck dumb.
type mutableBus struct {
	*sim.Bus
	dumb atomic.Bool
}

// Tx is i2c.Bus's.
func (b *mutableBus) Tx(addr uint16, w, r []byte) error {
	if b.dumb.Load() {
		return fmt.Errorf("%s: 0x%02x: %w", b, addr, power.ErrNoDevice)
	}
	return b.Bus.Tx(addr, w, r)
}

// past is what the supply carried, for a sensor that is asked later.
type past struct {
	start time.Time
	mu    sync.Mutex
	at    []time.Duration // since start
	volts []float64
	amps  []float64
}

// pastMax is how many steps of the model are remembered; a sensor's longest
// average takes a third of that.
const pastMax = 1024

func (p *past) add(now time.Time, volts, amps float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.at) >= pastMax {
		n := copy(p.at, p.at[pastMax/2:])
		copy(p.volts, p.volts[pastMax/2:])
		copy(p.amps, p.amps[pastMax/2:])
		p.at, p.volts, p.amps = p.at[:n], p.volts[:n], p.amps[:n]
	}
	p.at, p.volts, p.amps = append(p.at, now.Sub(p.start)), append(p.volts, volts), append(p.amps, amps)
}

// load is a sim.Load: each step stands until the next.
func (p *past) load(t time.Duration) (volts, amps float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.at) == 0 {
		return 0, 0
	}
	i := max(0, sort.Search(len(p.at), func(i int) bool { return p.at[i] > t })-1)
	return p.volts[i], p.amps[i]
}

// wire puts a sensor into the supply of a board that has none of its own.
func (b *Board) wire(seed uint64) (*Sensor, error) {
	if b.spec.sensor != sensorController {
		return nil, nil
	}
	random := rand.New(rand.NewPCG(seed, 226))
	part := func(limit float64) float64 { return limit * (2*random.Float64() - 1) }
	p := &past{start: time.Now()}
	name := power.SimPrefix + b.Name + "-" + strconv.Itoa(b.state.Subnet.Index)
	s := &Sensor{past: p, served: make(chan error, 1), bus: &mutableBus{Bus: sim.NewBus(name, func() time.Duration { return time.Since(p.start) })}}
	chip := sim.NewINA226(sim.Channel{Load: p.load, ShuntUOhm: sensorShunt, Errors: sim.Errors{
		// The limits of the data sheet and of a 1 % shunt.
		GainRel: part(0.001), OffsetV: part(10e-6), ShuntRel: part(0.01),
	}})
	if err := s.bus.Add(sensorAddress, chip); err != nil {
		return nil, err
	}
	socket := filepath.Join(b.place.dir, "i2c")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("wiring a board's power sensor: %w; a shorter directory may help", err)
	}
	if err := power.RegisterSocketBus(name, "unix", socket); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	rail := b.spec.rails[0]
	s.I2C = power.I2C{
		Bus: name, Address: sensorAddress, Chip: power.ChipINA226,
		Rails: []power.I2CRail{{Name: rail.name, ShuntUOhm: sensorShunt, Volts: rail.volts, MaxAmps: 2 * b.spec.fullAmps()}},
	}
	s.Socket = name + "=unix:" + socket
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() { s.served <- power.ServeI2C(ctx, l, s.bus) }()
	return s, nil
}

// carry tells the sensor what the supply carries from now on.
func (s *Sensor) carry(now time.Time, m *model) {
	if s != nil {
		s.past.add(now, m.inputV, m.inputW/m.inputV)
	}
}

func (s *Sensor) silence(on bool) {
	if s != nil {
		s.bus.dumb.Store(on)
	}
}

func (s *Sensor) close() error {
	if s == nil {
		return nil
	}
	s.cancel()
	return errors.Join(<-s.served, i2creg.Unregister(s.I2C.Bus))
}
