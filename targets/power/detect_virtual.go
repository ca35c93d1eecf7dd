package power

import "path/filepath"

// virtualMarker is what a virtual board's root has (targets/virtual.Marker): its
// sensors' files come from a model.
const virtualMarker = "etc/harness-virtual"

// start opens a sensor. Those of a virtual board are marked as simulated.
func (s source) start(root string, facts Facts) (Meter, error) {
	m, err := s.open(root, facts)
	if err == nil && exists(filepath.Join(root, virtualMarker)) {
		m = simulated{m}
	}
	return m, err
}

// simulated is a meter that no hardware stands behind.
type simulated struct{ Meter }

// Describe is the meter's, marked.
func (m simulated) Describe() Description {
	d := m.Meter.Describe()
	d.Simulated = true
	return d
}

// Warnings are the meter's.
func (m simulated) Warnings() []string {
	if w, ok := m.Meter.(warner); ok {
		return w.Warnings()
	}
	return nil
}
