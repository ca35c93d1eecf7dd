package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Message is one of the records below.
type Message interface{ kind() string }

func (Hello) kind() string         { return "hello" }
func (Load) kind() string          { return "load" }
func (Measure) kind() string       { return "measure" }
func (Evaluate) kind() string      { return "evaluate" }
func (Info) kind() string          { return "info" }
func (Cancel) kind() string        { return "cancel" }
func (Quit) kind() string          { return "quit" }
func (Progress) kind() string      { return "progress" }
func (Loaded) kind() string        { return "loaded" }
func (MeasureResult) kind() string { return "measured" }
func (EvalResult) kind() string    { return "evaluated" }
func (InfoResult) kind() string    { return "info-result" }
func (Error) kind() string         { return "error" }

// MaxLine is the default limit of a line in bytes. The longest is a
// MeasureResult of some 10⁵ samples.
const MaxLine = 64 << 20

// ErrTooLong is returned for a line beyond the decoder's limit.
var ErrTooLong = errors.New("line is longer than the limit")

// Line is one decoded line.
type Line struct {
	ID      uint64
	Message Message
}

var newline = []byte{'\n'}

type envelope struct {
	Type string          `json:"type"`
	ID   uint64          `json:"id"`
	Body json.RawMessage `json:"body"`
}

// Encoder writes lines; it may be used by several goroutines at once.
type Encoder struct {
	mu sync.Mutex
	w  io.Writer
}

// NewEncoder returns an encoder that gives w one whole line a Write.
func NewEncoder(w io.Writer) *Encoder { return &Encoder{w: w} }

// Encode writes m under id. Floats must be finite.
func (e *Encoder) Encode(id uint64, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", m.kind(), err)
	}
	line, err := json.Marshal(envelope{Type: m.kind(), ID: id, Body: body})
	if err != nil {
		return fmt.Errorf("encoding %s: %w", m.kind(), err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing %s: %w", m.kind(), err)
	}
	return nil
}

// Decoder reads lines.
type Decoder struct {
	r     *bufio.Reader
	limit int
	buf   []byte
}

// NewDecoder returns a decoder that refuses lines of more than limit bytes; 0
// means MaxLine.
func NewDecoder(r io.Reader, limit int) *Decoder {
	if limit <= 0 {
		limit = MaxLine
	}
	return &Decoder{r: bufio.NewReader(r), limit: limit}
}

// Decode returns the next line. It returns io.EOF at the end of input,
// io.ErrUnexpectedEOF inside a line, ErrTooLong, or an *Error of kind Harness
// for a line that is no message.
func (d *Decoder) Decode() (Line, error) {
	for {
		raw, err := d.line()
		if err != nil {
			return Line{}, err
		}
		if len(bytes.TrimSpace(raw)) > 0 {
			return parse(raw)
		}
	}
}

func (d *Decoder) line() ([]byte, error) {
	d.buf = d.buf[:0]
	for {
		piece, err := d.r.ReadSlice('\n')
		d.buf = append(d.buf, piece...)
		if len(bytes.TrimSuffix(d.buf, newline)) > d.limit {
			return nil, fmt.Errorf("%w of %d bytes", ErrTooLong, d.limit)
		}
		switch {
		case err == nil:
			return d.buf, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(bytes.TrimSpace(d.buf)) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

func parse(raw []byte) (Line, error) {
	var env envelope
	if err := json.Unmarshal(raw, &env); err != nil {
		return Line{}, Wrap(Harness, fmt.Errorf("reading line %.40q: %w", raw, err))
	}
	read, known := readers[env.Type]
	if !known {
		return Line{ID: env.ID}, Wrap(Unsupported, fmt.Errorf("message type %.40q is unknown", env.Type))
	}
	m, err := read(env.Body)
	if err != nil {
		return Line{ID: env.ID}, Wrap(Harness, fmt.Errorf("reading %s: %w", env.Type, err))
	}
	return Line{ID: env.ID, Message: m}, nil
}

var readers = map[string]func(json.RawMessage) (Message, error){
	// A hello of another version may have other keys: they are ignored, so
	// that Check can tell the versions apart.
	Hello{}.kind():         lenient[Hello],
	Load{}.kind():          strict[Load],
	Measure{}.kind():       strict[Measure],
	Evaluate{}.kind():      strict[Evaluate],
	Info{}.kind():          strict[Info],
	Cancel{}.kind():        strict[Cancel],
	Quit{}.kind():          strict[Quit],
	Time{}.kind():          strict[Time],
	TimeResult{}.kind():    strict[TimeResult],
	Progress{}.kind():      strict[Progress],
	Loaded{}.kind():        strict[Loaded],
	MeasureResult{}.kind(): strict[MeasureResult],
	EvalResult{}.kind():    strict[EvalResult],
	InfoResult{}.kind():    strict[InfoResult],
	Error{}.kind():         lenient[Error],
}

func lenient[T Message](body json.RawMessage) (Message, error) {
	var m T
	if len(body) == 0 {
		return m, nil
	}
	err := json.Unmarshal(body, &m)
	return m, err
}

// strict refuses unknown keys: after the hello both sides have the same records.
func strict[T Message](body json.RawMessage) (Message, error) {
	var m T
	if len(body) == 0 {
		return m, nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(&m)
	return m, err
}
