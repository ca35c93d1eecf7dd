package power

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"periph.io/x/conn/v3/i2c"
)

// recordVersion is of the header and the lines after it.
const recordVersion = 1

// Bounds of a header's names, in characters; with them it is no longer than a line.
const (
	maxRecordName = 64
	maxRecordBus  = 128
)

// RecordHeader is how a recorded sensor was opened. Its driver asks the same again
// where it is opened so.
type RecordHeader struct {
	I2C I2C `json:"i2c"`
	// KernelDriver had the chip: its configuration was only read. "" = none had.
	KernelDriver string `json:"kernel_driver,omitempty"`
}

// HeaderOf is the header of a sensor that is opened on a bus of this machine, where it is
// known which kernel driver has the chip.
func HeaderOf(bus i2c.Bus, c I2C) RecordHeader {
	return RecordHeader{I2C: c, KernelDriver: c.driver(bus)}
}

type headerLine struct {
	Recording int `json:"recording"`
	RecordHeader
}

// WriteHeader writes the first line of a recording.
func WriteHeader(w io.Writer, h RecordHeader) error {
	if err := h.check(); err != nil {
		return fmt.Errorf("heading an I²C recording: %w", err)
	}
	line, err := json.Marshal(headerLine{recordVersion, h})
	if err == nil {
		_, err = w.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("heading an I²C recording: %w", err)
	}
	return nil
}

// isRecordHeader tells a header from a transaction, which has no such key.
func isRecordHeader(b []byte) bool {
	var keys map[string]json.RawMessage
	return json.NewDecoder(bytes.NewReader(b)).Decode(&keys) == nil && keys["recording"] != nil
}

func parseRecordHeader(b []byte) (*RecordHeader, error) {
	var l headerLine
	if err := strictly(b, &l); err != nil {
		return nil, err
	}
	if l.Recording != recordVersion {
		return nil, fmt.Errorf("recording %d: this program reads version %d", l.Recording, recordVersion)
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	return &l.RecordHeader, nil
}

func (h RecordHeader) check() error {
	if err := h.I2C.Validate(); err != nil {
		return err
	}
	names := map[string]int{h.I2C.Bus: maxRecordBus, h.I2C.Scope: maxRecordName, h.KernelDriver: maxRecordName}
	for _, r := range h.I2C.Rails {
		names[r.Name] = maxRecordName
	}
	for name, most := range names {
		if utf8.RuneCountInString(name) > most || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
			return fmt.Errorf("name %.80q: use at most %d characters, none of them a control", name, most)
		}
	}
	return nil
}

// Open opens the recorded sensor by a description, which is the header's unless the
// user knows better. A chip that a kernel driver had is left to it here too.
func (p *Replayed) Open(c I2C) (Meter, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	driver := "" // behind a replay there is none
	if p.head != nil {
		driver = p.head.KernelDriver
	}
	m, err := openI2COn(p, c, driver)
	if err != nil {
		return nil, err
	}
	return m, nil
}
