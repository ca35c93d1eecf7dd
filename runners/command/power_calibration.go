package command

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/seed-c6f48606/harness/targets/power"
)

// CalibrationRecord is a power.Calibration in JSON. Powers are in watts.
type CalibrationRecord struct {
	Sensor    power.Description `json:"sensor"`
	Steps     []CalibrationStep `json:"steps"`
	BaseW     *float64          `json:"base_w"`     // at no load
	SlopeW    *float64          `json:"slope_w"`    // a busy thread
	ResidualW *float64          `json:"residual_w"` // the most that the line through them leaves
	Cost      *SamplerCost      `json:"cost,omitempty"`
	Findings  []power.Finding   `json:"findings,omitempty"`
}

// CalibrationStep is one load.
type CalibrationStep struct {
	Name     string            `json:"name"`
	Load     float64           `json:"load"` // busy threads
	TotalW   *float64          `json:"total_w"`
	LoW      *float64          `json:"lo_w"`
	HiW      *float64          `json:"hi_w"`
	PartsW   *float64          `json:"parts_w"` // of the rails outside the total
	Readings int               `json:"readings"`
	Rails    []CalibrationRail `json:"rails"`
}

// CalibrationRail is one rail under one load.
type CalibrationRail struct {
	Name    string   `json:"name"`
	MeanW   *float64 `json:"mean_w"`
	NoiseW  *float64 `json:"noise_w"`
	OffsetW *float64 `json:"offset_w"`
	StepW   *float64 `json:"step_w"`
	MeanV   *float64 `json:"mean_v"`
}

func calibrationOf(c power.Calibration) *CalibrationRecord {
	out := &CalibrationRecord{
		Sensor: c.Sensor, BaseW: told(c.BaseW), SlopeW: told(c.SlopeW), ResidualW: told(c.ResidualW), Findings: c.Findings,
	}
	for _, s := range c.Steps {
		step := CalibrationStep{
			Name: s.Name, Load: s.Load, TotalW: told(s.Total.Value), LoW: told(s.Total.Lo), HiW: told(s.Total.Hi),
			PartsW: told(s.PartsW), Readings: s.Window.Fresh,
		}
		for _, r := range s.Rails {
			step.Rails = append(step.Rails, CalibrationRail{
				Name: r.Name, MeanW: told(r.MeanW.Value), NoiseW: told(r.NoiseW), OffsetW: told(r.OffsetW), StepW: told(r.StepW), MeanV: told(r.MeanV),
			})
		}
		out.Steps = append(out.Steps, step)
	}
	return out
}

// maxCalibration bounds a calibration in bytes.
const maxCalibration = 1 << 20

// ReadCalibration reads what a runner's power calibrate writes.
func ReadCalibration(r io.Reader) (*CalibrationRecord, error) {
	var c CalibrationRecord
	if err := json.NewDecoder(bufio.NewReader(io.LimitReader(r, maxCalibration))).Decode(&c); err != nil {
		return nil, fmt.Errorf("reading a runner's calibration: %w", err)
	}
	return &c, nil
}
