package power

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"time"
)

// The mailbox behind a socket: the device's message of 263 words, in host order,
// goes there and comes back with the answer in it.

// vcioTimeout is how long an answer is waited for, as for the command.
const vcioTimeout = 2 * time.Second

// vcioSocket is a mailbox behind a socket. After an error it connects anew: a late
// answer must not be taken for that of the next question.
type vcioSocket struct {
	path string
	conn net.Conn
}

func dialVCIO(path string) (*vcioSocket, error) {
	s := &vcioSocket{path: path}
	return s, s.dial()
}

func (s *vcioSocket) dial() error {
	conn, err := net.DialTimeout("unix", s.path, vcioTimeout)
	if err != nil {
		return fmt.Errorf("opening the firmware's mailbox: %w", err)
	}
	s.conn = conn
	return nil
}

func (s *vcioSocket) exchange(m *[vcioWords]uint32) error {
	if s.conn == nil {
		if err := s.dial(); err != nil {
			return err
		}
	}
	err := s.conn.SetDeadline(time.Now().Add(vcioTimeout))
	if err == nil {
		err = binary.Write(s.conn, binary.NativeEndian, m)
	}
	if err == nil {
		err = binary.Read(s.conn, binary.NativeEndian, m)
	}
	if err != nil {
		s.Close() //nolint:errcheck // it is broken
	}
	return err
}

// Close hangs up.
func (s *vcioSocket) Close() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	return err
}

// ServeMailbox stands for a Raspberry Pi's firmware: it answers the questions of
// OpenMailbox's clients until ctx ends, then closes the listener and every
// connection. answer may take its time, until its context ends.
func ServeMailbox(ctx context.Context, l net.Listener, answer func(ctx context.Context, command string) string) error {
	return serveClients(ctx, l, "a firmware's mailbox", func(ctx context.Context, conn net.Conn) {
		var m [vcioWords]uint32
		for {
			if conn.SetDeadline(time.Time{}) != nil || binary.Read(&firstByteTimer{conn: conn}, binary.NativeEndian, &m) != nil {
				return
			}
			command, err := vcioTextOf(&m)
			if err != nil || m[0] != vcioWords*4 || m[2] != vcioTag {
				return // no message
			}
			m[1], m[5] = 1<<31, 0 // done
			setVCIOText(&m, answer(ctx, command))
			if conn.SetDeadline(time.Now().Add(serveTimeout)) != nil || binary.Write(conn, binary.NativeEndian, &m) != nil {
				return
			}
		}
	})
}
