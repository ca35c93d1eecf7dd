package command

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/power"
)

// Sensors are what an inventory says of a machine's energy sensors, where the
// machine itself does not or has it wrong. The zero value is what the machine says.
type Sensors struct {
	// ShuntUOhm are true shunts by rail, µΩ; Total are the rails whose sum is the
	// total.
	ShuntUOhm map[string]float64 `json:"shunt_uohm,omitempty"`
	Total     []string           `json:"total,omitempty"`
	// Battery tells how a fuel gauge counts, where that is not found out rightly.
	Battery *Battery `json:"battery,omitempty"`
	// I2C is a sensor on a bus that the kernel does not drive.
	I2C *power.I2C `json:"i2c,omitempty"`
}

// Battery is what a fuel gauge's current means; see power.Facts.
type Battery struct {
	Sign  float64 `json:"sign,omitempty"`
	Scale float64 `json:"scale,omitempty"`
}

// Zero says that nothing is told.
func (s Sensors) Zero() bool {
	return len(s.ShuntUOhm) == 0 && len(s.Total) == 0 && s.Battery == nil && s.I2C == nil
}

const sensorsFlag = "sensors"

// Argv returns the flag that tells a runner of the sensors.
func (s Sensors) Argv() ([]string, error) {
	if s.Zero() {
		return nil, nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("describing sensors: %w", err)
	}
	return []string{"--" + sensorsFlag, string(text)}, nil
}

// Open opens the sensor of the machine below root.
func (s Sensors) Open(root string) (power.Meter, error) {
	if s.I2C != nil {
		return power.OpenI2C(*s.I2C)
	}
	return power.OpenBestOf(root, s.facts())
}

func (s Sensors) facts() power.Facts {
	f := power.Facts{ShuntUOhm: s.ShuntUOhm, TotalRails: s.Total}
	if s.Battery != nil {
		f.BatterySign, f.BatteryScale = s.Battery.Sign, s.Battery.Scale
	}
	return f
}

// sensorsVar is the flag's value.
type sensorsVar struct{ to *Sensors }

func addSensors(c *cobra.Command, to *Sensors) {
	c.Flags().Var(sensorsVar{to}, sensorsFlag, `what the machine does not say of its sensors, in JSON: {"total":["VDD_IN"],"shunt_uohm":{"VDD_IN":5000}}`)
}

// Type names the flag's value in the help.
func (sensorsVar) Type() string { return "json" }

// String returns what is set.
func (v sensorsVar) String() string {
	if v.to == nil || v.to.Zero() {
		return ""
	}
	text, err := json.Marshal(v.to)
	if err != nil {
		return ""
	}
	return string(text)
}

// Set reads the flag; unknown keys are refused.
func (v sensorsVar) Set(text string) error {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	var s Sensors
	if err := dec.Decode(&s); err != nil {
		return err
	}
	if s.I2C != nil {
		if err := s.I2C.Validate(); err != nil {
			return &wire.Error{Kind: wire.Harness, Text: err.Error()}
		}
	}
	*v.to = s
	return nil
}
