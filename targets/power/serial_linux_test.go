package power

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal opens a pair: the meter's end by name, the device's as a file.
func terminal(t *testing.T) (*os.File, string) {
	t.Helper()
	device, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { device.Close() })
	if err := unix.IoctlSetPointerInt(int(device.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(device.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return device, fmt.Sprintf("/dev/pts/%d", n)
}

// A line discipline that echoes, edits or translates would eat a meter's bytes.
func TestSerialPort(t *testing.T) {
	device, path := terminal(t)
	stop := make(chan struct{})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := 0; ; i++ {
			// Again and again, as a device should: who opens the port late sees it too.
			if i%20 == 0 {
				fmt.Fprint(device, "\nt_us,V,A\r\n")
			}
			select {
			case <-stop:
				return
			default:
				fmt.Fprintf(device, "%d,5.0,2.0\r\n", i*1000)
				time.Sleep(time.Millisecond)
			}
		}
	}()
	m, err := OpenSerial(SerialConfig{Port: path, Wait: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	v := make([]Value, 1)
	if err := m.Read(v); err != nil || v[0].Watts != 10 || math.Abs(math.Remainder(v[0].Joules, 0.01)) > 1e-9 {
		t.Errorf("%v, %+v; want 10 W, whole milliseconds", err, v[0])
	}
	termios, err := unix.IoctlGetTermios(int(device.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if termios.Lflag&(unix.ICANON|unix.ECHO) != 0 || termios.Cflag&unix.CBAUD != unix.B115200 {
		t.Errorf("the line is not raw at 115200: lflag %x, cflag %x", termios.Lflag, termios.Cflag)
	}
	if err := m.Close(); err != nil { // it ends a read that waits
		t.Error(err)
	}
	close(stop)
	device.Close()
	<-sent
}

func TestSerialPortIsChecked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []SerialConfig{{Port: file}, {Port: file + "x"}, {Port: file, Baud: 12345}} {
		if _, err := OpenSerial(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}
