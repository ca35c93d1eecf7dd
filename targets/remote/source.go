package remote

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// maxSourceFiles bounds a folder to deploy.
const maxSourceFiles = 10000

// source is a local file or folder with the hash under which it is deployed: that
// of its bytes for a file, that of its manifest for a folder.
type source struct {
	hash  string
	dir   bool
	files []sourceFile // of a folder by name; of a file that one
	bytes int64
}

type sourceFile struct {
	path  string // here
	name  string // slash-separated below the folder, "" for a single file
	size  int64
	mode  fs.FileMode // 0o755 or 0o644
	hash  string
	stamp string // of size and time, to notice a change under way
}

// Sums remembers the hashes of local files, so that twenty boards do not make
// this machine read a model twenty times. It is safe for concurrent use.
type Sums struct {
	mu    sync.Mutex
	known map[string]*sum
}

type sum struct {
	once  sync.Once
	stamp string
	hash  string
	err   error
}

// file returns the SHA-256 of a file in hex. A changed file is read again.
func (s *Sums) file(path, stamp string) (string, error) {
	s.mu.Lock()
	if s.known == nil {
		s.known = map[string]*sum{}
	}
	one := s.known[path]
	if one == nil || one.stamp != stamp {
		one = &sum{stamp: stamp}
		s.known[path] = one
	}
	s.mu.Unlock()
	one.once.Do(func() {
		f, err := os.Open(path)
		if err != nil {
			one.err = err
			return
		}
		defer f.Close()
		h := sha256.New()
		_, one.err = io.Copy(h, f)
		one.hash = hex.EncodeToString(h.Sum(nil))
	})
	return one.hash, one.err
}

// open reads what is to be deployed.
func (s *Sums) open(path string) (*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, harnessFault("", "deploying: %w", err)
	}
	if !info.IsDir() {
		f, err := s.one(path, "", info)
		if err != nil {
			return nil, err
		}
		return &source{hash: f.hash, files: []sourceFile{f}, bytes: f.size}, nil
	}
	src := &source{dir: true}
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(path, p)
		if err != nil {
			return err
		}
		info, err := os.Stat(p) // the caches of model hubs are full of links
		if err != nil {
			return err
		}
		if len(src.files) >= maxSourceFiles {
			return fmt.Errorf("%s holds more than %d files; is that a model?", path, maxSourceFiles)
		}
		f, err := s.one(p, filepath.ToSlash(rel), info)
		if err != nil {
			return err
		}
		src.files = append(src.files, f)
		src.bytes += f.size
		return nil
	})
	if err != nil {
		return nil, harnessFault("", "deploying: %w", err)
	}
	if len(src.files) == 0 {
		return nil, harnessFault("", "deploying: folder %s is empty", path)
	}
	// WalkDir goes in lexical order, so the manifest is the folder's alone.
	h := sha256.New()
	for _, f := range src.files {
		fmt.Fprintf(h, "%s %o %s\n", f.hash, f.mode, f.name)
	}
	src.hash = hex.EncodeToString(h.Sum(nil))
	return src, nil
}

func (s *Sums) one(path, name string, info fs.FileInfo) (sourceFile, error) {
	if !info.Mode().IsRegular() {
		return sourceFile{}, harnessFault("", "deploying: %s is no plain file", path)
	}
	for part := range strings.SplitSeq(name, "/") {
		if name != "" && checkName(part) != nil {
			return sourceFile{}, harnessFault("rename it", "deploying: %q is no name for a file on a target", name)
		}
	}
	f := sourceFile{path: path, name: name, size: info.Size(), mode: 0o644, stamp: stampOf(info)}
	if info.Mode().Perm()&0o111 != 0 {
		f.mode = 0o755
	}
	var err error
	if f.hash, err = s.file(path, f.stamp); err != nil {
		return sourceFile{}, harnessFault("", "deploying: %w", err)
	}
	return f, nil
}

func stampOf(info fs.FileInfo) string {
	return fmt.Sprintf("%d %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
}

// errChanged tells of a local file that is written to while it is deployed.
var errChanged = errors.New("the file changed while it was being deployed")
