package board

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-c6f48606/harness/targets/power"
)

// Throttle are the bits of a Raspberry Pi's get_throttled (vcgencmd(1)): the low
// ones say what is now, the same 16 higher what was since the boot.
type Throttle uint32

// Bits of Throttle.
const (
	UnderVoltage Throttle = 1 << iota
	FrequencyCapped
	ThrottledNow
	SoftLimit
)

const sinceBoot = 16

// Now are the bits of this moment.
func (t Throttle) Now() Throttle { return t & 0xf }

// Since are the bits of what happened since the boot, as low bits.
func (t Throttle) Since() Throttle { return t >> sinceBoot & 0xf }

// String says in words what the low bits mean.
func (t Throttle) String() string {
	var out []string
	for i, word := range []string{"under-voltage", "frequency capped", "throttled", "soft temperature limit"} {
		if t&(1<<i) != 0 {
			out = append(out, word)
		}
	}
	return strings.Join(out, ", ")
}

// ParseThrottle reads "throttled=0x50005", or the bare number that the kernel's
// firmware driver shows.
func ParseThrottle(text string) (Throttle, error) {
	text = trim(text)
	number := strings.TrimPrefix(strings.TrimPrefix(text, "throttled="), "0x")
	v, err := strconv.ParseUint(number, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("throttle bits: %.40q is no hexadecimal number", text)
	}
	return Throttle(v), nil
}

// ParseClock reads "frequency(0)=2400033024", in Hz.
func ParseClock(text string) (int64, error) {
	text = trim(text)
	name, value, ok := strings.Cut(text, "=")
	v, err := strconv.ParseInt(value, 10, 64)
	if !ok || err != nil || !strings.HasPrefix(name, "frequency(") || v < 0 {
		return 0, fmt.Errorf("clock: %.40q is not frequency(N)=HERTZ", text)
	}
	return v, nil
}

// firmwareBits shows get_throttled without a process and without clearing a bit
// (downstream kernels' drivers/firmware/raspberrypi.c).
const firmwareBits = "sys/devices/platform/soc*/*firmware/get_throttled"

// Throttle asks the firmware of a Raspberry Pi for its bits, by the kernel's
// file where there is one, else by the mailbox or vcgencmd. The error says why a
// board does not tell.
func (s Source) Throttle(ctx context.Context) (Throttle, error) {
	for _, path := range s.glob(firmwareBits) {
		if text := s.text(path); text != "" {
			return ParseThrottle(text)
		}
	}
	answer, err := s.firmware(ctx, "get_throttled")
	if err != nil {
		return 0, err
	}
	return ParseThrottle(answer)
}

// ArmClock asks the firmware of a Raspberry Pi for the CPU's true clock in Hz,
// which a cap does not hide as scaling_cur_freq does.
func (s Source) ArmClock(ctx context.Context) (int64, error) {
	answer, err := s.firmware(ctx, "measure_clock arm")
	if err != nil {
		return 0, err
	}
	return ParseClock(answer)
}

// ParseVolts reads the voltage of one rail as pmic_read_adc shows it, such as
// "EXT5V_V volt(24)=5.06788000V".
func ParseVolts(text string) (float64, error) {
	text = trim(text)
	_, value, ok := strings.Cut(text, "=")
	v, err := strconv.ParseFloat(strings.TrimSuffix(value, "V"), 64)
	if !ok || err != nil || !strings.HasSuffix(value, "V") || !(v >= 0 && v < 100) {
		return 0, fmt.Errorf("voltage: %.40q is not NAME volt(N)=VOLTS V", text)
	}
	return v, nil
}

// InputVolts asks the power chip of a Raspberry Pi 5 for its supply's voltage.
func (s Source) InputVolts(ctx context.Context) (float64, error) {
	answer, err := s.firmware(ctx, "pmic_read_adc EXT5V_V")
	if err != nil {
		return 0, err
	}
	return ParseVolts(answer)
}

// firmware puts a question to a Raspberry Pi's firmware, by its mailbox, which
// costs no process, where this user may.
func (s Source) firmware(ctx context.Context, question string) (string, error) {
	if answer, err := s.mailbox(question); err == nil {
		return answer, nil
	}
	return s.tool(ctx, append([]string{"vcgencmd"}, strings.Fields(question)...)...)
}

func (s Source) mailbox(question string) (string, error) {
	m, err := power.OpenMailbox(s.path("dev/vcio"))
	if err != nil {
		return "", err
	}
	defer m.Close() //nolint:errcheck // it was read
	return m.Ask(question)
}

// supplyMilliamps is what the firmware of a Raspberry Pi 5 agreed with its
// supply: 5000 with USB PD, 3000 without; 0 where it does not tell.
func (s Source) supplyMilliamps() int {
	for _, path := range []string{"proc/device-tree", "sys/firmware/devicetree/base"} {
		if b := s.bytes(path, "chosen/power/max_current"); len(b) == 4 {
			return int(binary.BigEndian.Uint32(b))
		}
	}
	return 0
}
