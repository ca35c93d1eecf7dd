package engine

import (
	"slices"
	"testing"

	"github.com/seed-c6f48606/harness/runners/model"
)

// TestThresholdZeroIsDense guards the sweep's baseline: at threshold 0 a model
// with gates is the one without, bit for bit, and does the same work.
func TestThresholdZeroIsDense(t *testing.T) {
	everyTier(t, func(t *testing.T) {
		for _, s := range invariantStores {
			sh := regular(s.of)
			m := random(sh, 1)
			ids := tokens(sh.vocab, 3, 5, 1, 64, 12)
			var logits [2][]float32
			var stats [2]Stats
			for i, m := range []*model.Model{m, withGates(m, 1)} {
				e := engineOf(t, m, Options{Threads: 2})
				logits[i] = make([]float32, len(ids)*sh.classes)
				var err error
				if stats[i], err = e.Classify(t.Context(), ids, 0, logits[i]); err != nil {
					t.Fatal(err)
				}
				for _, l := range allLogits(t, m, Options{Threads: 2}, ways[0], ids) {
					logits[i] = append(logits[i], l...)
				}
			}
			if !slices.Equal(logits[0], logits[1]) {
				t.Errorf("%s: gates change logits at threshold 0", s.name)
			}
			if a, b := stats[0].ExecutedMAC, stats[1].ExecutedMAC; a != b || stats[1].Skipped != 0 {
				t.Errorf("%s: gates change the work at threshold 0: %d and %d MAC, %d skipped", s.name, a, b, stats[1].Skipped)
			}
			if stats[0].ExecutedMAC != stats[0].DenseMAC {
				t.Errorf("%s: the dense run executes %d MAC, accounted are %d", s.name, stats[0].ExecutedMAC, stats[0].DenseMAC)
			}
		}
	})
}

// TestThresholdOneSkipsAll guards the other end of the axis: every eligible
// attention block is left out and every sequence leaves at the first exit, with
// the class logits of that exit's own matrix.
func TestThresholdOneSkipsAll(t *testing.T) {
	sh := regular(inF32)
	m := withGates(random(sh, 1), 1)
	e := engineOf(t, m, Options{Threads: 2})
	ids := tokens(sh.vocab, 3, 5, 1, 33)
	got := make([]float32, len(ids)*sh.classes)
	st, err := e.Classify(t.Context(), ids, 1, got)
	if err != nil {
		t.Fatal(err)
	}
	if st.Eligible != len(ids)*len(m.Gates) || st.Skipped != st.Eligible {
		t.Errorf("%d of %d skipped, want all of %d", st.Skipped, st.Eligible, len(ids)*len(m.Gates))
	}
	if want := []int{0, len(ids), 0, 0}; !slices.Equal(st.Exits, want) {
		t.Errorf("sequences end after layers %v, want %v", st.Exits, want)
	}
	exit := m.Gates[slices.IndexFunc(m.Gates, func(g model.Gate) bool { return g.Kind == model.GateExit })]
	o := oracle{m: m, skip: []bool{false, true, false, false}, last: 1}
	for i := range ids {
		want := o.classes(ids[i], exit.Exit, exit.ExitBias)
		if d := deviate(got[i*sh.classes:][:sh.classes], want, sh.classes, 1e-3); d.greatest > 1e-4 {
			t.Errorf("sequence %d: largest error %.2g", i, d.greatest)
		}
	}
	if wantMAC := executed(m, ids, o.skip, o.last); st.ExecutedMAC != wantMAC {
		t.Errorf("executed %d MAC, by hand %d", st.ExecutedMAC, wantMAC)
	}
	if wantMAC := executed(m, ids, make([]bool, 4), 3); st.DenseMAC != wantMAC {
		t.Errorf("dense %d MAC, by hand %d", st.DenseMAC, wantMAC)
	}
}

// executed counts by hand what classifying costs in a model whose classifier and
// exits have the same shape: every product once, in the last layer only the last
// token's query and MLP.
func executed(m *model.Model, ids [][]int32, skip []bool, last int) (macs uint64) {
	for _, s := range ids {
		n := len(s)
		for i := 0; i <= last; i++ {
			l, out := &m.Layers[i], n
			if i == last {
				out = 1
			}
			if !skip[i] {
				macs += uint64(n*(l.K.Rows+l.V.Rows)*l.K.Cols + 2*out*l.Q.Rows*l.Q.Cols)
				for t := n - out; t < n; t++ {
					macs += uint64(2 * (t + 1) * l.Q.Rows)
				}
			}
			macs += uint64(3 * out * l.Gate.Rows * l.Gate.Cols)
		}
		macs += uint64(m.Classifier.Rows * m.Classifier.Cols)
	}
	return macs
}

// TestRoutingFollowsGates guards that a threshold between 0 and 1 does what the
// gates say: the routed logits are those of the same blocks left out by force,
// the counts are those of the route, and more threshold never means less
// skipping of a first decision.
func TestRoutingFollowsGates(t *testing.T) {
	sh := regular(inF32)
	sh.layers = uniform(5, 96)
	m := withGates(random(sh, 7), 7)
	e := engineOf(t, m, Options{Threads: 2})
	routes := map[string]bool{}
	for _, threshold := range []float64{0.05, 0.3, 0.5, 0.7, 0.95} {
		for i, s := range tokens(sh.vocab, 9, 4, 2, 9, 31, 17, 5, 12, 3) {
			got, forced := make([]float32, sh.classes), make([]float32, sh.classes)
			st, err := e.Classify(t.Context(), [][]int32{s}, threshold, got)
			if err != nil {
				t.Fatal(err)
			}
			r := e.scratch[0].route
			routes[string(rune('0'+r.last))+boolString(r.skip)] = true
			plan := Plan{SkipAttention: slices.Clone(r.skip)}
			if r.exit != nil {
				plan.Layers = r.last + 1
			}
			if _, err := e.Observe(t.Context(), [][]int32{s}, plan, forced, nil); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, forced) {
				t.Errorf("threshold %g, sequence %d: routed logits differ from those of the same blocks left out", threshold, i)
			}
			skipped, asked := 0, 0
			for _, g := range m.Gates {
				if g.Layer > r.last || g.Layer == r.last && g.Kind == model.GateExit && r.exit != nil || g.Kind == model.GateAttention && r.skip[g.Layer] {
					skipped++
				}
				if g.Layer <= r.last {
					asked++
				}
			}
			if st.Skipped != skipped || st.Eligible != len(m.Gates) {
				t.Errorf("threshold %g, sequence %d: counted %d of %d, the route skips %d of %d", threshold, i, st.Skipped, st.Eligible, skipped, len(m.Gates))
			}
			// Where an exit may still come, the last layer run is not known to
			// be the last: it runs for every token.
			want := executed(m, [][]int32{s}, r.skip, r.last) + uint64(asked*sh.hidden)
			if r.exit == nil {
				if st.ExecutedMAC != want {
					t.Errorf("threshold %g, sequence %d: executed %d MAC, by hand %d", threshold, i, st.ExecutedMAC, want)
				}
			} else if st.ExecutedMAC < want || st.ExecutedMAC >= st.DenseMAC {
				t.Errorf("threshold %g, sequence %d: executed %d MAC, dense %d, at least %d", threshold, i, st.ExecutedMAC, st.DenseMAC, want)
			}
		}
	}
	if len(routes) < 6 {
		t.Errorf("the test met %d routes only: choose other gates", len(routes))
	}
}

func boolString(b []bool) string {
	s := make([]byte, len(b))
	for i, v := range b {
		s[i] = '0'
		if v {
			s[i] = '1'
		}
	}
	return string(s)
}

// TestRouteIsFrozen guards conversations: what the prompt decided holds for the
// decoded tokens, whatever their threshold, a skipped layer keeps no keys, and a
// new conversation decides anew.
func TestRouteIsFrozen(t *testing.T) {
	sh := regular(inF32)
	sh.classes = 0
	m := withGates(random(sh, 1), 1)
	e := engineOf(t, m, Options{Threads: 2})
	ids := tokens(sh.vocab, 3, 12)[0]
	seq := e.NewSequence()
	read := func(ids []int32, threshold float64) (out []float32) {
		t.Helper()
		err := e.Forward(t.Context(), []Step{{Seq: seq, Tokens: ids, All: true}}, threshold, func(_, _ int, l []float32) { out = append(out, l...) })
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := read(ids[:6], 1)
	for i := 6; i < len(ids); i++ {
		got = append(got, read(ids[i:i+1], 0)...)
	}
	o := oracle{m: m, skip: []bool{false, true, false, false}, last: 1}
	if d := deviate(got, o.vocabulary(ids), sh.vocab, 1e-3); d.greatest > 1e-4 {
		t.Errorf("largest error %.2g against the frozen route", d.greatest)
	}
	for l, c := range seq.cache {
		if has := len(c.groups) > 0; has != (l == 0) {
			t.Errorf("layer %d holds keys: %v", l, has)
		}
	}
	seq.Reset()
	if d := deviate(read(ids, 0), unrouted(m).vocabulary(ids), sh.vocab, 1e-3); d.greatest > 1e-4 {
		t.Errorf("after Reset the old route holds: largest error %.2g", d.greatest)
	}
	e.ResetStats()
	seq.Reset()
	for i := range ids { // six calls count the sequence once
		read(ids[i:i+1], 1)
	}
	if st := e.Stats(); st.Eligible != len(m.Gates) || st.Tokens != len(ids) {
		t.Errorf("one sequence of %d tokens counted as %d gates, %d tokens", len(ids), st.Eligible, st.Tokens)
	}
}

// TestGatesMustFit guards against gates that would skip what is not there.
func TestGatesMustFit(t *testing.T) {
	m := random(odd(inF32), 1)
	w := make([]float32, m.Config.HiddenSize)
	for _, c := range []struct {
		gates []model.Gate
		want  string
	}{
		{[]model.Gate{{Layer: 1, Kind: model.GateAttention, Weight: w}}, "layer 1 has no attention block to skip"},
		{[]model.Gate{{Layer: 4, Kind: model.GateExit, Weight: w}}, "exit after the last layer"},
		{[]model.Gate{{Layer: 2, Kind: model.GateAttention, Weight: w}, {Layer: 2, Kind: model.GateAttention, Weight: w}}, "two attention gates"},
	} {
		bad := m.Clone()
		bad.Gates = c.gates
		_, err := New(bad, Options{})
		wantError(t, err, c.want)
	}
}
