package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

func adviseUnneeded(f *os.File) error {
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// residentShare is the part of a file that lies in the page cache.
func residentShare(f *os.File) (float64, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 0, err
	}
	defer unix.Munmap(data) //nolint:errcheck // nothing was written
	page := os.Getpagesize()
	resident := make([]byte, (len(data)+page-1)/page)
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)), uintptr(unsafe.Pointer(&resident[0]))); errno != 0 {
		return 0, errno
	}
	var n int
	for _, r := range resident {
		n += int(r & 1)
	}
	return float64(n) / float64(len(resident)), nil
}
