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
	defer meter.Close() //nolint:errcheck // it was only described
	d := meter.Describe()
	rails := make([]string, len(d.Rails))
	for i, r := range d.Rails {
		rails[i] = r.Name
	}
	info.Energy = d.Source + ", " + d.Scope + " (" + strings.Join(rails, ", ") + ")"
	if d.Simulated {
		info.Energy += ", simulated"
	}
	return info
}
