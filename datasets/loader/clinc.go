package loader

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// oosLabel is what CLINC150 calls utterances outside its 150 intents.
const oosLabel = "oos"

// readCLINC reads the published JSON object of CLINC150 (Larson et al. 2019):
// keys train, val, test, oos_train, oos_val, oos_test, each a list of
// [text, label]. Without oos only the in-scope lists are taken: 150 classes.
func readCLINC(name string, data []byte, oos bool) (train, val, test part, err error) {
	fail := func(err error) (part, part, part, error) { return part{}, part{}, part{}, err }
	data = trimBOM(data)
	if err := checkUTF8(name, data); err != nil {
		return fail(err)
	}
	var lists map[string]json.RawMessage
	if err := json.Unmarshal(data, &lists); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
			return fail(fmt.Errorf("%s:%d: reading CLINC150 json: %w", name, line, err))
		}
		return fail(fmt.Errorf("%s: not an object of lists: not the layout of CLINC150", name))
	}
	parts := [3]part{}
	for i, split := range []string{"train", "val", "test"} {
		parts[i].file = name + " (" + split + ")"
		keys := []string{split}
		if oos {
			keys = append(keys, "oos_"+split)
		}
		for _, key := range keys {
			raw, ok := lists[key]
			if !ok {
				return fail(fmt.Errorf("%s: no list %q: not the layout of CLINC150", name, key))
			}
			rows, err := readPairs(raw)
			if err != nil {
				return fail(fmt.Errorf("%s: list %q: %w", name, key, err))
			}
			parts[i].rows = append(parts[i].rows, rows...)
		}
	}
	return parts[0], parts[1], parts[2], nil
}

func readPairs(raw json.RawMessage) ([]row, error) {
	var pairs [][]string
	if err := json.Unmarshal(raw, &pairs); err != nil {
		return nil, errors.New("not a list of [text, label]")
	}
	rows := make([]row, len(pairs))
	for i, p := range pairs {
		if len(p) != 2 || strings.TrimSpace(p[0]) == "" || strings.TrimSpace(p[1]) == "" {
			return nil, fmt.Errorf("entry %d is not a pair of text and label", i+1)
		}
		rows[i] = row{text: p[0], label: p[1]}
	}
	return rows, nil
}
