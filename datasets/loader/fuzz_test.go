package loader

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// checkRows fails on a row that no later stage could use.
func checkRows(t *testing.T, data []byte, rows []row) {
	t.Helper()
	lines := bytes.Count(data, []byte("\n")) + 1
	for i, r := range rows {
		if strings.TrimSpace(r.text) == "" || strings.TrimSpace(r.label) == "" || !utf8.ValidString(r.text) || !utf8.ValidString(r.label) {
			t.Fatalf("row %d is %+v", i, r)
		}
		if r.line < 1 || r.line > lines || i > 0 && r.line <= rows[i-1].line {
			t.Fatalf("row %d is said to stand on line %d of %d", i, r.line, lines)
		}
	}
}

// again reads what was written from rows and compares: reading must lose nothing.
func again(t *testing.T, f format, data []byte, rows []row) {
	t.Helper()
	got, err := readTable("again", f, data, plainColumns)
	if err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	same := func(a, b row) bool { return a.text == b.text && a.label == b.label }
	if !slices.EqualFunc(rows, got, same) {
		t.Fatalf("%+v became %+v", rows, got)
	}
}

func FuzzReadCSV(f *testing.F) {
	for _, s := range []string{"", "text,label\na,x\n", "\ufefflabel,text\r\nx,\"a\n\"\"b\"\"\"\r\n", "text,label\n\"a", "text,label\na\n", "text,label\n\xff,x\n", "text,label\n\n a,x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := readTable("t", formatCSV, data, plainColumns)
		if err != nil {
			return
		}
		checkRows(t, data, rows)
		var out bytes.Buffer
		w := csv.NewWriter(&out)
		w.Write([]string{"text", "label"})
		for _, r := range rows {
			w.Write([]string{r.text, r.label})
		}
		w.Flush()
		again(t, formatCSV, out.Bytes(), rows)
	})
}

func FuzzReadTSV(f *testing.F) {
	for _, s := range []string{"", "text\tlabel\na\tx\n", "\ufefflabel\ttext\r\nx\t\"a\r\n", "text\tlabel\na\n", "\n\r\n\ntext\tlabel", "text\tlabel\n\xff\tx"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := readTable("t", formatTSV, data, plainColumns)
		if err != nil {
			return
		}
		checkRows(t, data, rows)
		out := []byte("text\tlabel\n")
		for _, r := range rows {
			if strings.ContainsAny(r.text+r.label, "\t\n") {
				t.Fatalf("a field holds a separator: %+v", r)
			}
			out = append(out, r.text+"\t"+r.label+"\r\n"...)
		}
		again(t, formatTSV, out, rows)
	})
}

func FuzzReadJSONL(f *testing.F) {
	for _, s := range []string{"", `{"text":"a","label":"x"}`, "\ufeff{\"text\":\"\\ud83d\\ude00\",\"label\":1e3}\r\n\n", "[]", "null", `{"text":{},"label":null}`, `{"text":"a","text":"b","label":true}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := readTable("t", formatJSONL, data, plainColumns)
		if err != nil {
			return
		}
		checkRows(t, data, rows)
		var out []byte
		for _, r := range rows {
			line, err := json.Marshal(map[string]string{"text": r.text, "label": r.label})
			if err != nil {
				t.Fatal(err)
			}
			out = append(append(out, line...), '\n')
		}
		again(t, formatJSONL, out, rows)
	})
}

func FuzzReadCLINC(f *testing.F) {
	for _, s := range []string{"", clincJSON, `{"train": null, "val": [], "test": [[]]}`, `{"train": [["a"]]}`, "[1", "{\"train\": [[\"\xff\", \"x\"]]}"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, oos bool) {
		train, val, test, err := readCLINC("c", data, oos)
		if err != nil {
			return
		}
		for _, p := range []part{train, val, test} {
			for _, r := range p.rows {
				if strings.TrimSpace(r.text) == "" || strings.TrimSpace(r.label) == "" || !utf8.ValidString(r.text+r.label) {
					t.Fatalf("%s: %+v", p.file, r)
				}
			}
		}
		s, err := build("c", train, val, test)
		if err != nil {
			return
		}
		for _, it := range slices.Concat(s.Train, s.Val, s.Test) {
			if it.Label < 0 || it.Label >= len(s.Labels) {
				t.Fatalf("label %d of %d", it.Label, len(s.Labels))
			}
		}
	})
}

// A suggestion is made of what a file holds; it may neither panic nor take long.
func FuzzNearest(f *testing.F) {
	f.Add("label", "Labels")
	f.Add("", "")
	f.Add("标签", "\xff")
	f.Fuzz(func(t *testing.T, want, have string) {
		got := nearest(want, []string{have})
		if exact := want == have && want != "" && utf8.RuneCountInString(want) <= shownRunes; exact && got == "" {
			t.Fatalf("%q is not near itself", want)
		}
		if got != "" && !strings.Contains(got, quote(have)) {
			t.Fatalf("%q is no suggestion of %q", got, have)
		}
	})
}
