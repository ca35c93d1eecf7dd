package loader

// File is one published file of a catalogued data set.
type File struct {
	Name   string // in the set's folder
	URL    string // as published, at a fixed commit; empty for a derived file
	SHA256 string // hex, of the bytes
}

// Entry is a data set the loader knows by name.
type Entry struct {
	Name        string
	Title       string
	License     string
	Cite        string
	Source      string // the page or repository it is published at
	Files       []File
	TextColumn  string // of tables; empty for CLINC150's json
	LabelColumn string
}

const (
	clincBase   = "https://raw.githubusercontent.com/clinc/oos-eval/828f8093932c8fe6ca7936c3d2e52903b1c523de/data/"
	bankingBase = "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/57ec275d8078af65b7731c2a98be812d844a6d6b/banking_data/"
)

// Catalog returns the data sets known by name, beside "builtin". A file without
// URL was derived from the publication (merged folds, acts made one label) and
// cannot be pulled from its source; its hash still verifies a copy.
func Catalog() []Entry {
	return []Entry{
		{
			Name: "clinc150", Title: "150 assistant intents over 10 domains and out-of-scope, English",
			License: "CC-BY-3.0", Cite: "Larson et al. 2019, arXiv:1909.02027", Source: "https://github.com/clinc/oos-eval",
			Files: []File{{"data_full.json", clincBase + "data_full.json", "36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0"}},
		},
		{
			Name: "clinc150-small", Title: "CLINC150 with 50 train rows a class, English",
			License: "CC-BY-3.0", Cite: "Larson et al. 2019, arXiv:1909.02027", Source: "https://github.com/clinc/oos-eval",
			Files: []File{{"data_small.json", clincBase + "data_small.json", "050e17476e6b4fa88f8518edaf09921c8f5e3a86dc8b63615361102a20b2ac01"}},
		},
		{
			Name: "banking77", Title: "77 intents of online banking customers, English",
			License: "CC-BY-4.0", Cite: "Casanueva et al. 2020, arXiv:2003.04807", Source: "https://github.com/PolyAI-LDN/task-specific-datasets",
			Files: []File{
				{"train.csv", bankingBase + "train.csv", "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b"},
				{"test.csv", bankingBase + "test.csv", "d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d"},
			},
			TextColumn: "text", LabelColumn: "category",
		},
		{
			Name: "hwu64", Title: "64 home-assistant intents, cross-validation fold 1, English",
			License: "CC-BY-4.0", Cite: "Liu et al. 2019, arXiv:1903.05566", Source: "https://github.com/xliuhw/NLU-Evaluation-Data",
			Files: []File{
				{"train.tsv", "", "c00ee74411bb75bcee5451d328b2add4acc22b4a3e83ae371856a17f2859f620"},
				{"test.tsv", "", "d5d556ef3af836bd4c5bb5124c802dda75b649a0d949c0c36b45efa4b52dccc9"},
			},
			TextColumn: "text", LabelColumn: "intent",
		},
		{
			Name: "crosswoz_zh", Title: "15 intents of tourist-service dialogues, user turns of CrossWOZ, Chinese",
			License: "Apache-2.0", Cite: "Zhu et al. 2020, arXiv:2002.11893", Source: "https://github.com/thu-coai/CrossWOZ",
			Files: []File{
				{"train.tsv", "", "b3f5ddbd538b907488524a690769142a3d22a2e543e9a58e2f99b523979b01ea"},
				{"test.tsv", "", "91d8b16ae2a898300605819cf027f429b6fa0ee514e92ac6aa33791edc22de7c"},
			},
			TextColumn: "text", LabelColumn: "intent",
		},
	}
}

// Lookup returns the catalogue's entry of a name.
func Lookup(name string) (Entry, bool) {
	for _, e := range Catalog() {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// folder is the directory name a set is published under; clinc150-small lives
// beside clinc150.
func (e Entry) folder() string {
	if e.Name == "clinc150-small" {
		return "clinc150"
	}
	return e.Name
}
