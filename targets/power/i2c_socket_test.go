package power_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/targets/power"
	"github.com/seed-c6f48606/harness/targets/power/sim"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"
)

// serve answers for a bus on a socket until stop is called.
func serve(t *testing.T, path string, bus *sim.Bus) (stop func()) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- power.ServeI2C(ctx, l, bus) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func register(t *testing.T, name, path string) {
	t.Helper()
	if err := power.RegisterSocketBus(name, "unix", path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i2creg.Unregister(name) })
}

// The drivers of real sensors run against a virtual board through a socket; its
// numbers must say what they are, and survive a simulator that starts again.
func TestSensorBehindASocket(t *testing.T) {
	bus := sim.NewBus("board", nil)
	if err := bus.Add(0x45, sim.NewINA226(sim.Channel{Load: steady(5, 2), ShuntUOhm: shuntUOhm})); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "i2c")
	stop := serve(t, path, bus)
	register(t, "sim-socket-test", path)
	cfg := oneRail(power.ChipAuto)
	cfg.Bus, cfg.Address, cfg.Period = "sim-socket-test", 0x45, 5*time.Millisecond
	m, err := power.OpenI2C(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if d := m.Describe(); !d.Simulated || d.Source != power.ChipINA226 || d.Settings["bus"] != "sim-socket-test" {
		t.Errorf("described as %+v", d)
	}
	var v [1]power.Value
	if err := m.Read(v[:]); err != nil || v[0].Watts < 9.99 || v[0].Watts > 10.01 {
		t.Errorf("reading %+v, error %v, want 10 W", v[0], err)
	}
	stop()
	if err := m.Read(v[:]); err != nil || v[0].Flags != power.Missing {
		t.Errorf("without its simulator: %+v, error %v, want a missing value", v[0], err)
	}
	stop = serve(t, path, bus)
	defer stop()
	if err := m.Read(v[:]); err != nil || v[0].Flags&power.Missing != 0 {
		t.Errorf("with it again: %+v, error %v", v[0], err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestSocketSaysThatNobodyAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "i2c")
	defer serve(t, path, sim.NewBus("board", nil))()
	register(t, "sim-nobody-test", path)
	cfg := oneRail(power.ChipINA226)
	cfg.Bus = "sim-nobody-test"
	if _, err := power.OpenI2C(cfg); err == nil || !strings.Contains(err.Error(), "no device answers") {
		t.Errorf("error %v, want that no device answers", err)
	}
	if _, err := power.OpenBus("sim-mistyped"); err == nil || !strings.Contains(err.Error(), "sim-nobody-test") {
		t.Errorf("error %v, want one that names the buses that there are", err)
	}
}

// A simulator's port is open to whoever finds it.
func TestSocketServerSurvivesStrangers(t *testing.T) {
	bus := sim.NewBus("board", nil)
	if err := bus.Add(0x40, sim.NewINA226(sim.Channel{Load: steady(5, 2), ShuntUOhm: shuntUOhm})); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "i2c")
	defer serve(t, path, bus)()
	for _, junk := range []string{"GET / HTTP/1.1\r\n\r\n", "i2c\x01\xff\xff\xff\xff", strings.Repeat("\x00", 1<<20)} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, junk) // may fail: the server hangs up early
		// A hang-up with unread bytes is a reset, which is as good.
		answer, err := io.ReadAll(io.LimitReader(conn, 1<<10))
		if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
			t.Errorf("%.20q keeps the connection, answer %q", junk, answer)
		}
		conn.Close()
	}
	var crowd []net.Conn
	for range 40 {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		crowd = append(crowd, conn)
	}
	for _, conn := range crowd {
		conn.Close()
	}
	register(t, "sim-stranger-test", path)
	b, err := power.OpenBus("sim-stranger-test")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	// The crowd's places come free when the server hears that it left.
	var r [2]byte
	for range 100 {
		if err = b.Tx(0x40, []byte{0xFE}, r[:]); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil || r != [2]byte{0x54, 0x49} {
		t.Errorf("read % x, error %v, want 54 49", r, err)
	}
}

// openStranger opens a bus behind a socket where somebody else answers.
func openStranger(t *testing.T, name string, answer func(net.Conn)) i2c.Bus {
	t.Helper()
	path := filepath.Join(t.TempDir(), "i2c")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answer(conn)
			conn.Close()
		}
	}()
	register(t, name, path)
	b, err := power.OpenBus(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestSocketClientSurvivesStrangers(t *testing.T) {
	b := openStranger(t, "sim-liar-test", func(conn net.Conn) {
		io.WriteString(conn, strings.Repeat("HTTP/1.1 400\r\n", 1000))
		io.Copy(io.Discard, conn) // until the client has had enough
	})
	if err := b.Tx(0x40, []byte{0}, make([]byte, 2)); err == nil || !strings.Contains(err.Error(), "protocol") {
		t.Errorf("error %v, want one about the protocol", err)
	}
	if err := b.Tx(0x40, make([]byte, 1000), nil); err == nil || !strings.Contains(err.Error(), "at most 255") {
		t.Errorf("error %v, want one about the length", err)
	}
}

// io.EOF means the end of a recording: a simulator that goes away is a reading that
// is missing, not the end of the measurement.
func TestSocketHangsUp(t *testing.T) {
	b := openStranger(t, "sim-hangup-test", func(conn net.Conn) {
		io.CopyN(conn, conn, 4)          // greets
		io.CopyN(io.Discard, conn, 5)    // hears the request out
		io.WriteString(conn, "\x00\x02") // and ends in the middle of its reply
	})
	err := b.Tx(0x40, []byte{0}, make([]byte, 2))
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "hung up") {
		t.Errorf("error %v, want that the other side hung up", err)
	}
}
