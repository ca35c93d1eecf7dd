//go:build !noasm

package kernels

//go:noescape
func probeReadNEON(p, q *byte, rounds, step, ahead int)

func probeInt8NEON(rounds int)
func probeInt4NEON(rounds int)
func probeF32NEON(rounds int)
func probeInt8Dot(rounds int)
func probeInt8I8MM(rounds int)

// probes are the loops by tier. A round's operations are those of kernels/gen:
// sums times lanes times two a multiply-accumulate.
var probes = map[Tier][]Probe{
	Generic: genericProbes,
	NEON: {
		{Mix: MixInt8, OpsPerRound: 8 * 32, run: probeInt8NEON},
		{Mix: MixInt4, OpsPerRound: 8 * 64, run: probeInt4NEON},
		{Mix: MixF32, OpsPerRound: 16 * 8, run: probeF32NEON},
	},
	DotProd: {
		{Mix: MixInt8, OpsPerRound: 16 * 32, run: probeInt8Dot},
		{Mix: MixF32, OpsPerRound: 16 * 8, run: probeF32NEON},
	},
	I8MM: {
		{Mix: MixInt8, OpsPerRound: 16 * 64, run: probeInt8I8MM},
		{Mix: MixF32, OpsPerRound: 16 * 8, run: probeF32NEON},
	},
}

// probeRead reads rounds times 128 bytes from each place.
func probeRead(p, q []byte, rounds, step, ahead int) {
	probeReadNEON(&p[0], &q[0], rounds, step, ahead)
}
