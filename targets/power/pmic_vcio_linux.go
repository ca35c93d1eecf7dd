package power

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// vcioIoctl is _IOWR(100, 0, char *): 0xC0086400 where a pointer has 64 bits.
const vcioIoctl = 3<<30 | unsafe.Sizeof(uintptr(0))<<16 | 100<<8

// vcio is the firmware's mailbox.
type vcio struct{ *os.File }

// openVCIO opens the mailbox and makes sure that it is one.
func openVCIO(path string) (vcio, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return vcio{}, err
	}
	v := vcio{f}
	if _, err := v.ask("commands"); err != nil {
		f.Close()
		return vcio{}, err
	}
	return v, nil
}

func (v vcio) ask(command string) (string, error) {
	m, err := vcioRequest(command)
	if err != nil {
		return "", err
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, v.Fd(), uintptr(vcioIoctl), uintptr(unsafe.Pointer(m)))
	runtime.KeepAlive(v.File)
	if errno != 0 {
		return "", fmt.Errorf("asking the firmware for %s: %w", command, errno)
	}
	return vcioAnswer(m)
}
