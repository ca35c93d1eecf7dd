package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The names of vocabulary files in a model folder.
const (
	ownName           = "tokenizer.json"
	sentencePieceName = "tokenizer.model"
)

// maxFile bounds a vocabulary file.
const maxFile = 256 << 20

// ownFormat marks tokenizer.json as this package's.
const ownFormat = "harness-bpe"

// ownFile is the schema of our tokenizer.json. Kinds has a letter a piece.
type ownFile struct {
	Format        string    `json:"format"`
	Version       int       `json:"version"`
	SpacePrefix   bool      `json:"space_prefix"`
	CollapseSpace bool      `json:"collapse_space"`
	BOS           int32     `json:"bos"`
	EOS           int32     `json:"eos"`
	Charsmap      []byte    `json:"charsmap,omitempty"`
	Kinds         string    `json:"kinds"`
	Pieces        []string  `json:"pieces"`
	Scores        []float32 `json:"scores"`
}

// kindLetters spells kinds in ownFile.Kinds, by kind.
const kindLetters = "-nucdwb"

// MarshalJSON is the content of tokenizer.json.
func (t *Tokenizer) MarshalJSON() ([]byte, error) {
	f := ownFile{
		Format: ownFormat, Version: 1, SpacePrefix: t.options.SpacePrefix, CollapseSpace: t.options.CollapseSpace,
		BOS: t.options.BOS, EOS: t.options.EOS, Charsmap: t.options.Charsmap,
		Pieces: make([]string, len(t.pieces)), Scores: make([]float32, len(t.pieces)),
	}
	kinds := make([]byte, len(t.pieces))
	for i, p := range t.pieces {
		f.Pieces[i], f.Scores[i], kinds[i] = p.Text, p.Score, kindLetters[p.Kind]
	}
	f.Kinds = string(kinds)
	return json.Marshal(f)
}

// errForeign says that a tokenizer.json is somebody else's.
var errForeign = errors.New(`it is not of the format "harness-bpe"; Hugging Face's tokenizer.json is not read, put the model's tokenizer.model beside it`)

// parseOwn reads our tokenizer.json.
func parseOwn(b []byte) (*Tokenizer, error) {
	var f ownFile
	var head struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("it is no JSON, perhaps cut off: %w", err)
	}
	if head.Format != ownFormat {
		return nil, errForeign
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, err
	}
	if f.Version != 1 {
		return nil, fmt.Errorf("its version is %d, this program reads 1", f.Version)
	}
	if len(f.Scores) != len(f.Pieces) || len(f.Kinds) != len(f.Pieces) {
		return nil, fmt.Errorf("it has %d pieces, %d scores and %d kinds", len(f.Pieces), len(f.Scores), len(f.Kinds))
	}
	pieces := make([]Piece, len(f.Pieces))
	for i, text := range f.Pieces {
		kind := 0
		for k := range kindLetters {
			if kindLetters[k] == f.Kinds[i] {
				kind = k
			}
		}
		pieces[i] = Piece{text, f.Scores[i], Kind(kind)}
	}
	return New(pieces, Options{
		SpacePrefix: f.SpacePrefix, CollapseSpace: f.CollapseSpace,
		Charsmap: f.Charsmap, BOS: f.BOS, EOS: f.EOS,
	})
}

// Save writes tokenizer.json to path, or into path if it is a folder. The file
// is replaced atomically.
func (t *Tokenizer) Save(path string) error {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, ownName)
	}
	b, err := t.MarshalJSON()
	if err != nil {
		return fmt.Errorf("saving tokenizer to %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("saving tokenizer to %s: %w (is its folder there and writable?)", path, err)
	}
	defer os.Remove(f.Name()) // gone after the rename
	_, err = f.Write(b)
	for _, step := range []func() error{func() error { return f.Chmod(0o644) }, f.Sync} {
		if err == nil {
			err = step()
		}
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("saving tokenizer to %s: %w", path, err)
	}
	return nil
}
