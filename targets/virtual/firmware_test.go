package virtual

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/targets/power"
)

// The firmware's mailbox is how a Pi's power is read ten times a second: a command
// a reading, each a process under emulation, would be slower than the sensor and a
// load of its own.
func TestTheFirmwareAnswersOnItsMailbox(t *testing.T) {
	b := start(t, Options{Kind: "pi5"})
	m, err := power.OpenMailbox(filepath.Join(b.place.root(), mailbox))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for command, want := range map[string]string{
		"commands": "pmic_read_adc", "get_throttled": "throttled=0x0", "measure_clock arm": "frequency(0)=2400000000", "measure_temp": "temp=",
		"pmic_read_adc": "VDD_CORE_A current(7)=", "pmic_read_adc EXT5V_V": "EXT5V_V volt(24)=5.", "pmic_read_adc NONE_V": "error=2", "reboot": "error=1",
	} {
		if text, err := m.Ask(command); err != nil || !strings.Contains(text, want) {
			t.Errorf("%s: got %q, %v, want %q in it", command, text, err, want)
		}
	}
	// The shell's command says the same.
	if out := sh(t, dial(t, b), "vcgencmd get_throttled; vcgencmd measure_clock arm"); out != "throttled=0x0\nfrequency(0)=2400000000" {
		t.Errorf("vcgencmd says %q", out)
	}
	if err := b.Inject(Fault{Kind: Gap, For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sensor is silent", func() bool {
		_, err := m.Ask("pmic_read_adc")
		return err != nil
	})
	if _, err := m.Ask("get_throttled"); err != nil {
		t.Errorf("the rest of the firmware is silent too: %v", err)
	}
}
