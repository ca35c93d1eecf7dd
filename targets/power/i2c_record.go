package power

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
	"periph.io/x/conn/v3/physic"
)

// A recording has one JSON object a line, an i2ctest.IO and its time in µs since the
// recording began. Its first line may be a header, which says how the sensor was opened:
//
//	{"recording":1,"i2c":{"address":64,"chip":"ina226","rails":[{"name":"5V","shunt_uohm":10000}]}}
//	{"t_us":1250,"addr":64,"w":"01","r":"07d0"}

const (
	replayName    = "replay"
	maxRecordOps  = 1 << 20 // three hours of an INA226 at 28 Hz
	maxRecordLine = 4096
	maxRecordSize = 128 << 20
)

type recordLine struct {
	TimeUS int64  `json:"t_us"`
	Addr   uint16 `json:"addr"`
	Write  string `json:"w,omitempty"`
	Read   string `json:"r,omitempty"`
}

// Recorder is a bus that writes down what passes over another.
type Recorder struct {
	bus   i2c.Bus
	start time.Time

	mu  sync.Mutex
	w   *bufio.Writer
	err error // the first of writing
}

// Record begins a recording. The caller calls Flush at its end.
func Record(bus i2c.Bus, w io.Writer) *Recorder {
	return &Recorder{bus: bus, start: time.Now(), w: bufio.NewWriter(w)}
}

func (r *Recorder) String() string { return r.bus.String() }

func (r *Recorder) place() string { return placeOf(r.bus) }

// SetSpeed implements i2c.Bus.
func (r *Recorder) SetSpeed(f physic.Frequency) error { return r.bus.SetSpeed(f) }

// Tx implements i2c.Bus. As in i2ctest, a transaction that fails is not recorded: the
// driver repeats it. A recording that cannot be written never disturbs the measurement.
func (r *Recorder) Tx(addr uint16, w, read []byte) error {
	if err := r.bus.Tx(addr, w, read); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil
	}
	line, err := json.Marshal(recordLine{
		TimeUS: time.Since(r.start).Microseconds(), Addr: addr,
		Write: hex.EncodeToString(w), Read: hex.EncodeToString(read),
	})
	if err == nil {
		_, err = r.w.Write(append(line, '\n'))
	}
	r.err = err
	return nil
}

// Flush writes what is left and returns the first error of the recording.
func (r *Recorder) Flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.w.Flush(); r.err == nil {
		r.err = err
	}
	if r.err != nil {
		return fmt.Errorf("recording I²C bus %s: %w", r.bus, r.err)
	}
	return nil
}

// Replayed is a bus that gives a recording's answers, in order, to a driver that
// asks the same questions. Behind the last it returns io.EOF, and likewise where
// the recorded driver only gave the sensor back and this one asks on.
type Replayed struct {
	play  i2ctest.Playback
	times []time.Duration
	asked int // transactions up to the last that read
	head  *RecordHeader
}

// Replay reads a recording whole.
func Replay(r io.Reader) (*Replayed, error) {
	p := &Replayed{play: i2ctest.Playback{DontPanic: true}}
	rest := &io.LimitedReader{R: r, N: maxRecordSize}
	in := bufio.NewScanner(rest)
	in.Buffer(make([]byte, 0, maxRecordLine), maxRecordLine)
	n := 0
	for in.Scan() {
		n++
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		if p.head == nil && len(p.times) == 0 && isRecordHeader(in.Bytes()) {
			head, err := parseRecordHeader(in.Bytes())
			if err != nil {
				return nil, fmt.Errorf("reading an I²C recording: line %d: header: %w", n, err)
			}
			p.head = head
			continue
		}
		if len(p.times) == maxRecordOps {
			return nil, fmt.Errorf("reading an I²C recording: line %d: more than %d transactions; cut the file", n, maxRecordOps)
		}
		op, t, err := parseRecordLine(in.Bytes())
		if err != nil {
			return nil, fmt.Errorf("reading an I²C recording: line %d: %w", n, err)
		}
		p.play.Ops, p.times = append(p.play.Ops, op), append(p.times, t)
		if len(op.R) > 0 {
			p.asked = len(p.times)
		}
	}
	if err := in.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("longer than %d bytes", maxRecordLine)
		}
		return nil, fmt.Errorf("reading an I²C recording: line %d: %w", n+1, err)
	}
	if rest.N == 0 {
		return nil, fmt.Errorf("reading an I²C recording: it is longer than %d MiB; cut the file", maxRecordSize>>20)
	}
	if len(p.times) == 0 {
		return nil, errors.New("reading an I²C recording: it is empty")
	}
	return p, nil
}

func parseRecordLine(b []byte) (i2ctest.IO, time.Duration, error) {
	var l recordLine
	if err := strictly(b, &l); err != nil {
		return i2ctest.IO{}, 0, err
	}
	if l.Addr > 0x7F {
		return i2ctest.IO{}, 0, fmt.Errorf("addr %d: use 7 bits", l.Addr)
	}
	const maxUS = int64(time.Hour/time.Microsecond) * 24 * 365
	if l.TimeUS < 0 || l.TimeUS > maxUS {
		return i2ctest.IO{}, 0, fmt.Errorf("t_us %d: use 0 to %d", l.TimeUS, maxUS)
	}
	op := i2ctest.IO{Addr: l.Addr}
	var err error
	if op.W, err = hex.DecodeString(l.Write); err != nil {
		return i2ctest.IO{}, 0, fmt.Errorf("w %q: %w", l.Write, err)
	}
	if op.R, err = hex.DecodeString(l.Read); err != nil {
		return i2ctest.IO{}, 0, fmt.Errorf("r %q: %w", l.Read, err)
	}
	return op, time.Duration(l.TimeUS) * time.Microsecond, nil
}

// strictly reads a line that is one object with known keys.
func strictly(b []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one object")
	}
	return nil
}

func (p *Replayed) String() string { return replayName }

// Rewind starts the recording again, for another driver.
func (p *Replayed) Rewind() { p.play.Count = 0 }

// Header says how the recorded sensor was opened; nil where the recording does not.
func (p *Replayed) Header() *RecordHeader { return p.head }

// SetSpeed implements i2c.Bus.
func (p *Replayed) SetSpeed(physic.Frequency) error { return nil }

// Tx implements i2c.Bus.
func (p *Replayed) Tx(addr uint16, w, r []byte) error {
	if n := p.play.Count; n == len(p.play.Ops) || n >= p.asked && len(r) > 0 {
		return fmt.Errorf("the recording has ended: %w", io.EOF)
	}
	return p.play.Tx(addr, w, r)
}

// Elapsed is the recording's time of the last answer given.
func (p *Replayed) Elapsed() time.Duration {
	if p.play.Count == 0 {
		return 0
	}
	return p.times[p.play.Count-1]
}
