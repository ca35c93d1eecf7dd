// Package loader reads labelled text data sets: the built-in one, the published
// ones by name or folder, and any csv, tsv or jsonl file with named columns.
//
// What it reads is hostile input: encodings, columns and labels are checked and
// every error names the file, the line and the mend.
package loader

import (
	"fmt"
	"slices"
	"strings"
)

// Item is one utterance and the index of its class in Set.Labels.
type Item struct {
	Text  string
	Label int
}

// Set is a labelled data set in its splits. Val is empty where none is published.
type Set struct {
	Name    string
	Labels  []string // class order: the sorted names of the train split's labels
	Train   []Item
	Val     []Item
	Test    []Item
	Source  string // where the data comes from
	Cite    string // whom to credit; empty when unknown
	License string // SPDX name or a sentence; empty when unknown
	Hash    string // SHA-256 of what was read: of one file, of several files' hashes, of the built-in set's lines
}

// Split names a part of a set.
type Split string

// The splits of a set.
const (
	Train Split = "train"
	Val   Split = "val"
	Test  Split = "test"
)

// Items returns one split.
func (s *Set) Items(split Split) ([]Item, error) {
	switch split {
	case Train:
		return s.Train, nil
	case Val:
		if len(s.Val) == 0 {
			return nil, fmt.Errorf("data set %s has no val split: it has %s", s.Name, s.splits())
		}
		return s.Val, nil
	case Test:
		if len(s.Test) == 0 {
			return nil, fmt.Errorf("data set %s has no test split: it has %s; name one with --test-file", s.Name, s.splits())
		}
		return s.Test, nil
	}
	return nil, fmt.Errorf("unknown split %q of data set %s: it has %s", split, s.Name, s.splits())
}

func (s *Set) splits() string {
	var have []string
	for _, p := range []struct {
		name  Split
		items []Item
	}{{Train, s.Train}, {Val, s.Val}, {Test, s.Test}} {
		if len(p.items) > 0 {
			have = append(have, string(p.name))
		}
	}
	return strings.Join(have, ", ")
}

// row is an item before its label has an index; line counts from 1.
type row struct {
	text, label string
	line        int
}

// part is one split's rows and the file they came from, for errors.
type part struct {
	file string
	rows []row
}

// maxLabels tells a class column from one of free text or numbers, which would
// take gigabytes for a confusion matrix before anything useful was said.
const maxLabels = 4096

// build gives labels their indices (sorted names of train) and checks that no
// split is empty that should not be and no label is missing from train.
func build(name string, train, val, test part) (*Set, error) {
	if len(train.rows) == 0 {
		return nil, fmt.Errorf("%s: empty data set: no rows to train on", train.file)
	}
	s := &Set{Name: name}
	seen := map[string]bool{}
	for _, r := range train.rows {
		if !seen[r.label] {
			seen[r.label] = true
			s.Labels = append(s.Labels, r.label)
		}
	}
	if len(s.Labels) > maxLabels {
		return nil, fmt.Errorf("%s: %d different labels in %d rows, more than %d: choose the column of the classes with --label-column",
			train.file, len(s.Labels), len(train.rows), maxLabels)
	}
	slices.Sort(s.Labels)
	index := make(map[string]int, len(s.Labels))
	for i, l := range s.Labels {
		index[l] = i
	}
	var err error
	for _, split := range []struct {
		from part
		to   *[]Item
	}{{train, &s.Train}, {val, &s.Val}, {test, &s.Test}} {
		if *split.to, err = number(split.from, s.Labels, index); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func number(p part, labels []string, index map[string]int) ([]Item, error) {
	if len(p.rows) == 0 {
		return nil, nil
	}
	items := make([]Item, len(p.rows))
	for i, r := range p.rows {
		l, ok := index[r.label]
		if !ok {
			return nil, fmt.Errorf("%s: label %s does not occur in the train split, so no model can predict it; train has %d labels%s",
				at(p.file, r.line), quote(r.label), len(labels), nearest(r.label, labels))
		}
		items[i] = Item{Text: r.text, Label: l}
	}
	return items, nil
}

func at(file string, line int) string {
	if line > 0 {
		return fmt.Sprintf("%s:%d", file, line)
	}
	return file
}
