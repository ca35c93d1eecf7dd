package measure

import (
	"context"
	"strings"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Info says what the machine is and what of it can be measured.
func (m Machine) Info(ctx context.Context) wire.InfoResult {
	info := wire.InfoResult{Env: m.Environment(ctx)}
	for _, t := range kernels.Available() {
		info.Tiers = append(info.Tiers, t.String())
	}
	meter, reason, mend := m.openMeter()
	if meter == nil {
		info.EnergyReason, info.EnergyMend = reason, mend
		return info
	}
	var rails []string
	for _, r := range meter.Rails() {
		rails = append(rails, r.Name)
	}
	info.Energy = meter.Source() + ", " + meter.Scope() + " (" + strings.Join(rails, ", ") + ")"
	return info
}
