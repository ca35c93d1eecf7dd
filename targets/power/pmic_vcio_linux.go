package power

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// vcioIoctl is _IOWR(100, 0, char *): 0xC0086400 where a pointer has 64 bits.
const vcioIoctl = 3<<30 | unsafe.Sizeof(uintptr(0))<<16 | 100<<8

// vcio is the mailbox's device.
type vcio struct{ *os.File }

func openVCIO(path string) (mailboxLine, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return vcio{f}, nil
}

func (v vcio) exchange(m *[vcioWords]uint32) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, v.Fd(), uintptr(vcioIoctl), uintptr(unsafe.Pointer(m)))
	runtime.KeepAlive(v.File)
	if errno != 0 {
		return errno
	}
	return nil
}
