package power

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// perOutlet is a number, or a list with one number an outlet, as Tasmota writes
// them for plugs of one and of several.
type perOutlet []float64

func (o *perOutlet) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]float64)(o))
	}
	var v float64
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*o = perOutlet{v}
	return nil
}

// of is an outlet's value. Voltage and the total are told once for all outlets.
func (o perOutlet) of(channel int, shared bool) float64 {
	switch {
	case channel < len(o):
		return o[channel]
	case shared && len(o) == 1:
		return o[0]
	}
	return math.NaN()
}

// parseTasmota reads the answer to Status 8: W, V, A and kWh.
func parseTasmota(body []byte, channel int) (plugReading, error) {
	var t struct {
		StatusSNS struct {
			Energy *struct {
				Power, Voltage, Current, Total perOutlet
			} `json:"ENERGY"`
		}
	}
	if err := json.Unmarshal(body, &t); err != nil {
		return plugReading{}, fmt.Errorf("no answer to Tasmota's Status 8: %w", err)
	}
	e := t.StatusSNS.Energy
	if e == nil {
		return plugReading{}, errors.New("no StatusSNS.ENERGY in the answer: this plug does not measure")
	}
	r := plugReading{Watts: e.Power.of(channel, false), Volts: e.Voltage.of(channel, true), Amps: e.Current.of(channel, false)}
	r.EnergyJ = e.Total.of(channel, false) * 3.6e6
	if len(e.Total) < len(e.Power) {
		r.EnergyJ = math.NaN() // of all outlets together
	}
	return r.check(channel)
}

// parseShelly2 reads a switch's status of the second and later generations: W, V,
// A and Wh.
func parseShelly2(body []byte, channel int) (plugReading, error) {
	var s struct {
		Power   *float64 `json:"apower"`
		Volts   *float64 `json:"voltage"`
		Amps    *float64 `json:"current"`
		AEnergy struct {
			Total *float64 `json:"total"`
		} `json:"aenergy"`
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return plugReading{}, fmt.Errorf("no answer to Shelly's Switch.GetStatus: %w", err)
	}
	r := plugReading{Watts: orNaN(s.Power), Volts: orNaN(s.Volts), Amps: orNaN(s.Amps), EnergyJ: orNaN(s.AEnergy.Total) * 3600}
	return r.check(channel)
}

// parseShelly1 reads a meter of the first generation: W and W·min.
func parseShelly1(body []byte, channel int) (plugReading, error) {
	var s struct {
		Power *float64 `json:"power"`
		Total *float64 `json:"total"`
		Valid *bool    `json:"is_valid"`
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return plugReading{}, fmt.Errorf("no answer of a Shelly's meter: %w", err)
	}
	if s.Valid != nil && !*s.Valid {
		return plugReading{}, errors.New("the plug says that its reading is not valid")
	}
	r := plugReading{Watts: orNaN(s.Power), Volts: math.NaN(), Amps: math.NaN(), EnergyJ: orNaN(s.Total) * 60}
	return r.check(channel)
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// maxOutletW is above every household circuit.
const maxOutletW = 1e5

// check refuses a reading without a power, or with one that no outlet has. Outlets
// are called as the inventory counts them, from 1.
func (r plugReading) check(channel int) (plugReading, error) {
	switch {
	case math.IsNaN(r.Watts):
		return plugReading{}, fmt.Errorf("no power of outlet %d in the answer", channel+1)
	case math.Abs(r.Watts) > maxOutletW:
		return plugReading{}, fmt.Errorf("a power of %g W at outlet %d", r.Watts, channel+1)
	case math.IsInf(r.EnergyJ, 0) || r.EnergyJ < 0:
		r.EnergyJ = math.NaN()
	}
	return r, nil
}
