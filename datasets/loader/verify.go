package loader

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-c6f48606/harness/datasets/builtin"
)

// HashError reports a file whose bytes are not the published ones.
type HashError struct {
	File, Want, Got string
}

func (e *HashError) Error() string {
	return fmt.Sprintf("%s: SHA-256 is %s, published is %s: damaged or another version; remove it and pull again", e.File, e.Got, e.Want)
}

// Verify finds a catalogued data set and compares every file's SHA-256 with the
// published one. It returns the folder it found, "" for the built-in set, which
// it generates anew; a mismatch is a *HashError.
func Verify(name, cacheDir string) (string, error) {
	if name == "builtin" {
		if got := builtin.Generate().Hash(); got != builtin.SHA256 {
			return "", &HashError{File: "the built-in data set", Want: builtin.SHA256, Got: got}
		}
		return "", nil
	}
	e, ok := Lookup(name)
	if !ok {
		return "", fmt.Errorf("verifying data set: unknown name %q%s; known are %s", name, nearest(name, names()), strings.Join(names(), ", "))
	}
	dir, err := Locate(e, cacheDir)
	if err != nil {
		return "", fmt.Errorf("verifying data set: %w", err)
	}
	return dir, verifyFiles(e, dir)
}

func verifyFiles(e Entry, dir string) error {
	for _, f := range e.Files {
		path := filepath.Join(dir, f.Name)
		got, err := HashFile(path)
		if err != nil {
			return fmt.Errorf("verifying data set %s: %w", e.Name, err)
		}
		if got != f.SHA256 {
			return &HashError{File: path, Want: f.SHA256, Got: got}
		}
	}
	return nil
}

// HashFile returns the SHA-256 of a file in hex.
func HashFile(path string) (string, error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
