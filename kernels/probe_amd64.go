//go:build !noasm

package kernels

//go:noescape
func probeReadAVX2(p, q *byte, rounds, step, ahead int)

func probeInt8AVX2(rounds int)
func probeInt4AVX2(rounds int)
func probeF32AVX2(rounds int)
func probeInt8AVXVNNI(rounds int)
func probeInt8AVX512(rounds int)
func probeF32AVX512(rounds int)

// probes are the loops by tier. A round's operations are those of kernels/gen:
// sums times lanes times two a multiply-accumulate.
var probes = map[Tier][]Probe{
	Generic: genericProbes,
	AVX2: {
		{Mix: MixInt8, OpsPerRound: 8 * 64, run: probeInt8AVX2},
		{Mix: MixInt4, OpsPerRound: 8 * 64, run: probeInt4AVX2},
		{Mix: MixF32, OpsPerRound: 12 * 16, run: probeF32AVX2},
	},
	AVXVNNI: {
		{Mix: MixInt8, OpsPerRound: 12 * 64, run: probeInt8AVXVNNI},
		{Mix: MixF32, OpsPerRound: 12 * 16, run: probeF32AVX2},
	},
	AVX512: {
		{Mix: MixInt8, OpsPerRound: 16 * 128, run: probeInt8AVX512},
		{Mix: MixF32, OpsPerRound: 16 * 32, run: probeF32AVX512},
	},
	AMX: {
		{Mix: MixInt8, OpsPerRound: 4 * 32768, run: probeInt8AMX},
		{Mix: MixF32, OpsPerRound: 16 * 32, run: probeF32AVX512},
	},
}

// probeRead reads rounds times 128 bytes from each place.
func probeRead(p, q []byte, rounds, step, ahead int) {
	if len(available) == 1 { // no AVX2
		probeReadGeneric(p, q, rounds, step)
		return
	}
	probeReadAVX2(&p[0], &q[0], rounds, step, ahead)
}
