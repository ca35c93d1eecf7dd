package power

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

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
	var text [vcioMaxText]byte
	copy(text[:], command)
	for i := range vcioMaxText / 4 {
		m[vcioText+i] = binary.NativeEndian.Uint32(text[4*i:])
	}
	return &m, nil
}

// vcioAnswer is the text in a message that the firmware has answered.
func vcioAnswer(m *[vcioWords]uint32) (string, error) {
	if m[5] != 0 {
		return "", fmt.Errorf("asking the firmware: error code %d", m[5])
	}
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
