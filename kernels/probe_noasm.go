//go:build noasm || !(amd64 || arm64)

package kernels

// probes are the loops by tier.
var probes = map[Tier][]Probe{Generic: genericProbes}

func probeRead(p, q []byte, rounds, step, _ int) { probeReadGeneric(p, q, rounds, step) }
