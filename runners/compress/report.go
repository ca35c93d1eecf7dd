package compress

import (
	"fmt"
	"math"

	"github.com/seed-c6f48606/harness/runners/model"
)

// Report says what building an artefact did.
type Report struct {
	Recipe Recipe `json:"recipe"`
	// RankRatio is the share of the block parameters left by the factorization
	// alone, PruneRatio the share of the parent's block parameters removed by
	// pruning alone, both as reached after rounding.
	RankRatio  float64 `json:"rank_ratio"`
	PruneRatio float64 `json:"prune_ratio"`
	// BitsPerWeight counts scales: stored bits of all matrices / parameters.
	BitsPerWeight float64        `json:"bits_per_weight"`
	ParamsBefore  int64          `json:"params_before"`
	ParamsAfter   int64          `json:"params_after"`
	BytesBefore   int64          `json:"bytes_before"` // stored, matrices and vectors
	BytesAfter    int64          `json:"bytes_after"`
	CalibTokens   int            `json:"calib_tokens"`
	Matrices      []MatrixReport `json:"matrices"`
	Layers        []LayerReport  `json:"layers"`
	Gates         *GatesReport   `json:"gates,omitempty"`
	Seconds       float64        `json:"seconds"`
	Warnings      []string       `json:"warnings,omitempty"`
}

// MatrixReport is one matrix after its last stage.
type MatrixReport struct {
	Name string `json:"name"`
	Rows int    `json:"rows"`
	Cols int    `json:"cols"`
	Rank int    `json:"rank"` // 0 = not factored
	Bits int    `json:"bits"`
	// Error is ‖(Ŵ−W)X‖²/‖WX‖² on calibration tokens that no statistic was
	// taken from (‖Ŵ−W‖²/‖W‖² where there are none): what factorization and
	// rounding changed in the matrix's output. Pruning is in LayerReport.
	Error float64 `json:"error"`
}

// LayerReport is one layer's shape after pruning and what pruning cost: the
// relative squared error of the hidden state behind the layer on held-out
// calibration tokens, upstream errors included.
type LayerReport struct {
	Heads   int     `json:"heads"`
	KVHeads int     `json:"kv_heads"`
	FFN     int     `json:"ffn"`
	Error   float64 `json:"error"`
}

// GatesReport is how the gates behave at threshold 0.5 on calibration items
// that they were not fitted on.
type GatesReport struct {
	Items         int          `json:"items"`
	DenseAccuracy float64      `json:"dense_accuracy"`
	GatedAccuracy float64      `json:"gated_accuracy"`
	SavedShare    float64      `json:"saved_share"` // of the block parameters' work
	Gates         []GateReport `json:"gates"`
}

// GateReport is one gate at threshold 0.5: how often it was asked, and how
// often it skipped its block or left.
type GateReport struct {
	Layer   int    `json:"layer"`
	Kind    string `json:"kind"`
	Asked   int    `json:"asked"`
	Skipped int    `json:"skipped"`
	// Accuracy of the exit's own head on all calibration items, 0 for a block.
	Accuracy float64 `json:"accuracy,omitempty"`
}

// matrix adds one matrix's line.
func (r *Report) matrix(name string, w *model.Matrix, err float64, bits int) {
	r.Matrices = append(r.Matrices, MatrixReport{
		Name: name, Rows: w.Rows, Cols: w.Cols, Rank: w.Rank(), Bits: bits, Error: err,
	})
}

// warn adds a warning.
func (r *Report) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// warnStorage names what the asked bits and rank make doubtful.
func (r *Report) warnStorage(parent *model.Model, asked Recipe) {
	least := 16
	for _, w := range parent.Matrices {
		if w.Q != nil {
			least = min(least, w.Bits)
		}
	}
	if least < 16 {
		r.warn("the parent's weights are rounded to %d bits already: errors add up, and more bits than that buy nothing", least)
	}
	if asked.RankRatio < 1 {
		var short int
		for _, w := range r.Matrices {
			if w.Rank > 0 && w.Rank < 8 {
				short++
			}
		}
		if short > 0 {
			r.warn("rank-ratio %s leaves %d matrices with a rank below 8", number(asked.RankRatio), short)
		}
	}
	if d := r.PruneRatio - asked.PruneRatio; math.Abs(d) > 0.01 {
		r.warn("prune-ratio %s: removed %.3f of the block parameters, the nearest that widths in steps of %d and whole heads allow", number(asked.PruneRatio), r.PruneRatio, widthStep)
	}
	if d := r.RankRatio - asked.RankRatio; math.Abs(d) > 0.01 {
		r.warn("rank-ratio %s: %.3f of the block parameters are left, since ranks are whole numbers", number(asked.RankRatio), r.RankRatio)
	}
}

// finish adds up the finished model.
func (r *Report) finish(m *model.Model) {
	r.ParamsAfter, r.BytesAfter = m.Params(), m.StoredBytes()
	var bytes, params int64
	for _, w := range m.Matrices {
		bytes += w.StoredBytes()
		params += w.Params()
	}
	r.BitsPerWeight = 8 * float64(bytes) / float64(params)
}
