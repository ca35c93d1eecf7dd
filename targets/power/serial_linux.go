package power

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

var bauds = map[int]uint32{
	9600: unix.B9600, 19200: unix.B19200, 38400: unix.B38400, 57600: unix.B57600,
	115200: unix.B115200, 230400: unix.B230400, 460800: unix.B460800, 921600: unix.B921600,
}

// openPort opens a terminal device as a raw line of 8 bits without parity
// (termios(3), cfmakeraw).
func openPort(path string, baud int) (io.ReadCloser, error) {
	speed, ok := bauds[baud]
	if !ok {
		return nil, fmt.Errorf("%d baud: give 9600, 19200, 38400, 57600, 115200, 230400, 460800 or 921600", baud)
	}
	// Without O_NONBLOCK the open waits for a carrier, and Close could not end a
	// read.
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := raw(f, speed); err != nil {
		return nil, errors.Join(fmt.Errorf("setting up %s: %w", path, err), f.Close())
	}
	return f, nil
}

func raw(f *os.File, speed uint32) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		t, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		if err != nil {
			failed = err
			return
		}
		t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXOFF
		t.Oflag &^= unix.OPOST
		t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
		t.Cflag &^= unix.CSIZE | unix.PARENB | unix.CSTOPB | unix.CRTSCTS | unix.CBAUD
		t.Cflag |= unix.CS8 | unix.CREAD | unix.CLOCAL | speed
		t.Ispeed, t.Ospeed = speed, speed
		t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
		if failed = unix.IoctlSetTermios(int(fd), unix.TCSETS, t); failed == nil {
			// What the port held from before is of another speed or time.
			failed = unix.IoctlSetInt(int(fd), unix.TCFLSH, unix.TCIFLUSH)
		}
	})
	return errors.Join(err, failed)
}
