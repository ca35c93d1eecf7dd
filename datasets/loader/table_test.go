package loader

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var plainColumns = columns{"text", "label"}

func compareRows(t *testing.T, got, want []row) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// What spreadsheets, editors and scripts write; a text that arrives changed is
// another item.
func TestTablesAreReadAsWritten(t *testing.T) {
	for _, c := range []struct {
		name   string
		format format
		data   string
		c      columns
		want   []row
	}{
		{"csv", formatCSV, "text,label\nhello,greet\n", plainColumns, []row{{"hello", "greet", 2}}},
		{
			"csv quotes", formatCSV, "label,n,text\nx,1,\"a, \"\"b\"\"\n c\"\ny,2,d\n", plainColumns,
			[]row{{"a, \"b\"\n c", "x", 2}, {"d", "y", 4}},
		},
		{"csv BOM and CRLF", formatCSV, "\ufefftext,label\r\n你好,问候\r\n", plainColumns, []row{{"你好", "问候", 2}}},
		{"csv blank lines, no last newline", formatCSV, "text,label\n\n\na,x", plainColumns, []row{{"a", "x", 4}}},
		{"csv other columns", formatCSV, "utterance,intent\na,x\n", columns{"utterance", "intent"}, []row{{"a", "x", 2}}},
		{"csv header alone", formatCSV, "text,label\n", plainColumns, nil},
		{"tsv", formatTSV, "text\tlabel\na\tx\n", plainColumns, []row{{"a", "x", 2}}},
		{"tsv quotes mean nothing", formatTSV, "text\tlabel\n\"a\tx\nb\"\ty\n", plainColumns, []row{{"\"a", "x", 2}, {"b\"", "y", 3}}},
		{"tsv BOM and CRLF", formatTSV, "\ufefflabel\ttext\r\nx\ta b \r\n", plainColumns, []row{{"a b ", "x", 2}}},
		{"tsv blank lines", formatTSV, "\ntext\tlabel\n\na\tx", plainColumns, []row{{"a", "x", 4}}},
		{"tsv empty column beside", formatTSV, "id\ttext\tlabel\n\ta\tx\n", plainColumns, []row{{"a", "x", 2}}},
		{"jsonl", formatJSONL, "{\"text\":\"a\\n\\u4f60\",\"label\":\"x\",\"more\":[1]}\n", plainColumns, []row{{"a\n你", "x", 1}}},
		{"jsonl BOM, CRLF, blank lines", formatJSONL, "\ufeff{\"text\":\"a\",\"label\":\"x\"}\r\n\r\n{\"text\":\"b\",\"label\":\"y\"}", plainColumns, []row{{"a", "x", 1}, {"b", "y", 3}}},
		{
			"jsonl labels as written", formatJSONL,
			"{\"text\":\"a\",\"label\":1000000}\n{\"text\":\"b\",\"label\":9007199254740993}\n{\"text\":\"c\",\"label\":true}\n{\"text\":\"d\",\"label\":1.0}\n", plainColumns,
			[]row{{"a", "1000000", 1}, {"b", "9007199254740993", 2}, {"c", "true", 3}, {"d", "1.0", 4}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readTable("t", c.format, []byte(c.data), c.c)
			if err != nil {
				t.Fatal(err)
			}
			compareRows(t, got, c.want)
		})
	}
}

// A table that cannot be read right is refused with the place and the mend.
func TestBadTablesAreRefusedWithLineAndMend(t *testing.T) {
	for _, c := range []struct {
		name   string
		format format
		data   string
		c      columns
		want   []string
	}{
		{"csv missing text", formatCSV, "utterance,label\na,x\n", plainColumns, []string{`no column "text"`, `"utterance", "label"`, "--text-column"}},
		{"csv near label", formatCSV, "text,Labels\na,x\n", plainColumns, []string{`no column "label"`, `nearest: "Labels"`, "--label-column"}},
		{"csv wide header", formatCSV, "text" + strings.Repeat(",c", 500) + "\n", plainColumns, []string{"and 481 more"}},
		{"csv ragged", formatCSV, "text,label\na,x\nb, or c,y\n", plainColumns, []string{"t:3: 3 fields, the header has 2", "quotes"}},
		{"csv ragged after newlines in quotes", formatCSV, "text,label\n\"a\n\n\",x\nb\n", plainColumns, []string{"t:5: 1 fields"}},
		{"csv open quote", formatCSV, "text,label\na,x\n\"b,y\nc,z\n", plainColumns, []string{"t:3:", `"`}},
		{"csv stray quote", formatCSV, "text,label\na \"b\",x\n", plainColumns, []string{"t:2:", "quote"}},
		{"csv empty", formatCSV, "", plainColumns, []string{"empty data set: no header"}},
		{"csv BOM alone", formatCSV, "\ufeff", plainColumns, []string{"no header"}},
		{"csv empty text", formatCSV, "text,label\na,x\n  ,y\n", plainColumns, []string{"t:3: empty text"}},
		{"csv empty label", formatCSV, "text,label\na, \n", plainColumns, []string{"t:2: empty label"}},
		{"csv GB18030", formatCSV, "text,label\na,x\n\xc4\xe3\xba\xc3,y\n", plainColumns, []string{"t:3: invalid UTF-8", "iconv -f GB18030"}},
		{"csv UTF-16", formatCSV, "\xff\xfet\x00e\x00", plainColumns, []string{"t:1: invalid UTF-8", "iconv -f UTF-16"}},
		{"csv one column twice", formatCSV, "text,label\na,x\n", columns{"text", "text"}, []string{"cannot be both"}},
		{"tsv missing", formatTSV, "text,label\na,x\n", plainColumns, []string{`no column "text"`, `"text,label"`}},
		{"tsv ragged", formatTSV, "text\tlabel\na\tx\nb\n", plainColumns, []string{"t:3: 1 fields, the header has 2"}},
		{"tsv empty", formatTSV, "\n\r\n", plainColumns, []string{"no header"}},
		{"tsv invalid", formatTSV, "text\tlabel\n\xff\tx\n", plainColumns, []string{"t:2: invalid UTF-8"}},
		{"jsonl missing", formatJSONL, "{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"a\",\"lable\":\"x\"}\n", plainColumns, []string{"t:2:", `no column "label"`, `nearest: "lable"`}},
		{"jsonl array", formatJSONL, "{\"text\":\"a\",\"label\":\"x\"}\n[\"a\",\"x\"]\n", plainColumns, []string{"t:2: not a JSON object", `"text"`}},
		{"jsonl null line", formatJSONL, "null\n", plainColumns, []string{"t:1: not a JSON object"}},
		{"jsonl string", formatJSONL, "\"text\"\n", plainColumns, []string{"t:1: not a JSON object"}},
		{"jsonl cut", formatJSONL, "\n{\"text\":\"a\",\"la\n", plainColumns, []string{"t:2: reading jsonl"}},
		{"jsonl two objects", formatJSONL, "{\"text\":\"a\",\"label\":\"x\"}{}\n", plainColumns, []string{"t:1: reading jsonl"}},
		{"jsonl null", formatJSONL, "{\"text\":null,\"label\":\"x\"}\n", plainColumns, []string{"t:1:", `"text"`, "null"}},
		{"jsonl nested", formatJSONL, "{\"text\":\"a\",\"label\":[\"x\"]}\n", plainColumns, []string{"t:1:", `"label"`, "list"}},
		{"jsonl deep", formatJSONL, "{\"text\":" + strings.Repeat("[", 20000), plainColumns, []string{"t:1:"}},
		{"jsonl invalid", formatJSONL, "{\"text\":\"\xff\",\"label\":\"x\"}\n", plainColumns, []string{"t:1: invalid UTF-8"}},
		{"format", "xml", "<a/>", plainColumns, []string{"unknown table format", "csv, tsv or jsonl"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := readTable("t", c.format, []byte(c.data), c.c)
			if err == nil {
				t.Fatalf("read as %+v", rows)
			}
			wantError(t, err, c.want...)
			if n := len(err.Error()); n > 1000 {
				t.Errorf("the error has %d bytes; no terminal shows it", n)
			}
		})
	}
}

// A field longer than any line buffer is read whole, and quoted in no error.
func TestAHugeFieldIsReadWhole(t *testing.T) {
	huge := strings.Repeat("wort ", 1<<20)
	for f, data := range map[format]string{
		formatCSV:   "text,label\n\"" + huge + "\",x\n",
		formatTSV:   "text\tlabel\n" + huge + "\tx\n",
		formatJSONL: `{"text":"` + huge + `","label":"x"}`,
	} {
		rows, err := readTable("t", f, []byte(data), plainColumns)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != 1 || rows[0].text != huge {
			t.Errorf("%s: %d rows, text of %d bytes, want 1 of %d", f, len(rows), len(rows[0].text), len(huge))
		}
	}
	_, err := build("t", part{"train.csv", []row{{"a", huge, 2}}}, part{}, part{"test.csv", []row{{"a", huge + "x", 2}}})
	wantError(t, err, "test.csv:2: label", "does not occur")
	if n := len(err.Error()); n > 1000 {
		t.Errorf("the error has %d bytes", n)
	}
}

func TestTableFilesBecomeASet(t *testing.T) {
	dir := write(t, map[string]string{
		"train.csv":   "say,kind\nhello,greet\nbye,leave\nhi,greet\n",
		"test.tsv":    "kind\tsay\nleave\tsee you\n",
		"test.txt":    "say,kind\nhey,greet\n",
		"odd.tsv":     "say,kind\nhello,greet\nbye,leave\n",
		"more.jsonl":  `{"say":"hello","kind":"greet"}` + "\n" + `{"say":"bye","kind":"leave"}`,
		"f/train.tsv": "text\tlabel\na\tx\nb\ty\n",
		"f/dev.tsv":   "text\tlabel\nc\tx\n",
		"f/test.tsv":  "text\tlabel\nd\ty\n",
	})
	named := Options{TextColumn: "say", LabelColumn: "kind"}
	with := func(test string) Options {
		o := named
		o.TestFile = filepath.Join(dir, test)
		return o
	}
	train := []Item{{"hello", 0}, {"bye", 1}, {"hi", 0}}
	labels := []string{"greet", "leave"}
	for _, c := range []struct {
		name, spec string
		o          Options
		want       Set
	}{
		{"csv", "csv:" + dir + "/train.csv", named, Set{Name: "train", Labels: labels, Train: train}},
		{"test of another format", "csv:" + dir + "/train.csv", with("test.tsv"), Set{Name: "train", Labels: labels, Train: train, Test: []Item{{"see you", 1}}}},
		{"test of no format's name", "csv:" + dir + "/train.csv", with("test.txt"), Set{Name: "train", Labels: labels, Train: train, Test: []Item{{"hey", 0}}}},
		{"the prefix outweighs the name", "csv:" + dir + "/odd.tsv", named, Set{Name: "odd", Labels: labels, Train: train[:2]}},
		{"jsonl", "jsonl:" + dir + "/more.jsonl", named, Set{Name: "more", Labels: labels, Train: train[:2]}},
		{
			"folder", dir + "/f",
			Options{},
			Set{Name: "f", Labels: []string{"x", "y"}, Train: []Item{{"a", 0}, {"b", 1}}, Val: []Item{{"c", 0}}, Test: []Item{{"d", 1}}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Load(c.spec, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, got, cmpopts.IgnoreFields(Set{}, "Source", "Hash")); diff != "" {
				t.Errorf("set (-want +got):\n%s", diff)
			}
		})
	}
	t.Chdir(filepath.Join(dir, "f"))
	if s, err := Load(".", Options{}); err != nil || s.Name != "f" {
		t.Errorf("folder . gives %+v, %v; want the name f", s, err)
	}
}

func TestSetsThatCannotBeScoredAreRefused(t *testing.T) {
	var many strings.Builder
	many.WriteString("text,label\n")
	for i := range maxLabels + 1 {
		fmt.Fprintf(&many, "a,%d\n", i)
	}
	dir := write(t, map[string]string{
		"train.csv":  "text,label\nhello,greet\nbye,leave\n",
		"strays.csv": "text,label\nhello,greet\nto rome,great\n",
		"none.csv":   "text,label\n",
		"none.jsonl": "\n\n",
		"many.csv":   many.String(),
		"other.csv":  "text,class\nhello,greet\n",
	})
	for _, c := range []struct {
		spec, test string
		want       []string
	}{
		{"csv:none.csv", "", []string{"none.csv: empty data set"}},
		{"jsonl:none.jsonl", "", []string{"none.jsonl: empty data set"}},
		{"csv:train.csv", "none.csv", []string{"none.csv: empty data set"}},
		{"csv:train.csv", "strays.csv", []string{`strays.csv:3: label "great" does not occur in the train split`, "2 labels", `nearest: "greet"`}},
		{"csv:train.csv", "other.csv", []string{"other.csv:", `no column "label"`, `"class"`}},
		{"csv:train.csv", "missing.csv", []string{"missing.csv"}},
		{"csv:many.csv", "", []string{"4097 different labels", "--label-column"}},
	} {
		kind, name, _ := strings.Cut(c.spec, ":")
		o := Options{}
		if c.test != "" {
			o.TestFile = filepath.Join(dir, c.test)
		}
		_, err := Load(kind+":"+filepath.Join(dir, name), o)
		wantError(t, err, c.want...)
	}
}

// The hash keys caches and resumed runs: whatever changes the items changes it.
func TestHashTellsWhatWasRead(t *testing.T) {
	a, b := `{"text":"a","label":"x","other":"y"}`+"\n", `{"text":"b","label":"x","other":"y"}`+"\n"
	dir := write(t, map[string]string{"1.jsonl": a + b, "2.jsonl": a, "3.jsonl": b, "4.jsonl": a + b + b, "c.json": clincJSON, "v/train.jsonl": a, "v/val.jsonl": b})
	load := func(name string, o Options) string {
		t.Helper()
		spec := filepath.Join(dir, name)
		if strings.HasSuffix(name, ".jsonl") {
			spec = "jsonl:" + spec
		}
		if o.TestFile != "" {
			o.TestFile = filepath.Join(dir, o.TestFile)
		}
		s, err := Load(spec, o)
		if err != nil {
			t.Fatal(err)
		}
		return s.Hash
	}
	seen := map[string]string{}
	for name, hash := range map[string]string{
		"one file":           load("1.jsonl", Options{}),
		"a row in the test":  load("2.jsonl", Options{TestFile: "3.jsonl"}),
		"a row in val":       load("v", Options{}),
		"one moved to train": load("1.jsonl", Options{TestFile: "3.jsonl"}),
		"one moved to test":  load("2.jsonl", Options{TestFile: "4.jsonl"}),
		"another column":     load("1.jsonl", Options{LabelColumn: "other"}),
		"CLINC150":           load("c.json", Options{}),
		"CLINC150 with oos":  load("c.json", Options{OOS: true}),
	} {
		if other, ok := seen[hash]; ok {
			t.Errorf("%s and %s have one hash", name, other)
		}
		seen[hash] = name
	}
	if data, err := os.ReadFile(filepath.Join(dir, "1.jsonl")); err != nil || load("1.jsonl", Options{}) != hashOf(data) {
		t.Error("the hash of one file read as published is not that of its bytes: sha256sum would not confirm it")
	}
}
