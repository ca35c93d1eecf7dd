package command

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/seed-c6f48606/harness/targets/power"
)

// PowerLine is a line of what `runner power watch` writes: first what the sensor
// is, then a frame a line.
type PowerLine struct {
	Sensor *power.Description `json:"sensor,omitempty"`
	Frame  *PowerFrame        `json:"frame,omitempty"`
}

// PowerFrame is a power.Frame in JSON, which knows no NaN.
type PowerFrame struct {
	AtS   float64        `json:"at_s"`
	Total RollingPower   `json:"total"`
	Rails []RollingPower `json:"rails"`
}

// RollingPower is a power.Rolling; nil is none.
type RollingPower struct {
	Now   *float64   `json:"now_w"`
	Mean  *float64   `json:"mean_w"`
	Min   *float64   `json:"min_w"`
	Max   *float64   `json:"max_w"`
	Flags power.Flag `json:"flags,omitempty"`
}

func frameOf(f power.Frame) *PowerFrame {
	out := &PowerFrame{AtS: f.At.Seconds(), Total: rollingOf(f.Total), Rails: make([]RollingPower, len(f.Rails))}
	for i, r := range f.Rails {
		out.Rails[i] = rollingOf(r)
	}
	return out
}

func rollingOf(r power.Rolling) RollingPower {
	return RollingPower{told(r.NowW), told(r.MeanW), told(r.MinW), told(r.MaxW), r.Flags}
}

func told(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func (f *PowerFrame) frame() power.Frame {
	out := power.Frame{At: time.Duration(f.AtS * float64(time.Second)), Total: f.Total.rolling(), Rails: make([]power.Rolling, len(f.Rails))}
	for i, r := range f.Rails {
		out.Rails[i] = r.rolling()
	}
	return out
}

func (r RollingPower) rolling() power.Rolling {
	or := func(v *float64) float64 {
		if v == nil {
			return math.NaN()
		}
		return *v
	}
	return power.Rolling{NowW: or(r.Now), MeanW: or(r.Mean), MinW: or(r.Min), MaxW: or(r.Max), Flags: r.Flags}
}

// maxPowerLine bounds a line in bytes; one of 64 rails takes a tenth of it.
const maxPowerLine = 128 << 10

// ReadPower reads what a runner's power watch writes until its end. A frame with
// another number of rails than the sensor is an error.
func ReadPower(r io.Reader, sensor func(power.Description) error, frame func(power.Frame) error) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 4096), maxPowerLine)
	rails := -1
	for n := 1; in.Scan(); n++ {
		var l PowerLine
		err := json.Unmarshal(in.Bytes(), &l)
		switch {
		case err != nil:
		case l.Sensor != nil && rails < 0:
			rails = len(l.Sensor.Rails)
			err = sensor(*l.Sensor)
		case l.Frame != nil && len(l.Frame.Rails) == rails:
			if err := frame(l.Frame.frame()); err != nil {
				return err
			}
		default:
			err = errors.New("neither what the sensor is nor a frame of its rails")
		}
		if err != nil {
			return fmt.Errorf("reading a runner's power: line %d: %w", n, err)
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("reading a runner's power: %w", err)
	}
	return nil
}
