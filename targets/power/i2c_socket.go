package power

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"
	"periph.io/x/conn/v3/physic"
)

// I²C over a socket. Each side greets with socketHello, the client first. Then
// follow exchanges of a request and a reply:
//
//	request: address (2 bytes, high first), bytes to write (1), bytes to read (1), the bytes to write
//	reply:   status (1), length (1), so many bytes: what was read, or what went wrong
//
// A message is thus never longer than 259 bytes.

const (
	// SimPrefix begins the name of every bus that no hardware stands behind.
	SimPrefix = "sim-"
	// SocketEnv names the environment variable that lists buses behind sockets,
	// NAME=unix:PATH or NAME=tcp:HOST:PORT, separated by semicolons.
	SocketEnv = "HARNESS_I2C_SIM"

	socketHello   = "i2c\x01"
	socketTimeout = 2 * time.Second
	socketMax     = 255

	socketOK     = 0
	socketFailed = 1
)

// ErrNoDevice is the error of an address at which nothing answers.
var ErrNoDevice = errors.New("no device answers")

type socketRequest struct {
	addr  uint16
	write []byte
	read  int
}

func (q socketRequest) append(b []byte) []byte {
	b = append(b, byte(q.addr>>8), byte(q.addr), byte(len(q.write)), byte(q.read))
	return append(b, q.write...)
}

func readSocketRequest(r io.Reader) (socketRequest, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return socketRequest{}, err
	}
	q := socketRequest{addr: uint16(head[0])<<8 | uint16(head[1]), write: make([]byte, head[2]), read: int(head[3])}
	if q.addr > 0x7F {
		return socketRequest{}, fmt.Errorf("I²C address 0x%x: use 7 bits", q.addr)
	}
	_, err := io.ReadFull(r, q.write)
	return q, err
}

func appendSocketReply(b []byte, data []byte, err error) []byte {
	if err == nil {
		return append(append(b, socketOK, byte(len(data))), data...)
	}
	text := err.Error()
	text = text[:min(len(text), socketMax)]
	return append(append(b, socketFailed, byte(len(text))), text...)
}

// readSocketReply fills data or returns the other side's error.
func readSocketReply(r io.Reader, data []byte) error {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	body := make([]byte, head[1])
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	switch {
	case head[0] == socketFailed:
		return remoteBusError(fmt.Sprintf("%q", body))
	case head[0] != socketOK:
		return fmt.Errorf("status %d of a reply: the other side does not speak this protocol", head[0])
	case len(body) != len(data):
		return fmt.Errorf("a reply of %d bytes where %d were asked for", len(body), len(data))
	}
	copy(data, body)
	return nil
}

// remoteBusError is an error of the bus, not of the way to it.
type remoteBusError string

func (e remoteBusError) Error() string { return "the bus answers " + string(e) }

// RegisterSocketBus makes a bus behind a socket known under a name, which must begin
// with SimPrefix. network is unix or tcp. Nothing is dialled until the bus is used.
func RegisterSocketBus(name, network, address string) error {
	if !strings.HasPrefix(name, SimPrefix) || len(name) == len(SimPrefix) {
		return fmt.Errorf("I²C bus %q behind a socket: begin its name with %s, which marks its readings as simulated", name, SimPrefix)
	}
	if network != "unix" && network != "tcp" || address == "" {
		return fmt.Errorf("I²C bus %s: %s:%s: use unix:PATH or tcp:HOST:PORT", name, network, address)
	}
	err := i2creg.Register(name, nil, -1, func() (i2c.BusCloser, error) {
		return &socketBus{name: name, network: network, address: address}, nil
	})
	if err != nil {
		return fmt.Errorf("registering an I²C bus behind a socket: %w", err)
	}
	return nil
}

// registerSocketsOf registers the buses of SocketEnv's value.
func registerSocketsOf(list string) error {
	for _, entry := range strings.Split(list, ";") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		name, where, _ := strings.Cut(entry, "=")
		network, address, _ := strings.Cut(where, ":")
		if err := RegisterSocketBus(name, network, address); err != nil {
			return fmt.Errorf("%s: %w", SocketEnv, err)
		}
	}
	return nil
}

// socketBus is the client's end. It dials at need, so that a sensor whose simulator
// starts again is only missing for a while.
type socketBus struct {
	name, network, address string

	mu   sync.Mutex
	conn net.Conn
}

func (b *socketBus) String() string { return b.name }

// place tells apart buses of one name, as of two virtual boards.
func (b *socketBus) place() string { return b.name + "=" + b.network + ":" + b.address }

// SetSpeed is accepted and without effect: a socket has no clock.
func (b *socketBus) SetSpeed(physic.Frequency) error { return nil }

func (b *socketBus) Tx(addr uint16, w, r []byte) error {
	if len(w) > socketMax || len(r) > socketMax {
		return fmt.Errorf("I²C bus %s: %d bytes to write, %d to read: at most %d", b.name, len(w), len(r), socketMax)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.exchange(socketRequest{addr: addr, write: w, read: len(r)}, r)
	var remote remoteBusError
	if err != nil && !errors.As(err, &remote) {
		// The stream may be out of step.
		b.drop()
	}
	if err != nil {
		return fmt.Errorf("I²C bus %s: %w", b.name, err)
	}
	return nil
}

func (b *socketBus) exchange(q socketRequest, r []byte) error {
	if err := b.dial(); err != nil {
		return err
	}
	if err := b.conn.SetDeadline(time.Now().Add(socketTimeout)); err != nil {
		return err
	}
	if _, err := b.conn.Write(q.append(nil)); err != nil {
		return err
	}
	return lostEOF(readSocketReply(b.conn, r))
}

func (b *socketBus) dial() error {
	if b.conn != nil {
		return nil
	}
	conn, err := net.DialTimeout(b.network, b.address, socketTimeout)
	if err != nil {
		return err
	}
	b.conn = conn
	if err := conn.SetDeadline(time.Now().Add(socketTimeout)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, socketHello); err != nil {
		return err
	}
	return lostEOF(readHello(conn))
}

// lostEOF keeps the end of a connection apart from the end of a recording.
func lostEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the other side hung up")
	}
	return err
}

func readHello(r io.Reader) error {
	var hello [len(socketHello)]byte
	if _, err := io.ReadFull(r, hello[:]); err != nil {
		return err
	}
	if string(hello[:]) != socketHello {
		return fmt.Errorf("a greeting of %q where %q was expected: the other side does not speak this protocol", hello, socketHello)
	}
	return nil
}

func (b *socketBus) drop() {
	if b.conn != nil {
		b.conn.Close()
		b.conn = nil
	}
}

func (b *socketBus) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop()
	return nil
}
