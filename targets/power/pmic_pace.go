package power

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// paced keeps a meter whose readings cost the board something from being read
// more often than it can tell news. In between, the last values come again,
// marked stale.
type paced struct {
	Meter
	least time.Duration
	now   func() time.Time
	at    time.Time // of the last reading
	last  []Value
}

func pace(m Meter, least time.Duration) *paced {
	return &paced{Meter: m, least: least, now: time.Now}
}

func (p *paced) Read(dst []Value) error {
	now := p.now()
	if len(p.last) > 0 && len(p.last) == len(dst) && now.Sub(p.at) < p.least {
		copy(dst, p.last)
		for i := range dst {
			dst[i].Flags |= Stale
		}
		return nil
	}
	if err := p.Meter.Read(dst); err != nil {
		return err
	}
	p.at, p.last = now, append(p.last[:0], dst...)
	return nil
}

// Warnings are those of the meter within.
func (p *paced) Warnings() []string {
	if m, ok := p.Meter.(warner); ok {
		return m.Warnings()
	}
	return nil
}

// program finds a command: in the PATH of this machine, or below another root in
// the folders named. It is "" where there is none.
func program(root, name string, folders ...string) string {
	if root == "/" {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	for _, folder := range folders {
		path := filepath.Join(root, folder, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// commandLimit bounds the output of a command that tells of a sensor.
const commandLimit = 256 << 10

// runCommand returns what a command prints, within a time and a size.
func runCommand(limit time.Duration, argv ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second // for a child that keeps the pipe
	out := bounded{left: commandLimit}
	cmd.Stdout = &out
	err := cmd.Run()
	switch {
	case out.left < 0:
		return nil, fmt.Errorf("%s: more than %d bytes of output", argv[0], commandLimit)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: no answer within %v", argv[0], limit)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", argv[0], err)
	}
	return out.text.Bytes(), nil
}

// bounded refuses what is beyond its limit, which ends the command that writes
// it. The buffer is not embedded: its ReadFrom would take everything.
type bounded struct {
	text bytes.Buffer
	left int
}

var errTooLong = errors.New("too much output")

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errTooLong
	}
	return b.text.Write(p)
}
