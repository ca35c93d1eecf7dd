package compress

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Version is part of every artefact's address. It changes whenever the same
// recipe would give other weights.
const Version = 1

// Defaults of a recipe.
const (
	DefaultGroupSize    = 32
	DefaultCalibSamples = 512
	DefaultAlgorithm    = "rtn"
)

// Limits of a recipe.
const (
	MaxPruneRatio   = 0.9
	MinRankRatio    = 0.01
	MaxCalibSamples = 65536
)

var (
	allowedBits   = []int{16, 8, 6, 5, 4, 3, 2}
	allowedGroups = []int{32, 64, 128, 256}
)

// Recipe says how an artefact is made from its parent. The zero values of
// GroupSize, Algorithm and CalibSamples mean their defaults; the axes have
// none, start from [Default].
type Recipe struct {
	Bits         int     `json:"bits" yaml:"bits"`                   // stored weight bits, 16 = bfloat16
	GroupSize    int     `json:"group_size" yaml:"group_size"`       // weights that share a scale
	Algorithm    string  `json:"algorithm" yaml:"algorithm"`         // of rounding: rtn
	RankRatio    float64 `json:"rank_ratio" yaml:"rank_ratio"`       // share of each block matrix's parameters kept, 1 = dense
	PruneRatio   float64 `json:"prune_ratio" yaml:"prune_ratio"`     // share of all block parameters removed
	CalibSamples int     `json:"calib_samples" yaml:"calib_samples"` // sequences for activation statistics
	Seed         uint64  `json:"seed" yaml:"seed"`                   // chooses the sequences
	Data         string  `json:"data" yaml:"data"`                   // identity (hash) of the calibration set
}

// Default is the recipe that stores the parent in bfloat16 and changes nothing
// else.
func Default() Recipe {
	return Recipe{
		Bits: 16, GroupSize: DefaultGroupSize, Algorithm: DefaultAlgorithm,
		RankRatio: 1, CalibSamples: DefaultCalibSamples,
	}
}

// UsageError is a value that cannot work. It names the limit and the nearest
// value that can.
type UsageError struct {
	Axis    string // as the command line spells it: bits, rank-ratio, ...
	Value   string
	Limit   string // completes "must be ..."
	Nearest string // empty where there is none
}

func (e *UsageError) Error() string {
	s := fmt.Sprintf("%s %s: must be %s", e.Axis, e.Value, e.Limit)
	if e.Nearest != "" {
		s += "; the nearest that can: " + e.Nearest
	}
	return s
}

// normal fills the defaults in.
func (r Recipe) normal() Recipe {
	if r.GroupSize == 0 {
		r.GroupSize = DefaultGroupSize
	}
	if r.Algorithm == "" {
		r.Algorithm = DefaultAlgorithm
	}
	if r.CalibSamples == 0 {
		r.CalibSamples = DefaultCalibSamples
	}
	return r
}

// Validate refuses values that no model can take with a [*UsageError];
// [Builder.Check] knows the limits of one model.
func (r Recipe) Validate() error {
	r = r.normal()
	if near := nearest(r.Bits, allowedBits); near != r.Bits {
		return &UsageError{"bits", strconv.Itoa(r.Bits), "one of " + list(allowedBits), strconv.Itoa(near)}
	}
	if near := nearest(r.GroupSize, allowedGroups); near != r.GroupSize {
		return &UsageError{"group-size", strconv.Itoa(r.GroupSize), "one of " + list(allowedGroups), strconv.Itoa(near)}
	}
	if r.Algorithm != DefaultAlgorithm {
		return &UsageError{"algorithm", strconv.Quote(r.Algorithm), "rtn (round to nearest)", DefaultAlgorithm}
	}
	if !(r.RankRatio >= MinRankRatio && r.RankRatio <= 1) {
		return &UsageError{
			"rank-ratio", number(r.RankRatio), "from " + number(MinRankRatio) + " to 1 (1 = dense)",
			clampName(r.RankRatio, MinRankRatio, 1),
		}
	}
	if !(r.PruneRatio >= 0 && r.PruneRatio <= MaxPruneRatio) {
		return &UsageError{
			"prune-ratio", number(r.PruneRatio), "from 0 (dense) to " + number(MaxPruneRatio),
			clampName(r.PruneRatio, 0, MaxPruneRatio),
		}
	}
	if r.CalibSamples < 1 || r.CalibSamples > MaxCalibSamples {
		near := max(1, min(r.CalibSamples, MaxCalibSamples))
		return &UsageError{"calib-samples", strconv.Itoa(r.CalibSamples), "from 1 to " + strconv.Itoa(MaxCalibSamples), strconv.Itoa(near)}
	}
	return nil
}

// Key is the content address of the artefact that the recipe makes of a parent
// with this hash: SHA-256 in hex over everything that decides its weights.
// Settings that have no effect, such as the group size at 16 bits, are left
// out, so that recipes of one artefact share its key.
func (r Recipe) Key(parentHash string) string {
	r = r.normal()
	var b strings.Builder
	fmt.Fprintf(&b, "compress %d\nparent %s\nbits %d\n", Version, parentHash, r.Bits)
	if r.Bits < 16 {
		fmt.Fprintf(&b, "group %d\nalgorithm %s\n", r.GroupSize, r.Algorithm)
	}
	fmt.Fprintf(&b, "rank %s\nprune %s\ncalib %q %d %d\n",
		number(r.RankRatio), number(r.PruneRatio), r.Data, r.CalibSamples, r.Seed)
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// clampName is the nearest value within [lo, hi] in words, empty for NaN.
func clampName(v, lo, hi float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return number(max(lo, min(v, hi)))
}

// nearest returns the element of allowed closest to v, the first of two.
func nearest(v int, allowed []int) int {
	best := allowed[0]
	for _, a := range allowed[1:] {
		if abs(a-v) < abs(best-v) {
			best = a
		}
	}
	return best
}

func abs(v int) int { return max(v, -v) }

func list(v []int) string {
	s := make([]string, len(v))
	for i, x := range v {
		s[i] = strconv.Itoa(x)
	}
	return strings.Join(s, ", ")
}
