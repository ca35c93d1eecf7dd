package loader

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

// Pull downloads a catalogued data set's files from where they are published
// into the cache and returns their folder. A file appears there only after its
// SHA-256 was found right, and one that is there already is not fetched again.
// progress, which may be nil, hears the bytes of a file as they come.
func Pull(ctx context.Context, client *http.Client, e Entry, cacheDir string, progress func(file string, bytes int64)) (string, error) {
	if cacheDir == "" {
		cacheDir = Cache()
	}
	dir := filepath.Join(cacheDir, e.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("pulling data set %s: %w", e.Name, err)
	}
	for _, f := range e.Files {
		path := filepath.Join(dir, f.Name)
		if got, err := HashFile(path); err == nil && got == f.SHA256 {
			continue
		}
		if f.URL == "" {
			return "", fmt.Errorf("pulling data set %s: %s was derived from %s and is not published as such; put it into %s", e.Name, f.Name, e.Source, dir)
		}
		if err := download(ctx, client, f, path, progress); err != nil {
			return "", fmt.Errorf("pulling data set %s: %w", e.Name, err)
		}
	}
	return dir, nil
}

func download(ctx context.Context, client *http.Client, f File, path string, progress func(string, int64)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.URL, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: the server answers %s", f.URL, answer.Status)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".pull-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone after the rename
	sum := sha256.New()
	body := io.Reader(io.LimitReader(answer.Body, maxFile+1))
	if progress != nil {
		body = &counter{r: body, tell: func(n int64) { progress(f.Name, n) }}
	}
	n, err := io.Copy(io.MultiWriter(temp, sum), body)
	if err == nil && n > maxFile {
		err = fmt.Errorf("%s: more than the limit of %d bytes", f.URL, int64(maxFile))
	}
	if err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return &HashError{File: f.URL, Want: f.SHA256, Got: got}
	}
	return os.Rename(temp.Name(), path)
}

// counter tells how much has been read.
type counter struct {
	r    io.Reader
	n    int64
	tell func(int64)
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	c.tell(c.n)
	return n, err
}
