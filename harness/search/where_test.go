package search_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/harness/search"
)

// A constraint that is read otherwise than it is written picks a variant that its
// user had ruled out.
func TestWhereJudgesByIntervals(t *testing.T) {
	figures := map[string][2]float64{"f1_macro": {0.90, 0.94}, "latency_ms_p50": {4, 5}, "model_bytes": {3e6, 3e6}}
	interval := func(m string) (lo, hi float64) {
		if x, ok := figures[m]; ok {
			return x[0], x[1]
		}
		return math.NaN(), math.NaN()
	}
	for text, want := range map[string]search.Verdict{
		"f1_macro>=0.9":                  search.Satisfied,
		"f1_macro>0.9":                   search.Undecided,
		"f1_macro>=0.95":                 search.Violated,
		"0.9<=f1_macro":                  search.Satisfied,
		"5 > latency_ms_p50":             search.Undecided,
		"5 >= latency_ms_p50":            search.Satisfied,
		"model_bytes<=3e6":               search.Satisfied,
		"model_bytes<3e6":                search.Violated,
		"energy_j<0.5":                   search.Undecided,
		"f1_macro>=0.95 && energy_j<0.5": search.Violated,
		"f1_macro>=0.9 || energy_j<0.5":  search.Satisfied,
		"f1_macro>=0.9 && energy_j<0.5":  search.Undecided,
		"!(f1_macro>=0.95)":              search.Satisfied,
		"!f1_macro>=0.95":                search.Satisfied,
		"f1_macro>=0.95 || latency_ms_p50<9&&model_bytes<1": search.Violated,
		"(f1_macro>=0.95 || latency_ms_p50<9)&&f1_macro>.5": search.Satisfied,
		"f1_macro > -1": search.Satisfied,
	} {
		w, err := search.ParseWhere(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := w.Judge(interval); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

// An error without a place and a mend leaves the user to guess.
func TestWhereErrorsNameThePlace(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "position 1: expected a metric such as latency_ms_p50, found the end",
		"f1_macro>=":                  "position 11: expected a number, found the end",
		"f1_macro":                    "position 9: expected <, <=, > or >=, found the end",
		"f1>=0.9":                     "position 1: no metric \"f1\" to search by; the nearest is f1_macro",
		"latency_ms_p5<3":             "the nearest is latency_ms_p50",
		"f1_macro>0.9 && enrgy_j<0.5": "position 17: no metric \"enrgy_j\" to search by; the nearest is energy_j",
		"f1_macro==0.9":               "position 9: measured values are never equal",
		"f1_macro!=0.9":               "position 9: measured values are never equal",
		"f1_macro>0.9 & energy_j<1":   "position 14: \"&\": write &&",
		"(f1_macro>0.9":               "position 14: the parenthesis of position 1 is not closed",
		"f1_macro>0.9)":               "position 13: \")\" after the end",
		"f1_macro>0.9 energy_j<1":     "position 14: \"energy_j\" after the end",
		"f1_macro>1e999":              "position 10: expected a number",
		"f1_macro>3MB":                "position 10: expected a number, found \"3MB\"",
		"f1_macro>nan":                "position 10: expected a number, found \"nan\"",
		"1<2":                         "position 3: expected a metric",
		"f1_macro>0.9 é":              "position 14: unexpected \"é\"",
		strings.Repeat("(", 60):       "position 52: more than 50 parentheses",
		strings.Repeat(" ", 3000):     "longer than 2000 bytes",
	} {
		_, err := search.ParseWhere(text)
		var e *search.WhereError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: got %v, want %q", text, err, want)
		}
	}
}

// Constraints come from plan files and the network: none may crash, and one that is
// read must be decided whatever the figures.
func FuzzParseWhere(f *testing.F) {
	for _, text := range []string{"f1_macro>=0.9 && energy_j<0.5", "!(0<skip_rate)||model_bytes<=3e6", "((", "f1_macro>+-1", "\xff<", "é"} {
		f.Add(text, 0.5, 0.7)
	}
	f.Fuzz(func(t *testing.T, text string, lo, hi float64) {
		w, err := search.ParseWhere(text)
		if err != nil {
			if e := (*search.WhereError)(nil); !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) {
				t.Fatalf("%v has no place in %q", err, text)
			}
			return
		}
		if len(w.Metrics()) == 0 {
			t.Errorf("%q compares nothing", text)
		}
		if lo > hi {
			lo, hi = hi, lo
		}
		verdict := w.Judge(func(string) (float64, float64) { return lo, hi })
		if math.IsNaN(lo) || math.IsNaN(hi) {
			return
		}
		// What an interval decides holds for its ends.
		for _, v := range []float64{lo, hi} {
			holds := w.Holds(func(string) float64 { return v })
			if verdict == search.Satisfied && !holds || verdict == search.Violated && holds {
				t.Errorf("%q is %s on [%g, %g] and %v at %g", text, verdict, lo, hi, holds, v)
			}
		}
	})
}
