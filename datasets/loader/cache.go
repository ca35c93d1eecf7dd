package loader

import (
	"fmt"
	"os"
	"path/filepath"
)

// Cache returns the folder that holds pulled data sets:
// $XDG_CACHE_HOME/harness/datasets, by default under ~/.cache.
func Cache() string {
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			home = os.TempDir()
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "harness", "datasets")
}

// Shared returns the folder of shared data sets that a lab keeps beside the
// project: $HARNESS_SHARED/data, else ../shared/data beside the module that
// holds the working directory, else "".
func Shared() string {
	root := os.Getenv("HARNESS_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			return ""
		}
		for !exists(filepath.Join(dir, "go.mod")) {
			up := filepath.Dir(dir)
			if up == dir {
				return ""
			}
			dir = up
		}
		root = filepath.Join(filepath.Dir(dir), "shared")
	}
	data := filepath.Join(root, "data")
	if info, err := os.Stat(data); err != nil || !info.IsDir() {
		return ""
	}
	return data
}

// Locate returns the folder that holds every file of a catalogued set: the
// cache, else the shared folder. It does not verify them.
func Locate(e Entry, cacheDir string) (string, error) {
	if cacheDir == "" {
		cacheDir = Cache()
	}
	dirs := []string{filepath.Join(cacheDir, e.Name)}
	if shared := Shared(); shared != "" {
		dirs = append(dirs, filepath.Join(shared, e.folder()))
	}
	for _, dir := range dirs {
		if holds(dir, e) {
			return dir, nil
		}
	}
	mend := fmt.Sprintf("pull it with: harness datasets pull %s", e.Name)
	if e.Files[0].URL == "" {
		mend = fmt.Sprintf("it is derived from %s; put %s into %s or name their folder", e.Source, fileNames(e), dirs[0])
	}
	return "", fmt.Errorf("data set %s is not on this machine: %s", e.Name, mend)
}

func holds(dir string, e Entry) bool {
	for _, f := range e.Files {
		if !exists(filepath.Join(dir, f.Name)) {
			return false
		}
	}
	return true
}

func fileNames(e Entry) string {
	s := ""
	for i, f := range e.Files {
		if i > 0 {
			s += " and "
		}
		s += f.Name
	}
	return s
}

func loadEntry(e Entry, o Options) (*Set, error) {
	dir, err := Locate(e, o.CacheDir)
	if err != nil {
		return nil, err
	}
	if err := verifyFiles(e, dir); err != nil {
		return nil, err
	}
	if e.TextColumn == "" {
		return loadCLINC(filepath.Join(dir, e.Files[0].Name), o)
	}
	return loadFolder(dir, o)
}
