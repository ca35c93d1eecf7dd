package power

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// SerialConfig is a meter that streams lines of CSV, as a microcontroller with
// an INA226 does over USB.
type SerialConfig struct {
	// Port is a device, as /dev/ttyACM0.
	Port string
	// Baud is 9600, 19200, 38400, 57600, 115200, 230400, 460800 or 921600; 0 is 115200.
	Baud int
	// Header names the columns where the device sends no header of its own.
	Header string
	// TotalRails are the rails whose sum is the total; empty where there is one.
	TotalRails []string
	// Scope is what the total covers; empty is board.
	Scope string
	// Budget is of every rail; zero is a gain good for 2 %.
	Budget Budget
	// Wait is how long the first rows may take; 0 is 3 s.
	Wait time.Duration
}

// Serial integrates a stream of readings over the device's own time stamps, so
// that nothing between two polls is lost: its rails are counters.
type Serial struct {
	what   Description
	header serialHeader
	port   io.ReadCloser
	done   chan struct{}

	mu   sync.Mutex
	sum  serialSum
	bad  int // lines that could not be read, in a row
	err  error
	seen int // rows at the last Read
}

// serialMaxBad lines in a row without sense end the reading.
const serialMaxBad = 1000

// serialRows are waited for before the meter is open, to know its rate.
const serialRows = 5

// OpenSerial opens the port of a streaming meter, raw and without echo.
func OpenSerial(c SerialConfig) (Meter, error) {
	if c.Baud == 0 {
		c.Baud = 115200
	}
	port, err := openPort(c.Port, c.Baud)
	if err != nil {
		return nil, opening("serial meter at "+c.Port, err)
	}
	return ReadSerial(port, c)
}

// ReadSerial reads the stream of a meter from anywhere, and closes it.
func ReadSerial(port io.ReadCloser, c SerialConfig) (Meter, error) {
	s := &Serial{port: port, done: make(chan struct{})}
	fail := func(err error) (Meter, error) { return nil, errors.Join(err, s.port.Close()) }
	if c.Header != "" {
		var err error
		if s.header, err = parseHeader(c.Header); err != nil {
			return fail(fmt.Errorf("opening serial meter: %w", err))
		}
	}
	if c.Wait <= 0 {
		c.Wait = 3 * time.Second
	}
	started := make(chan struct{})
	go s.read(started)
	select {
	case <-started:
	case <-s.done:
	case <-time.After(c.Wait):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return fail(fmt.Errorf("opening serial meter: %w", s.err))
	case s.sum.rows < serialRows && s.header.columns == 0:
		return fail(&Unavailable{
			Reason: fmt.Sprintf("the serial meter %s sent no header within %v", c.Port, c.Wait),
			Mend:   `make it send one ("t_us,V,A"), or name the columns in the inventory; check the baud rate`,
		})
	case s.sum.rows < serialRows:
		return fail(&Unavailable{
			Reason: fmt.Sprintf("the serial meter %s sent %d rows within %v", c.Port, s.sum.rows, c.Wait),
			Mend:   "check the baud rate and the columns: " + s.header.text,
		})
	}
	if err := s.describe(c); err != nil {
		return fail(err)
	}
	return s, nil
}

func (s *Serial) describe(c SerialConfig) error {
	var names []string
	for _, r := range s.header.rails {
		names = append(names, r.name)
	}
	if c.Scope == "" {
		c.Scope = "board"
	}
	total, unavailable := ruleOf(Facts{TotalRails: c.TotalRails, Scope: c.Scope}, nil, names)
	if unavailable != nil {
		return unavailable
	}
	if c.Budget == (Budget{}) {
		c.Budget = Budget{GainRel: 0.02}
	}
	cycle := time.Duration(s.sum.at / float64(s.sum.rows-1) * float64(time.Second)).Round(time.Microsecond)
	s.what = Description{
		Source: "serial", Scope: total.scope, TotalRule: total.words, Total: Total{Gain: 1}, Cycle: cycle, Averaged: cycle,
		Settings: map[string]string{"columns": s.header.text, "port": c.Port},
	}
	for _, name := range names {
		s.what.Rails = append(s.what.Rails, Rail{Name: name, InTotal: slices.Contains(total.rails, name), Counter: true, Budget: c.Budget})
	}
	return nil
}

// read takes lines until the port ends. Its memory is one line, however long
// the device's are.
func (s *Serial) read(started chan struct{}) {
	defer close(s.done)
	lines := bufio.NewReaderSize(s.port, serialLine)
	// The first line may be the rest of one.
	for partial := true; ; {
		line, err := lines.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !long {
			s.mu.Lock()
			s.err = errors.Join(s.err, fmt.Errorf("reading the serial meter: %w", err))
			s.mu.Unlock()
			return
		}
		if text := string(line); !partial || isHeader(text) {
			if !s.line(text, long, started) {
				return
			}
		}
		partial = long
	}
}

// line takes one line and reports whether to go on.
func (s *Serial) line(text string, long bool, started chan struct{}) bool {
	text = strings.TrimSpace(text)
	if text == "" || text[0] == '#' {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.take(text, long)
	switch {
	case err == nil:
		s.bad = 0
	case s.bad >= serialMaxBad:
		s.err = fmt.Errorf("the last %d lines made no sense: %w", serialMaxBad, err)
		return false
	default:
		s.bad++
	}
	if err == nil && s.sum.rows == serialRows && !isHeader(text) {
		close(started) // once: the next row is another
	}
	return true
}

func (s *Serial) take(text string, long bool) error {
	if long {
		return fmt.Errorf("a line of more than %d bytes", serialLine)
	}
	if isHeader(text) {
		h, err := parseHeader(text)
		if err != nil {
			return err
		}
		if s.sum.rows > 0 && h.text != s.header.text {
			return fmt.Errorf("the columns changed from %s to %s", clip(s.header.text), clip(h.text))
		}
		s.header = h
		return nil
	}
	if s.header.columns == 0 {
		return nil // the header is still to come
	}
	values := make([]Value, len(s.header.rails))
	raw, err := s.header.parse(text, values)
	if err != nil {
		return err
	}
	s.sum.add(&s.header, raw, values)
	return nil
}

// Describe says what is measured and how.
func (s *Serial) Describe() Description { return s.what }

// Close closes the port.
func (s *Serial) Close() error {
	err := s.port.Close()
	<-s.done
	return err
}

// Read writes the joules since the meter was opened, up to the last row. Without
// a new row they are stale; across a reset of the device they are missing once,
// since what it used meanwhile is not known.
func (s *Serial) Read(dst []Value) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(dst) != len(s.header.rails) {
		return fmt.Errorf("reading the serial meter: %d values for %d rails", len(dst), len(s.header.rails))
	}
	if s.err != nil {
		return s.err
	}
	for i := range dst {
		last := s.sum.last[i]
		dst[i] = Value{Joules: s.sum.joules[i], Watts: last.Watts, Volts: last.Volts, Amps: last.Amps}
		if s.sum.rows == s.seen {
			dst[i].Flags |= Stale
		}
		if s.sum.breaks > 0 {
			dst[i].Flags |= Missing
			dst[i].Joules = math.NaN()
		}
	}
	s.seen, s.sum.breaks = s.sum.rows, 0
	return nil
}
