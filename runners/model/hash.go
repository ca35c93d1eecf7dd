package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// HashPath is the identity of the model at path: HashDir of a folder, HashFile
// of a GGUF file, and for a .safetensors file the hash of its hash and that of
// the config.json beside it.
func HashPath(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("hashing model: %w", err)
	}
	if st.IsDir() {
		return HashDir(path)
	}
	config := filepath.Join(filepath.Dir(path), configName)
	if _, err := os.Stat(config); err != nil || !strings.HasSuffix(path, ".safetensors") {
		return HashFile(path)
	}
	return hashFiles([]string{config, path})
}

// Hashing begins to compute HashPath and returns a function that waits for it.
// Whoever reads the model meanwhile shares what the system caches.
func Hashing(path string) (wait func() (string, error)) {
	var sum string
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		sum, err = HashPath(path)
	}()
	return func() (string, error) {
		<-done
		return sum, err
	}
}

// HashFile is the SHA-256 of a file's bytes, in hex.
func HashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("hashing %s: %w", path, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		return "", fmt.Errorf("hashing %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// HashDir is a hash over the names and SHA-256s of the files that decide what a
// model folder computes: configuration, weights, shard index and tokenizer.
// Copies of a folder have the same hash; a README does not change it.
func HashDir(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("hashing %s: %w", dir, err)
	}
	var paths []string
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || strings.HasPrefix(name, ".") {
			continue
		}
		switch filepath.Ext(name) {
		case ".safetensors", ".gguf":
		default:
			if !slices.Contains([]string{configName, indexName, "tokenizer.json", "tokenizer.model"}, name) {
				continue
			}
		}
		paths = append(paths, filepath.Join(dir, name))
	}
	return hashFiles(paths)
}

func hashFiles(paths []string) (string, error) {
	h := sha256.New()
	for _, p := range paths {
		sum, err := HashFile(p)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s\x00%s\n", filepath.Base(p), sum)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
