package model

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Load reads a model: a folder, a .safetensors file with its config.json beside
// it, or a GGUF file. The kind is told by the content, not by the name.
func Load(path string) (*Model, error) {
	hash := Hashing(path)
	m, err := open(path)
	if err == nil {
		err = errors.Join(m.materialize(), m.Close())
	}
	sum, unread := hash()
	if err == nil {
		err = unread
	}
	if err != nil {
		return nil, fmt.Errorf("loading model %s: %w", path, err)
	}
	m.Path, m.Hash = path, sum
	return m, nil
}

// Open is Load with the matrices left in the file where they can be
// (Matrix.Stored): it reads headers, gains and biases and checks that the file
// holds all that they name, in milliseconds and little memory. Values that are
// not finite are refused when they are read. Hash stays empty: Hashing or
// HashPath computes it. The caller closes the model.
func Open(path string) (*Model, error) {
	m, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("opening model %s: %w", path, err)
	}
	m.Path = path
	return m, nil
}

func open(path string) (*Model, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return openFolder(path)
	}
	kind, err := sniff(path)
	if err != nil {
		return nil, err
	}
	if kind == kindGGUF {
		return openGGUF(path)
	}
	w, err := openWeights(path)
	if err != nil {
		return nil, err
	}
	return w.attach(loadWeights(filepath.Join(filepath.Dir(path), configName), w))
}

// fileKind is a weight file's format.
type fileKind uint8

const (
	kindSafetensors fileKind = iota
	kindGGUF
)

// sniff tells a weight file's format by its first bytes and names the usual
// wrong ones.
func sniff(path string) (fileKind, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return 0, err
	}
	head = head[:n]
	const ways = "a model is a folder with config.json and model.safetensors, a .safetensors file beside its config.json, or a .gguf file"
	switch {
	case n == 0:
		return 0, errors.New("the file is empty: get it again")
	case bytes.HasPrefix(head, []byte(ggufMagic)):
		return kindGGUF, nil
	case bytes.HasPrefix(head, []byte("version https://git-lfs")):
		return 0, errors.New("the file is a Git LFS pointer, not the weights: fetch them with git lfs pull")
	case n > 8 && head[8] == '{' && head[7] == 0 && head[6] == 0:
		return kindSafetensors, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")) || head[0] == 0x80:
		return 0, unsupportedf("the file looks like a PyTorch checkpoint, which is not supported: convert it to safetensors")
	case strings.HasSuffix(path, ".safetensors"):
		return kindSafetensors, nil // its reader says what is wrong
	}
	return 0, unsupportedf("the file is neither safetensors nor GGUF: %s", ways)
}

func openFolder(dir string) (*Model, error) {
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	var w *weights
	var err error
	switch {
	case exists(weightsName):
		w, err = openWeights(filepath.Join(dir, weightsName))
	case exists(indexName):
		w, err = openShards(dir)
	default:
		return openOnlyFile(dir)
	}
	if err != nil {
		return nil, err
	}
	return w.attach(loadWeights(filepath.Join(dir, configName), w))
}

// openOnlyFile opens the one weight file of a folder without the usual names.
func openOnlyFile(dir string) (*Model, error) {
	var found []string
	for _, pattern := range []string{"*.gguf", "*.safetensors"} {
		names, err := filepath.Glob(filepath.Join(globEscape(dir), pattern))
		if err != nil {
			return nil, err
		}
		found = append(found, names...)
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("the folder holds no weights: neither %s nor %s nor a .gguf file", weightsName, indexName)
	case 1:
		return open(found[0])
	}
	return nil, fmt.Errorf("the folder holds several weight files and none is %s: name one of %s", weightsName, strings.Join(found, ", "))
}

// globEscape keeps a folder's own name from being read as a pattern.
func globEscape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// readSmall reads a file of at most maxConfigBytes.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxConfigBytes {
		return nil, fmt.Errorf("%s is larger than the %d bytes allowed", path, maxConfigBytes)
	}
	return b, nil
}

// LoadConfig reads and checks a config.json.
func LoadConfig(path string) (Config, error) {
	b, err := readSmall(path)
	if errors.Is(err, os.ErrNotExist) {
		return Config{}, fmt.Errorf("%w: safetensors weights need their %s beside them", err, configName)
	}
	if err != nil {
		return Config{}, err
	}
	return parseConfig(path, b)
}
