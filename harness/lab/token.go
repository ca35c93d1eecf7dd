package lab

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/seed-c6f48606/harness/harness/queue"
)

// Roles of a user.
const (
	RoleUser  = "user"  // submits, and does as he likes with what is his
	RoleAdmin = "admin" // also with what is others', drains boards, submits urgent sweeps
)

// Token lets one user in. Only its hash is kept.
type Token struct {
	User   string `yaml:"user"`
	Role   string `yaml:"role"`
	SHA256 string `yaml:"sha256"` // of the token's text, in hex
}

// Tokens are a lab's users, as they lie in its tokens file.
type Tokens struct {
	Tokens []Token `yaml:"tokens"`
}

// tokenPrefix begins a token's text, so that one that leaked is recognised.
const tokenPrefix = "hlab_"

var userName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// maxTokensFile bounds a tokens file in bytes.
const maxTokensFile = 1 << 20

// ReadTokens reads a tokens file; one that others may read is refused.
func ReadTokens(path string) (Tokens, error) {
	var t Tokens
	info, err := os.Stat(path)
	if err != nil {
		return t, fmt.Errorf("reading tokens: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return t, fmt.Errorf("reading tokens: %s may be read by others (mode %04o); chmod 600 it", path, info.Mode().Perm())
	}
	if info.Size() > maxTokensFile {
		return t, fmt.Errorf("reading tokens: %s has %d bytes; at most %d are read", path, info.Size(), maxTokensFile)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return t, fmt.Errorf("reading tokens: %w", err)
	}
	return ParseTokens(path, raw)
}

// ParseTokens reads the text of a tokens file; name is for errors.
func ParseTokens(name string, raw []byte) (Tokens, error) {
	var t Tokens
	if err := yaml.UnmarshalWithOptions(raw, &t, yaml.Strict()); err != nil {
		return t, fmt.Errorf("reading tokens %s: %w", name, err)
	}
	for i, k := range t.Tokens {
		sum, err := hex.DecodeString(k.SHA256)
		switch {
		case !userName.MatchString(k.User):
			return t, fmt.Errorf("reading tokens %s: tokens[%d]: user %q: must be up to 64 letters, digits, dots, dashes, underscores and @", name, i, k.User)
		case k.Role != RoleUser && k.Role != RoleAdmin:
			return t, fmt.Errorf("reading tokens %s: tokens[%d]: role %q: must be %s or %s", name, i, k.Role, RoleUser, RoleAdmin)
		case err != nil || len(sum) != sha256.Size:
			return t, fmt.Errorf("reading tokens %s: tokens[%d]: sha256 must be 64 digits in hex; harness lab token makes an entry", name, i)
		}
	}
	return t, nil
}

// AddToken makes a token for a user, adds its hash to a file, which is made where
// there is none, and returns its text, which is kept nowhere.
func AddToken(path, user, role string) (string, error) {
	t, err := ReadTokens(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	secret := tokenPrefix + queue.Token(24)
	t.Tokens = append(t.Tokens, Token{User: user, Role: role, SHA256: hash(secret)})
	raw, err := yaml.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("adding a token: %w", err)
	}
	if _, err := ParseTokens(path, raw); err != nil {
		return "", err
	}
	if err := replace(path, raw); err != nil {
		return "", fmt.Errorf("adding a token: %w", err)
	}
	return secret, nil
}

// replace writes a file that only its owner may read, wholly or not at all.
func replace(path string, raw []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tokens-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it has been renamed
	if _, err := f.Write(raw); err != nil {
		f.Close() //nolint:errcheck // the first error is the one to tell
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// find returns whose token it is. Every entry is compared, in constant time.
func (t Tokens) find(secret string) (Token, bool) {
	var found Token
	given := hash(secret)
	for _, k := range t.Tokens {
		if subtle.ConstantTimeCompare([]byte(strings.ToLower(k.SHA256)), []byte(given)) == 1 {
			found = k
		}
	}
	return found, found.User != ""
}
