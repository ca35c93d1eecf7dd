package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TokensFile is a tokens file that is read again when it changes, so that a token
// taken out of it lets nobody in any more.
type TokensFile struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	tokens Tokens
	seen   fs.FileInfo // of what was read last; nil = there was none
	read   time.Time
	fault  string // that was logged last
}

// NewTokensFile returns the file at a path, of which tokens were read at the start.
func NewTokensFile(path string, tokens Tokens, log *slog.Logger) *TokensFile {
	return &TokensFile{path: path, tokens: tokens, log: log}
}

// settled is how old a file's time must be for an equal one to mean the same file:
// clocks of file systems are coarse.
const settled = 2 * time.Second

// Tokens are those of the file as it is now. A file that cannot be read keeps the
// ones before it.
func (f *TokensFile) Tokens() Tokens {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err == nil && f.seen != nil && os.SameFile(info, f.seen) && info.Size() == f.seen.Size() &&
		info.ModTime().Equal(f.seen.ModTime()) && f.read.Sub(info.ModTime()) > settled {
		return f.tokens
	}
	if errors.Is(err, fs.ErrNotExist) && f.seen == nil && len(f.tokens.Tokens) == 0 {
		return f.tokens // there was never one: a proxy says who calls
	}
	read := time.Now()
	var tokens Tokens
	switch {
	case err == nil && info.Size() == 0:
		err = fmt.Errorf("reading tokens: %s is empty; to let nobody in write tokens: []", f.path)
	case err == nil:
		tokens, err = ReadTokens(f.path)
	}
	if err != nil {
		if err.Error() != f.fault {
			f.log.Error("the tokens file cannot be read: those before it stay valid", "error", err)
		}
		f.fault, f.seen, f.read = err.Error(), info, read
		return f.tokens
	}
	f.tokens, f.seen, f.read, f.fault = tokens, info, read, ""
	return tokens
}
