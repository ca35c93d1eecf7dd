package engine

import (
	"fmt"
	"math"

	"github.com/seed-c6f48606/harness/kernels"
	"github.com/seed-c6f48606/harness/runners/model"
)

// gate is a logistic unit on the mean hidden state of a sequence.
type gate struct {
	weight     []float32
	bias       float32
	classifier classifier // of an exit gate: what reads the last token instead
}

// need returns how much the block is needed, 0 to 1, for a feature vector.
func (g *gate) need(feature []float32) float64 {
	z := float64(kernels.Dot(g.weight, feature)) + float64(g.bias)
	return 1 / (1 + math.Exp(-z))
}

// addGates ties the model's gates to their layers.
func (e *Engine) addGates(m *model.Model, load *loader) error {
	for i := range m.Gates {
		mg := &m.Gates[i]
		l := &e.layers[mg.Layer]
		g := &gate{weight: mg.Weight, bias: mg.Bias}
		place := &l.need
		switch mg.Kind {
		case model.GateAttention:
			if l.q == nil {
				return fmt.Errorf("gate %d: layer %d has no attention block to skip", i, mg.Layer)
			}
		case model.GateExit:
			if mg.Layer == len(e.layers)-1 {
				return fmt.Errorf("gate %d: an exit after the last layer, %d, has nothing to skip", i, mg.Layer)
			}
			g.classifier = e.classifier
			if mg.Exit != nil {
				g.classifier = classifier{load.pack(mg.Exit), mg.ExitBias}
			}
			place = &l.exit
		}
		if *place != nil {
			return fmt.Errorf("gate %d: layer %d has two %s gates", i, mg.Layer, mg.Kind)
		}
		*place = g
		e.gates++
	}
	return nil
}

// checkThreshold refuses what is no threshold.
func checkThreshold(t float64) error {
	if t < 0 || math.IsNaN(t) {
		return fmt.Errorf("threshold is %g: use 0 (no routing) to 1 (skip all that may be skipped)", t)
	}
	return nil
}

// Plan forces the routing of every sequence of a call in place of gates. The
// zero value runs everything.
type Plan struct {
	SkipAttention []bool // layers whose attention block is left out; nil = none
	SkipFFN       []bool // layers whose FFN block is left out; nil = none
	Layers        int    // run only the first so many layers; 0 = all
}

func (p *Plan) check(e *Engine) error {
	n := len(e.layers)
	if len(p.SkipAttention) > n {
		return fmt.Errorf("plan skips attention in %d layers, the model has %d", len(p.SkipAttention), n)
	}
	if len(p.SkipFFN) > n {
		return fmt.Errorf("plan skips the FFN in %d layers, the model has %d", len(p.SkipFFN), n)
	}
	if p.Layers < 0 || p.Layers > n {
		return fmt.Errorf("plan runs %d layers, the model has %d", p.Layers, n)
	}
	return nil
}

// plan settles a sequence's route by force.
func (r *route) plan(p *Plan, layers []layer) {
	r.reset(len(layers))
	copy(r.skip, p.SkipAttention)
	copy(r.skipFFN, p.SkipFFN)
	if p.Layers > 0 {
		r.last = p.Layers - 1
		r.exit = layers[r.last].exit
	}
}

// skipAll settles the route of threshold 1: every gate skips.
func (r *route) skipAll(layers []layer) {
	r.reset(len(layers))
	for i := range layers {
		r.skip[i] = layers[i].need != nil
		if layers[i].exit != nil {
			r.last, r.exit = i, layers[i].exit
			return
		}
	}
}
