package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-c6f48606/harness/runners/model"
)

// Load reads a vocabulary. A folder is searched for our tokenizer.json, then
// for SentencePiece's tokenizer.model, then for its only GGUF file; a file is
// told by its content, and next to a .safetensors file its folder is searched.
func Load(path string) (*Tokenizer, error) {
	t, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("loading tokenizer %s: %w", path, err)
	}
	return t, nil
}

func load(path string) (*Tokenizer, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return loadFolder(path)
	}
	if strings.HasSuffix(path, ".safetensors") {
		return loadFolder(filepath.Dir(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case n == 0:
		return nil, errors.New("the file is empty")
	case bytes.Equal(head, []byte("GGUF")):
		return fromGGUF(path)
	case st.Size() > maxFile:
		return nil, fmt.Errorf("%d bytes are more than the %d allowed", st.Size(), maxFile)
	}
	rest, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, err
	}
	b := append(head[:n:n], rest...)
	if c := bytes.TrimLeft(b, " \r\n\t"); len(c) > 0 && c[0] == '{' {
		return parseOwn(b)
	}
	return parseSentencePiece(b)
}

func loadFolder(dir string) (*Tokenizer, error) {
	own := filepath.Join(dir, ownName)
	t, err := load(own)
	if err == nil || !errors.Is(err, os.ErrNotExist) && !errors.Is(err, errForeign) {
		return t, named(own, err)
	}
	sp := filepath.Join(dir, sentencePieceName)
	t, spErr := load(sp)
	if spErr == nil || !errors.Is(spErr, os.ErrNotExist) {
		return t, named(sp, spErr)
	}
	if errors.Is(err, errForeign) {
		return nil, named(own, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".gguf") {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	if len(found) == 1 {
		t, err := load(found[0])
		return t, named(found[0], err)
	}
	return nil, fmt.Errorf("the folder holds neither %s nor %s nor one .gguf file", ownName, sentencePieceName)
}

func named(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", filepath.Base(path), err)
}

// FromGGUF reads the vocabulary of a GGUF file, one of the "llama" kind.
func FromGGUF(path string) (*Tokenizer, error) {
	t, err := fromGGUF(path)
	if err != nil {
		return nil, fmt.Errorf("loading tokenizer %s: %w", path, err)
	}
	return t, nil
}

func fromGGUF(path string) (*Tokenizer, error) {
	g, err := model.OpenGGUF(path)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	kind, ok := g.String("tokenizer.ggml.model")
	if !ok {
		return nil, errors.New("the file holds no tokenizer")
	}
	if kind != "llama" {
		return nil, fmt.Errorf("its tokenizer is of the kind %q: %w (supported: \"llama\", SentencePiece BPE)", kind, model.ErrUnsupported)
	}
	texts, _ := g.Strings("tokenizer.ggml.tokens")
	scores, _ := g.Floats("tokenizer.ggml.scores")
	kinds, _ := g.Ints("tokenizer.ggml.token_type")
	if len(texts) == 0 {
		return nil, errors.New("its vocabulary is empty")
	}
	if len(scores) != len(texts) || len(kinds) != len(texts) {
		return nil, fmt.Errorf("its vocabulary has %d pieces, %d scores and %d kinds", len(texts), len(scores), len(kinds))
	}
	pieces := make([]Piece, len(texts))
	for i := range pieces {
		if kinds[i] < 0 || kinds[i] > int64(Byte) {
			return nil, fmt.Errorf("piece %d is of the unknown kind %d", i, kinds[i])
		}
		pieces[i] = Piece{texts[i], scores[i], Kind(kinds[i])}
	}
	o := Options{SpacePrefix: true, BOS: -1, EOS: -1}
	if v, ok := g.Bool("tokenizer.ggml.add_space_prefix"); ok {
		o.SpacePrefix = v
	}
	if v, ok := g.Bool("tokenizer.ggml.remove_extra_whitespaces"); ok {
		o.CollapseSpace = v
	}
	for key, id := range map[string]*int32{"tokenizer.ggml.bos_token_id": &o.BOS, "tokenizer.ggml.eos_token_id": &o.EOS} {
		if v, ok := g.Int(key); ok && v >= 0 && v < int64(len(pieces)) {
			*id = int32(v)
		}
	}
	return New(pieces, o)
}
