package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/runners/wire"
)

// The test binary is also the runner of these tests: started with this variable
// it speaks the wire and does as the script says.
const asRunner = "SWEEP_TEST_RUNNER"

// script is what a fake runner does.
type script struct {
	Dir string // where the processes of one test count what they did
	// Measure lists the outcomes of the attempts at a batch size, of which the
	// last repeats: a verdict, "die", "hang", "refuse" or "unsupported". None means
	// valid.
	Measure map[int][]string
	// Evaluate lists what evaluations do, in their order: "die" or nothing.
	Evaluate []string
	// Fickle answers otherwise at batches above 1.
	Fickle bool
	// Version is what the runner says it is; empty means this build.
	Version string
	// Board is what the machine calls itself.
	Board string
}

func TestMain(m *testing.M) {
	if raw := os.Getenv(asRunner); raw != "" {
		var s script
		if err := json.Unmarshal([]byte(raw), &s); err == nil {
			err = s.serve()
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(3)
	}
	os.Exit(m.Run())
}

// launch starts the test binary as a runner with this script.
func (s script) launch(t *testing.T) Launch {
	t.Helper()
	if s.Dir == "" {
		s.Dir = t.TempDir()
	}
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Under the race detector every process would sleep a second at its exit.
	return Launch{Argv: []string{exe}, Env: append(os.Environ(), asRunner+"="+string(raw), "GORACE=atexit_sleep_ms=0")}
}

// serve answers requests until a quit.
func (s script) serve() error {
	dec, enc := wire.NewDecoder(os.Stdin, 0), wire.NewEncoder(os.Stdout)
	for {
		line, err := dec.Decode()
		if err != nil {
			return err
		}
		var answer wire.Message
		switch m := line.Message.(type) {
		case wire.Hello:
			if s.Version != "" {
				m.Version = s.Version
			}
			answer = m
		case wire.Load:
			answer = wire.Loaded{ModelType: m.Model}
		case wire.Measure:
			answer, err = s.measure(m)
		case wire.Evaluate:
			answer, err = s.evaluate(m)
		case wire.Info:
			answer = wire.InfoResult{Env: s.environment(), EnergyReason: "no sensor"}
		case wire.Cancel:
			answer = wire.Error{Kind: wire.Canceled, Text: "canceled"}
		case wire.Quit:
			os.Exit(0)
		}
		if err == nil && answer != nil {
			err = enc.Encode(line.ID, answer)
		}
		if err != nil {
			return err
		}
	}
}

var errDie = errors.New("out of memory")

func (s script) measure(m wire.Measure) (wire.Message, error) {
	n, err := s.count(fmt.Sprintf("batch%d", m.Batch))
	if err != nil {
		return nil, err
	}
	outcome := string(wire.Valid)
	if list := s.Measure[m.Batch]; len(list) > 0 {
		outcome = list[min(n, len(list)-1)]
	}
	switch outcome {
	case "die":
		return nil, errDie
	case "hang": // until a cancel
		return nil, nil
	case "refuse":
		return wire.Error{Kind: wire.Target, Text: "the model's file is broken"}, nil
	case "unsupported":
		return wire.Error{Kind: wire.Unsupported, Text: "no such scenario"}, nil
	}
	return wire.MeasureResult{
		Verdict: wire.Verdict(outcome), Batch: m.Batch, Threshold: m.Threshold, Scenario: m.Scenario,
		WindowS: 0.5, Items: 10, Samples: []wire.Sample{{LatencyMS: float64(m.Batch), Items: m.Batch}},
		EnergyReason: "no sensor", Env: s.environment(),
	}, nil
}

func (s script) environment() wire.Environment {
	return wire.Environment{OS: "test", Board: s.Board, BootID: "boot"}
}

func (s script) evaluate(m wire.Evaluate) (wire.Message, error) {
	n, err := s.count("evaluate")
	if err != nil {
		return nil, err
	}
	if n < len(s.Evaluate) && s.Evaluate[n] == "die" {
		return nil, errDie
	}
	f, err := os.Open(m.Items)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	items, err := wire.ReadItems(f)
	if err != nil {
		return nil, err
	}
	r := wire.EvalResult{Labels: []string{"ask", "buy"}, Items: len(items)}
	for _, it := range items {
		truth := strings.Index("ab", it.Label[:1])
		guess := truth
		if s.Fickle && m.Batch > 1 {
			guess = 1 - truth
		}
		r.Truth, r.Predictions = append(r.Truth, truth), append(r.Predictions, guess)
	}
	return r, nil
}

// count returns how often this was called with name by any process before.
func (s script) count(name string) (int, error) {
	for n := 0; ; n++ {
		f, err := os.OpenFile(filepath.Join(s.Dir, fmt.Sprintf("%s-%d", name, n)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			return n, f.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return 0, err
		}
	}
}

// listener keeps what a run tells its user.
type listener struct {
	t     *testing.T
	notes chan string
}

func newListener(t *testing.T) listener { return listener{t, make(chan string, 1000)} }

func (listener) Stage(string, int)                   {}
func (listener) Step(int, string)                    {}
func (listener) Target(string, string, int64, int64) {}

func (l listener) Note(_, text string) {
	l.t.Log(text)
	l.notes <- text
}

// heard says whether a note with that text came.
func (l listener) heard(text string) bool {
	for {
		select {
		case note := <-l.notes:
			if strings.Contains(note, text) {
				return true
			}
		default:
			return false
		}
	}
}
