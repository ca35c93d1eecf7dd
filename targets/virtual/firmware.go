package virtual

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/targets/power"
)

// mailbox is where the firmware of a Raspberry Pi answers in the userland. It is
// a socket: the emulator does not pass on what programs ask a device.
const mailbox = "dev/vcio"

// firmware answers on the mailbox of boards that have one, until its close.
type firmware struct {
	cancel context.CancelFunc
	served chan error
}

// firmwareFiles are the files that answer commands; the vcgencmd of the userland
// reads the same.
var firmwareFiles = map[string]string{
	"get_throttled": "run/throttled", "measure_temp": "run/temp", "measure_clock arm": "run/clock_arm",
	"measure_volts": "run/volts_core", "measure_volts core": "run/volts_core", "pmic_read_adc": pmicFile,
}

// answer is the firmware's answer to a command of vcgencmd's. It waits while a
// fault holds the file.
func (b *Board) answer(ctx context.Context, command string) string {
	command = strings.Join(strings.Fields(command), " ")
	if command == "commands" {
		return `commands="commands, get_throttled, measure_clock, measure_temp, measure_volts, pmic_read_adc"`
	}
	name, ok := firmwareFiles[command]
	rail, single := strings.CutPrefix(command, "pmic_read_adc ")
	if single {
		name, ok = pmicFile, true
	}
	for {
		b.mu.Lock()
		text, there := b.files.last[name]
		held := b.files.held[name] != nil
		b.mu.Unlock()
		switch {
		case !ok || !there:
			return `error=1 error_msg="Command not registered"`
		case held:
			select {
			case <-ctx.Done():
				return ""
			case <-time.After(tick / 2):
			}
		case single:
			for line := range strings.Lines(text) {
				if strings.HasPrefix(strings.TrimSpace(line), rail+" ") {
					return line
				}
			}
			return `error=2 error_msg="Invalid arguments"`
		default:
			return text
		}
	}
}

// listen gives the board its mailbox.
func (b *Board) listen() (firmware, error) {
	if !b.files.firmwareCaps() {
		return firmware{}, nil
	}
	path := filepath.Join(b.place.root(), mailbox)
	l, err := net.Listen("unix", path)
	if err != nil {
		return firmware{}, fmt.Errorf("making a board's mailbox: %w; a shorter directory may help", err)
	}
	if err := os.Chmod(path, 0o666); err != nil { // as to the group video
		return firmware{}, errors.Join(fmt.Errorf("making a board's mailbox: %w", err), l.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := firmware{cancel: cancel, served: make(chan error, 1)}
	go func() { f.served <- power.ServeMailbox(ctx, l, b.answer) }()
	return f, nil
}

func (f firmware) close() error {
	if f.cancel == nil {
		return nil
	}
	f.cancel()
	return <-f.served
}
