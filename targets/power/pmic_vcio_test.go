package power

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A virtual Pi's firmware is asked by the same messages as a real one's: what is
// lost between shows as a board without a sensor, or as one that throttles.
func TestMailboxBehindASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vcio")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	long := strings.Repeat("x", 2*vcioMaxText)
	go func() {
		served <- ServeMailbox(ctx, l, func(ctx context.Context, command string) string {
			switch command {
			case "slow":
				<-ctx.Done()
			case "long":
				return long
			}
			return "asked " + command
		})
	}()
	m, err := OpenMailbox(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for range 3 {
		if text, err := m.Ask("measure_clock arm"); err != nil || text != "asked measure_clock arm" {
			t.Fatalf("got %q, %v", text, err)
		}
	}
	if text, err := m.Ask("long"); err != nil || text != long[:vcioMaxText-1] {
		t.Errorf("a long answer came as %d bytes, %v", len(text), err)
	}
	// One that greets with anything else is hung up on, and disturbs no other.
	stranger, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Write(make([]byte, 4*vcioWords)); err != nil {
		t.Fatal(err)
	}
	if n, err := stranger.Read(make([]byte, 1)); err == nil {
		t.Errorf("a stranger got %d bytes", n)
	}
	// An answer that does not come is an error in time, and the next question gets
	// its own answer.
	began := time.Now()
	if text, err := m.Ask("slow"); err == nil || time.Since(began) < vcioTimeout {
		t.Errorf("after %v there is %q, %v", time.Since(began), text, err)
	}
	if text, err := m.Ask("next"); err != nil || text != "asked next" {
		t.Errorf("got %q, %v", text, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if text, err := m.Ask("after the end"); err == nil {
		t.Errorf("got %q from nobody", text)
	}
}
