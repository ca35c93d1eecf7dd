package loader

import (
	"strings"
	"testing"
)

const clincJSON = `{"train": [["a", "x"], ["b", "y"]], "val": [["c", "x"]], "test": [["d", "y"]],
"oos_train": [["e", "oos"]], "oos_val": [["f", "oos"]], "oos_test": [["g", "oos"], ["h", "oos"]]}`

func TestCLINC150WithAndWithoutOutOfScope(t *testing.T) {
	for _, c := range []struct {
		oos              bool
		train, val, test []row
	}{
		{false, []row{{"a", "x", 0}, {"b", "y", 0}}, []row{{"c", "x", 0}}, []row{{"d", "y", 0}}},
		{
			true,
			[]row{{"a", "x", 0}, {"b", "y", 0}, {"e", "oos", 0}},
			[]row{{"c", "x", 0}, {"f", "oos", 0}},
			[]row{{"d", "y", 0}, {"g", "oos", 0}, {"h", "oos", 0}},
		},
	} {
		train, val, test, err := readCLINC("c.json", []byte("\ufeff"+clincJSON), c.oos)
		if err != nil {
			t.Fatal(err)
		}
		compareRows(t, train.rows, c.train)
		compareRows(t, val.rows, c.val)
		compareRows(t, test.rows, c.test)
	}
}

func TestBadCLINC150IsRefused(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       []string
	}{
		{"empty", "", []string{"c.json:1:"}},
		{"not json", "{\n\"train\": [[\"a\" \"x\"]]}", []string{"c.json:2: reading CLINC150 json"}},
		{"a list", `[["a", "x"]]`, []string{"not the layout of CLINC150"}},
		{"no val", `{"train": [["a", "x"]], "oos_train": [], "test": []}`, []string{`no list "val"`}},
		{"no oos", `{"train": [["a", "x"]], "val": [], "test": []}`, []string{`no list "oos_train"`}},
		{"text", strings.Replace(clincJSON, `[["c", "x"]]`, `"c"`, 1), []string{`list "val"`, "not a list of [text, label]"}},
		{"number", strings.Replace(clincJSON, `"x"]]`, `7]]`, 1), []string{`list "val"`, "not a list of [text, label]"}},
		{"triple", strings.Replace(clincJSON, `["b", "y"]`, `["b", "y", "z"]`, 1), []string{`list "train": entry 2`}},
		{"no text", strings.Replace(clincJSON, `["b", "y"]`, `[" ", "y"]`, 1), []string{`list "train": entry 2`}},
		{"null pair", strings.Replace(clincJSON, `["b", "y"]`, `null`, 1), []string{`list "train": entry 2`}},
		{"encoding", strings.Replace(clincJSON, "d", "\xe4", 1), []string{"c.json:1: invalid UTF-8"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, _, err := readCLINC("c.json", []byte(c.data), true)
			wantError(t, err, c.want...)
		})
	}
	dir := write(t, map[string]string{
		"empty.json": `{"train": [], "val": [], "test": []}`,
		"stray.json": `{"train": [["a", "x"]], "val": [], "test": [["b", "z"]]}`,
	})
	_, err := Load(dir+"/empty.json", Options{})
	wantError(t, err, "empty data set", "(train)")
	_, err = Load(dir+"/stray.json", Options{})
	wantError(t, err, `(test): label "z" does not occur`)
}
