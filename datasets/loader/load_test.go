package loader

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/datasets/builtin"
)

// write makes files in a fresh folder and returns it.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// published returns the folder of a catalogued set or skips.
func published(t *testing.T, name string) string {
	t.Helper()
	e, ok := Lookup(name)
	if !ok {
		t.Fatalf("%s is not in the catalogue", name)
	}
	dir, err := Locate(e, "")
	if err != nil {
		t.Skip(err)
	}
	return dir
}

// wantError compares an error with the parts that a user needs to mend it.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error lacks %q: %v", p, err)
		}
	}
}

// size is what a paper states of a set.
type size struct {
	Name                      string
	Classes, Train, Val, Test int
	License                   string
}

func sizeOf(s *Set) size {
	return size{s.Name, len(s.Labels), len(s.Train), len(s.Val), len(s.Test), s.License}
}

// A row or a class lost in reading would make every figure beside the published
// ones a lie. Counts are those of the papers and of the files' own licences.
func TestPublishedSetsHaveTheirPublishedSizes(t *testing.T) {
	for _, c := range []struct {
		spec string
		oos  bool
		want size
	}{
		{"clinc150", false, size{"clinc150", 150, 15000, 3000, 4500, "CC-BY-3.0"}},
		{"clinc150", true, size{"clinc150+oos", 151, 15100, 3100, 5500, "CC-BY-3.0"}},
		{"clinc150-small", false, size{"clinc150-small", 150, 7500, 3000, 4500, "CC-BY-3.0"}},
		{"banking77", false, size{"banking77", 77, 10003, 0, 3080, "CC-BY-4.0"}},
		{"hwu64", false, size{"hwu64", 64, 9960, 0, 1076, "CC-BY-4.0"}},
		{"crosswoz_zh", false, size{"crosswoz_zh", 15, 4108, 0, 4131, "Apache-2.0"}},
	} {
		t.Run(c.want.Name, func(t *testing.T) {
			published(t, c.spec)
			s, err := Load(c.spec, Options{OOS: c.oos})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, sizeOf(s)); diff != "" {
				t.Errorf("(-published +read):\n%s", diff)
			}
			if !slices.IsSorted(s.Labels) || len(slices.Compact(slices.Clone(s.Labels))) != len(s.Labels) {
				t.Error("labels are not sorted and distinct: a class index would depend on the order of rows")
			}
			if (len(s.Train) > 0 && s.Train[0].Text == "text") || s.Source == "" || len(s.Hash) != 64 {
				t.Errorf("first text %q, source %q, hash %q", s.Train[0].Text, s.Source, s.Hash)
			}
		})
	}
}

// Rows as they stand in the files; a reader that splits at every newline or comma
// gives others.
func TestPublishedRowsComeThroughWhole(t *testing.T) {
	for _, c := range []struct {
		spec        string
		split       Split
		i           int
		text, label string
	}{
		{"banking77", Train, 0, "I am still waiting on my card?", "card_arrival"},
		{"banking77", Test, 0, "How do I locate my card?", "card_arrival"},
		{"clinc150", Train, 0, "what expression would i use to say i love you if i were an italian", "translate"},
		{"clinc150", Test, 0, "how would you say fly in italian", "translate"},
	} {
		published(t, c.spec)
		s, err := Load(c.spec, Options{})
		if err != nil {
			t.Fatal(err)
		}
		items, err := s.Items(c.split)
		if err != nil {
			t.Fatal(err)
		}
		if got := items[c.i]; got.Text != c.text || s.Labels[got.Label] != c.label {
			t.Errorf("%s %s row %d is %q, %s; want %q, %s", c.spec, c.split, c.i, got.Text, s.Labels[got.Label], c.text, c.label)
		}
	}
	published(t, "banking77")
	s, err := Load("banking77", Options{})
	if err != nil {
		t.Fatal(err)
	}
	newlines := 0
	for _, it := range slices.Concat(s.Train, s.Test) {
		if strings.Contains(it.Text, "\n") {
			newlines++
		}
	}
	if newlines != 13 {
		t.Errorf("%d texts with newlines inside quotes, the publication has 13", newlines)
	}
}

// Name, folder and file are the same data, with the same licence and hash.
func TestAFolderAsPublishedIsTheSetOfItsName(t *testing.T) {
	for _, name := range []string{"clinc150", "banking77", "hwu64"} {
		t.Run(name, func(t *testing.T) {
			dir := published(t, name)
			want, err := Load(name, Options{})
			if err != nil {
				t.Fatal(err)
			}
			other := write(t, nil)
			if err := os.CopyFS(other, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			specs := []string{dir, dir + "/", other}
			if name == "clinc150" {
				specs = append(specs, filepath.Join(dir, "data_full.json"))
			}
			for _, spec := range specs {
				got, err := Load(spec, Options{})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("folder differs (-name +folder):\n%.2000s", diff)
				}
			}
		})
	}
}

// The published train rows beside a test of one's own must not pass for the published set.
func TestAnotherTestFileChangesTheName(t *testing.T) {
	published(t, "banking77")
	dir := write(t, map[string]string{"mine.csv": "text,category\nwhere is my card,card_arrival\n"})
	s, err := Load("banking77", Options{TestFile: filepath.Join(dir, "mine.csv")})
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "banking77+mine" || len(s.Test) != 1 || len(s.Train) != 10003 {
		t.Errorf("got %+v", sizeOf(s))
	}
}

func TestBuiltinIsTheGeneratedCorpus(t *testing.T) {
	s, err := Load("builtin", Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := builtin.Generate()
	want := size{"builtin", len(c.Labels), len(c.Train), len(c.Val), len(c.Test), "Apache-2.0"}
	if diff := cmp.Diff(want, sizeOf(s)); diff != "" || s.Hash != builtin.SHA256 {
		t.Errorf("hash %s (-corpus +set):\n%s", s.Hash, diff)
	}
	for i, it := range c.Test {
		if s.Test[i] != (Item{it.Text, it.Label}) {
			t.Fatalf("test item %d is %+v, generated %+v", i, s.Test[i], it)
		}
	}
}

// An option without effect is refused: the user would believe a figure that is
// about something else.
func TestOptionsThatDoNotApplyAreRefused(t *testing.T) {
	dir := write(t, map[string]string{
		"t.csv":    "text,label\na,x\nb,y\n",
		"c/c.json": clincJSON,
	})
	csv, clinc := "csv:"+filepath.Join(dir, "t.csv"), filepath.Join(dir, "c/c.json")
	for _, c := range []struct {
		spec string
		o    Options
		want string
	}{
		{"builtin", Options{OOS: true}, "--oos"},
		{"builtin", Options{TestFile: "x.csv"}, "--test-file x.csv"},
		{"builtin", Options{TextColumn: "t"}, "--text-column t"},
		{csv, Options{OOS: true}, "--oos"},
		{clinc, Options{TestFile: "x.csv"}, "--test-file x.csv"},
		{clinc, Options{LabelColumn: "l"}, "--label-column l"},
	} {
		_, err := Load(c.spec, c.o)
		wantError(t, err, c.want)
	}
}

func TestUnknownNamesSayWhatIsKnown(t *testing.T) {
	dir := write(t, map[string]string{"plain.csv": "text,label\na,x\n", "empty/readme.txt": ""})
	for _, c := range []struct {
		spec string
		want []string
	}{
		{"", []string{"empty data set name", "builtin", "csv:PATH"}},
		{"clinc15O", []string{"no such file or folder", "clinc150-small", `nearest: "clinc150"`}},
		{"Banking77", []string{`nearest: "banking77"`}},
		{"no-such-data", []string{"not a known name"}},
		{"csv:", []string{"write csv:PATH"}},
		{"csv:" + dir, []string{"is a folder"}},
		{"csv:" + dir + "/none.csv", []string{"none.csv"}},
		{dir + "/plain.csv", []string{"write csv:", "plain.csv"}},
		{dir + "/empty", []string{"no data_full.json and no train.csv"}},
	} {
		_, err := Load(c.spec, Options{})
		wantError(t, err, c.want...)
	}
}

func TestASplitThatIsNotThereIsAnError(t *testing.T) {
	s := &Set{Name: "mine", Labels: []string{"a"}, Train: []Item{{"x", 0}}}
	for split, want := range map[Split][]string{
		Val:    {"no val split", "it has train"},
		Test:   {"no test split", "it has train", "--test-file"},
		"tset": {`unknown split "tset"`, "train"},
	} {
		_, err := s.Items(split)
		wantError(t, err, append(want, "mine")...)
	}
	if items, err := s.Items(Train); err != nil || len(items) != 1 {
		t.Errorf("train split: %v, %v", items, err)
	}
}
