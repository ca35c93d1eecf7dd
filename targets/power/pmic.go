package power

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// pmicChannel is one rail of the Raspberry Pi 5's power management chip. Volts
// or Amps is NaN where the chip does not measure it.
type pmicChannel struct {
	Rail        string
	Volts, Amps float64
}

// pmicLine is of `vcgencmd pmic_read_adc`: " VDD_CORE_A current(7)=10.87674000A".
var pmicLine = regexp.MustCompile(`^\s*([A-Z0-9][A-Z0-9_]{0,31})_([AV])\s+(current|volt)\(([0-9]{1,3})\)=([0-9]{1,4}(?:\.[0-9]{1,12})?)([AV])$`)

// pmicMax bounds the rails; the chip has 14.
const pmicMax = 64

// parsePMIC reads the output of `vcgencmd pmic_read_adc` and pairs currents with
// voltages by the rail's name, in the order of first mention: the numbers in
// parentheses do not align.
func parsePMIC(text string) ([]pmicChannel, error) {
	var channels []pmicChannel
	index := map[string]int{}
	for n, line := range strings.Split(strings.TrimRight(text, "\x00\r\n"), "\n") {
		line = strings.TrimRight(line, " \r\t")
		if line == "" {
			continue
		}
		m := pmicLine.FindStringSubmatch(line)
		if m == nil || m[2] != m[6] || (m[2] == "A") != (m[3] == "current") {
			return nil, fmt.Errorf("line %d: %q is no reading of pmic_read_adc", n+1, clip(line))
		}
		value, err := strconv.ParseFloat(m[5], 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		i, ok := index[m[1]]
		if !ok {
			if i = len(channels); i == pmicMax {
				return nil, fmt.Errorf("line %d: more than %d rails", n+1, pmicMax)
			}
			index[m[1]] = i
			channels = append(channels, pmicChannel{Rail: m[1], Volts: math.NaN(), Amps: math.NaN()})
		}
		to := &channels[i].Volts
		if m[2] == "A" {
			to = &channels[i].Amps
		}
		if !math.IsNaN(*to) {
			return nil, fmt.Errorf("line %d: %s_%s comes twice", n+1, m[1], m[2])
		}
		*to = value
	}
	if len(channels) == 0 {
		return nil, errors.New("pmic_read_adc told no rail")
	}
	return channels, nil
}

// pmicFit turns the sum of the chip's rails into the power at the 5 V input: a
// fit against a USB-C meter by one author (github.com/jfikar/RPi5-power), since
// the chip sees neither the 5 V loads nor the losses of conversion.
var pmicFit = Total{Gain: 1.1451, OffsetW: 0.5879, RelError: 0.10}

// pmicPeriod: read at 50 Hz the firmware visibly slows the workload.
const pmicPeriod = 100 * time.Millisecond

// PMIC reads the power management chip of a Raspberry Pi 5 (Renesas DA9091).
type PMIC struct {
	what  Description
	fetch func() (string, error)
	close func() error
	index map[string]int // rail to place in a reading
}

// OpenPMIC asks the firmware through root's /dev/vcio, which starts no process,
// or else through the vcgencmd command.
func OpenPMIC(root string, facts Facts) (Meter, error) {
	compatible := facts.compatible(root)
	if isPi(compatible) && !isPi5(compatible) {
		return nil, &Unavailable{
			Reason: compatible[0] + " has no sensor of current; the first Raspberry Pi with one is the 5",
			Mend:   externalMend,
		}
	}
	p := &PMIC{close: func() error { return nil }}
	var via string
	device := filepath.Join(root, "dev/vcio")
	mailbox, mailboxErr := OpenMailbox(device)
	if mailboxErr == nil {
		// The device may be another's: only an answer shows that it is the firmware's.
		if _, mailboxErr = mailbox.Ask("commands"); mailboxErr != nil {
			mailbox.Close() //nolint:errcheck // the first error says more
		}
	}
	command := program(root, "vcgencmd", "usr/bin", "opt/vc/bin")
	switch {
	case mailboxErr == nil:
		p.fetch = func() (string, error) { return mailbox.Ask("pmic_read_adc") }
		p.close, via = mailbox.Close, device
	case command != "":
		p.fetch = func() (string, error) {
			out, err := runCommand(2*time.Second, command, "pmic_read_adc")
			return string(out), err
		}
		via = command + " pmic_read_adc"
	case errors.Is(mailboxErr, os.ErrPermission):
		return nil, &Unavailable{Reason: "this user may not open " + device, Mend: "sudo usermod -aG video $USER, then log in anew"}
	default:
		return nil, &Unavailable{
			Reason: "neither /dev/vcio nor the vcgencmd command answers",
			Mend:   "sudo apt install raspi-utils, and add the user to the group video",
		}
	}
	meter, err := p.open(via)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return meter, nil
}

// externalMend is for boards that cannot measure themselves.
const externalMend = "put an INA226 with a shunt of 20 mΩ or less, or a metering plug, into the supply and state it in the inventory"

func (p *PMIC) open(via string) (Meter, error) {
	channels, err := p.read()
	if err != nil {
		return nil, opening("pmic", err)
	}
	p.what = Description{
		Source: "pmic", Scope: "board-5V", Total: pmicFit, Cycle: pmicPeriod,
		TotalRule: "estimated: 1.1451 × sum of the rails + 0.5879 W, a fit against a USB-C meter, ±10 %",
		Settings:  map[string]string{"via": via},
	}
	p.index = map[string]int{}
	for _, c := range channels {
		if math.IsNaN(c.Amps) || math.IsNaN(c.Volts) {
			continue // EXT5V and BATT have no current
		}
		p.index[c.Rail] = len(p.what.Rails)
		p.what.Rails = append(p.what.Rails, Rail{Name: c.Rail, InTotal: true})
	}
	if len(p.what.Rails) == 0 {
		return nil, &Unavailable{Reason: "pmic_read_adc pairs no current with a voltage", Mend: "update the firmware: sudo rpi-eeprom-update -a"}
	}
	return pace(p, pmicPeriod), nil
}

func (p *PMIC) read() ([]pmicChannel, error) {
	text, err := p.fetch()
	if err != nil {
		return nil, err
	}
	return parsePMIC(text)
}

// Describe says what is measured and how.
func (p *PMIC) Describe() Description { return p.what }

// Close gives the mailbox back.
func (p *PMIC) Close() error { return p.close() }

// Read writes the rails' raw powers; the fit is the total's.
func (p *PMIC) Read(dst []Value) error {
	if len(dst) != len(p.what.Rails) {
		return fmt.Errorf("reading pmic: %d values for %d rails", len(dst), len(p.what.Rails))
	}
	channels, err := p.read()
	if err != nil {
		return fmt.Errorf("reading pmic: %w", err)
	}
	for i := range dst {
		dst[i] = missing
	}
	for _, c := range channels {
		if i, ok := p.index[c.Rail]; ok && !math.IsNaN(c.Amps) && !math.IsNaN(c.Volts) {
			dst[i] = Value{Watts: c.Volts * c.Amps, Joules: math.NaN(), Volts: c.Volts, Amps: c.Amps}
		}
	}
	return nil
}
