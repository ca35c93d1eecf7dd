package power

import "fmt"

// Identity registers of Texas Instruments' later sensors. The low four bits of the
// die's are its revision.
const (
	inaMaker     = 0xFE
	inaDie       = 0xFF
	makerTI      = 0x5449
	die3221      = 0x322
	die226       = 0x226
	revisionBits = 4
)

// identify asks the chip what it is. Only what the inventory names is asked: the
// same addresses belong to other devices, of which some take a write to register
// 0xfe for a command (0xfe resets an HTU21D at 0x40).
func (l *inaLink) identify() (string, error) {
	maker, err := l.read(inaMaker)
	if err != nil {
		return "", fmt.Errorf("asking what the sensor is: %w; does it have power, is the address right?", err)
	}
	if maker == makerTI {
		return l.dieName()
	}
	config, err := l.read(ina219Config)
	if err != nil {
		return "", err
	}
	// An INA219 has no identity registers. Its reset would tell, but is not for a chip
	// that may be another.
	if config == ina219ResetConfig {
		return ChipINA219, nil
	}
	return "", fmt.Errorf("the chip at 0x%02x on %s is not known: maker %s, configuration %s; if it is an ina219, say chip: ina219 in the inventory",
		l.cfg.Address, l.bus, hex16(maker), hex16(config))
}

func (l *inaLink) dieName() (string, error) {
	die, err := l.read(inaDie)
	if err != nil {
		return "", err
	}
	switch die >> revisionBits {
	case die3221:
		return ChipINA3221, nil
	case die226:
		return ChipINA226, nil
	}
	return "", fmt.Errorf("the chip at 0x%02x on %s is Texas Instruments' %s, neither an ina3221 (0x3220) nor an ina226 (0x2260)",
		l.cfg.Address, l.bus, hex16(die))
}

// confirm checks that the chip is the one that the inventory says.
func (l *inaLink) confirm(chip string) error {
	maker, err := l.read(inaMaker)
	if err != nil {
		return fmt.Errorf("looking for an %s: %w; does it have power, is the address right?", chip, err)
	}
	if maker != makerTI {
		return fmt.Errorf("looking for an %s at 0x%02x on %s: the maker's number is %s, not %s; is the address right?",
			chip, l.cfg.Address, l.bus, hex16(maker), hex16(makerTI))
	}
	got, err := l.dieName()
	if err == nil && got != chip {
		err = fmt.Errorf("looking for an %s at 0x%02x on %s: it is an %s", chip, l.cfg.Address, l.bus, got)
	}
	return err
}
