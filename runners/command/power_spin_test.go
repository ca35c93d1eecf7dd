package command

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A known load that is none makes a good sensor look dead; one that outlives its
// controller makes the next trial on the board hot.
func TestSpinIsALoad(t *testing.T) {
	cpu := func() time.Duration {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := cpu()
	var out, errs bytes.Buffer
	if code := Run(t.Context(), []string{"power", "spin", "--threads", "1", "--for", "500ms"}, nil, &out, &errs); code != exitDone {
		t.Fatalf("status %d: %s", code, errs.String())
	}
	if used := cpu() - before; used < 100*time.Millisecond {
		t.Errorf("it took %v of processor time in 500 ms", used)
	}
	var line Spinning
	if err := ReadSpin(&out, func(s Spinning) { line = s }); err != nil || line.Threads != 1 || line.Cores < 1 {
		t.Errorf("%+v, %v", line, err)
	}

	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	in, hold := io.Pipe()
	said, say := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, []string{"power", "spin", "--attached", "--for", "1h"}, in, say, io.Discard)
		say.Close()
	}()
	if err := ReadSpin(said, func(Spinning) { hold.Close() }); err != nil {
		t.Error(err)
	}
	if code := <-ended; code != exitDone {
		t.Errorf("it ends with its input with status %d", code)
	}
	for _, args := range [][]string{{"--threads", "-1"}, {"--threads", "5000"}, {"--for", "0s"}} {
		if code := Run(t.Context(), append([]string{"power", "spin"}, args...), nil, io.Discard, io.Discard); code != exitHarness {
			t.Errorf("%v: status %d", args, code)
		}
	}
}

// A board may say anything of its load.
func FuzzReadSpin(f *testing.F) {
	f.Add(`{"threads":1,"cores":4}` + "\n")
	f.Add(`{"threads":1,"cores":1000000000}`)
	f.Add("Killed")
	f.Fuzz(func(t *testing.T, text string) {
		begun := 0
		err := ReadSpin(strings.NewReader(text), func(s Spinning) {
			if begun++; s.Cores < 1 || s.Cores > maxSpin || s.Threads < 1 || s.Threads > maxSpin {
				t.Errorf("%+v", s)
			}
		})
		if (begun == 1) != (err == nil) {
			t.Errorf("begun %d times, error %v", begun, err)
		}
	})
}
