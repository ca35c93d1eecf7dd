package power

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// Mailbox puts vcgencmd's questions to the firmware of a Raspberry Pi, which
// starts no process.
type Mailbox struct{ line mailboxLine }

// mailboxLine carries a message to the firmware, which answers in its place.
type mailboxLine interface {
	exchange(m *[vcioWords]uint32) error
	Close() error
}

// OpenMailbox opens a device like /dev/vcio. A virtual board has a socket in its
// place, since an emulator does not pass the device's calls on.
func OpenMailbox(path string) (*Mailbox, error) {
	var line mailboxLine
	var err error
	if info, statErr := os.Stat(path); statErr == nil && info.Mode()&os.ModeSocket != 0 {
		line, err = dialVCIO(path)
	} else {
		line, err = openVCIO(path)
	}
	if err != nil {
		return nil, err
	}
	return &Mailbox{line}, nil
}

// Ask returns the firmware's answer to a command such as "measure_clock arm".
func (m *Mailbox) Ask(command string) (string, error) {
	message, err := vcioRequest(command)
	if err != nil {
		return "", err
	}
	if err := m.line.exchange(message); err != nil {
		return "", fmt.Errorf("asking the firmware for %s: %w", command, err)
	}
	return vcioAnswer(message)
}

// Close gives the device back.
func (m *Mailbox) Close() error { return m.line.Close() }

// The firmware of a Raspberry Pi answers vcgencmd's commands through a property
// message of 263 words in host order (raspberrypi/utils, vcgencmd.c): size,
// request code, tag, size of the value, size of the request, error code, the
// text, end tag.
const (
	vcioWords   = 263
	vcioTag     = 0x00030080 // get gencmd result
	vcioText    = 6          // word at which the text begins
	vcioMaxText = 1024       // bytes
)

// vcioRequest is the message that asks for a command.
func vcioRequest(command string) (*[vcioWords]uint32, error) {
	if len(command) >= vcioMaxText || bytes.IndexByte([]byte(command), 0) >= 0 {
		return nil, fmt.Errorf("asking the firmware: a command of %d bytes: give at most %d without NUL", len(command), vcioMaxText-1)
	}
	var m [vcioWords]uint32
	m[0], m[2], m[3] = vcioWords*4, vcioTag, vcioMaxText
	setVCIOText(&m, command)
	return &m, nil
}

// setVCIOText puts a text into a message, cut to what fits.
func setVCIOText(m *[vcioWords]uint32, s string) {
	var text [vcioMaxText]byte
	copy(text[:vcioMaxText-1], s)
	for i := range vcioMaxText / 4 {
		m[vcioText+i] = binary.NativeEndian.Uint32(text[4*i:])
	}
}

// vcioAnswer is the text in a message that the firmware has answered.
func vcioAnswer(m *[vcioWords]uint32) (string, error) {
	if m[5] != 0 {
		return "", fmt.Errorf("asking the firmware: error code %d", m[5])
	}
	return vcioTextOf(m)
}

// vcioTextOf is the text in a message.
func vcioTextOf(m *[vcioWords]uint32) (string, error) {
	var text [vcioMaxText]byte
	for i := range vcioMaxText / 4 {
		binary.NativeEndian.PutUint32(text[4*i:], m[vcioText+i])
	}
	end := bytes.IndexByte(text[:], 0)
	if end < 0 {
		return "", errors.New("asking the firmware: its answer has no end")
	}
	return string(text[:end]), nil
}
