package targets

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// schemaID names the dialect in which [Schema] is written.
const schemaID = "https://json-schema.org/draft/2020-12/schema"

type schema struct {
	Schema     string            `json:"$schema,omitempty"`
	Title      string            `json:"title,omitempty"`
	Doc        string            `json:"description,omitempty"`
	Type       string            `json:"type"`
	Enum       []string          `json:"enum,omitempty"`
	Items      *schema           `json:"items,omitempty"`
	Properties map[string]schema `json:"properties,omitempty"`
	Required   []string          `json:"required,omitempty"`
	// Additional is false for a record: an editor marks unknown keys.
	Additional *bool `json:"additionalProperties,omitempty"`
}

// Schema is the JSON schema of targets.yaml, for editors.
func Schema() ([]byte, error) {
	s := schemaOf(reflect.TypeOf(file{}))
	s.Schema, s.Title = schemaID, "targets.yaml of harness"
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(raw, '\n'), nil
}

func schemaOf(t reflect.Type) schema {
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Slice:
		items := schemaOf(t.Elem())
		return schema{Type: "array", Items: &items}
	case reflect.Int:
		return schema{Type: "integer"}
	case reflect.Float64:
		return schema{Type: "number"}
	case reflect.Struct:
		closed := false
		s := schema{Type: "object", Properties: map[string]schema{}, Additional: &closed}
		for _, f := range fields(t) {
			p := schemaOf(f.typ)
			p.Doc = f.doc
			if p.Items != nil {
				p.Items.Enum = f.enum
			} else {
				p.Enum = f.enum
			}
			s.Properties[f.name] = p
			if f.required {
				s.Required = append(s.Required, f.name)
			}
		}
		return s
	}
	return schema{Type: "string"}
}
