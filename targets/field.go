package targets

import (
	"reflect"
	"slices"
	"strings"
)

// field is one key of a record.
type field struct {
	name     string
	doc      string
	enum     []string
	required bool
	index    int
	typ      reflect.Type
}

// fields lists the keys of a struct by its tags.
func fields(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, rest, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		one := field{name: name, doc: f.Tag.Get("doc"), required: rest == "", index: i, typ: f.Type}
		if e := f.Tag.Get("enum"); e != "" {
			one.enum = strings.Split(e, ",")
		}
		all = append(all, one)
	}
	return all
}

// enumOf returns the values that a key of record may have.
func enumOf(record any, key string) []string {
	for _, f := range fields(reflect.TypeOf(record)) {
		if f.name == key {
			return slices.Clone(f.enum)
		}
	}
	return nil
}

// element strips pointers and lists from a type.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

// Nearest returns the name that differs least from a mistyped one, "" when none
// is close.
func Nearest(typed string, names []string) string {
	if len(typed) > 60 {
		return "" // no name, and the distance takes quadratic time
	}
	best, least := "", 1+len(typed)/3
	for _, n := range names {
		if d := distance(typed, n); d < least || d == least && best == "" {
			best, least = n, d
		}
	}
	return best
}

// distance is the edit distance of two short strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
