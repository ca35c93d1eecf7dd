package remote

import (
	"strings"
	"sync"
)

// Tail keeps the end of what a process writes to stderr: an error shows it, and a
// process that writes without end fills no memory. It is safe for concurrent use.
type Tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailBytes = 2048

// Write takes all of b.
func (t *Tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(b)
	if n > tailBytes {
		b = b[n-tailBytes:]
	}
	t.buf = append(t.buf, b...)
	if extra := len(t.buf) - tailBytes; extra > 0 {
		t.buf = append(t.buf[:0], t.buf[extra:]...)
	}
	return n, nil
}

// String is the text with what could drive a terminal made visible.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return visible(strings.TrimSpace(string(t.buf)))
}
