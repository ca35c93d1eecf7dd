package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// maxKeyFile bounds a private key in bytes.
const maxKeyFile = 64 << 10

// keyring collects the keys to offer to one host, in order, and what could not
// be offered.
type keyring struct {
	signers []ssh.Signer
	tried   []string // files, and the agent
	hints   []string // what would have helped
	conn    io.Closer
}

// Close leaves the agent. Its keys sign no more after that.
func (k *keyring) Close() {
	if k.conn != nil {
		k.conn.Close()
	}
}

// keys gathers the named identity files first, then the agent's keys, then the
// files that ssh tries by default. A named file that cannot be read is an error.
func keys(h hop, o Options) (*keyring, error) {
	k := &keyring{}
	held := k.agent(h, o.Timeout)
	for _, f := range h.identities {
		if err := k.file(f, held, true); err != nil {
			k.Close()
			return nil, err
		}
	}
	if !h.only {
		k.signers = append(k.signers, held...)
	}
	if len(h.identities) == 0 {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			if err := k.file(filepath.Join(o.Home, ".ssh", name), held, false); err != nil {
				k.Close()
				return nil, err
			}
		}
	}
	return k, nil
}

// agent returns the keys that the agent lists within limit.
func (k *keyring) agent(h hop, limit time.Duration) []ssh.Signer {
	if h.agent == "" {
		return nil
	}
	conn, err := net.Dial("unix", h.agent)
	if err != nil {
		k.hints = append(k.hints, fmt.Sprintf("the agent at %s does not answer", h.agent))
		return nil
	}
	// A forwarded agent whose link is gone takes the question and never answers.
	conn.SetDeadline(time.Now().Add(limit)) //nolint:errcheck // a socket that takes none fails below
	signers, err := agent.NewClient(conn).Signers()
	conn.SetDeadline(time.Time{}) //nolint:errcheck // signing may wait for a person
	if err != nil {
		conn.Close()
		k.hints = append(k.hints, fmt.Sprintf("the agent at %s does not answer: %v", h.agent, err))
		return nil
	}
	k.conn = conn
	k.tried = append(k.tried, fmt.Sprintf("%d keys of the agent", len(signers)))
	return signers
}

// file adds the key of a file. An encrypted one is used through the agent where
// that holds it. named files must be there.
func (k *keyring) file(path string, held []ssh.Signer, named bool) error {
	f, err := os.Open(path)
	if err != nil {
		if named && !errors.Is(err, os.ErrNotExist) {
			return harnessFault("", "reading a private key: %w", err)
		}
		if named {
			k.hints = append(k.hints, "the key file "+path+" is not there")
		}
		return nil
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return harnessFault("", "reading a private key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(raw)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		k.signers = append(k.signers, signer)
		k.tried = append(k.tried, path)
		return nil
	case errors.As(err, &locked):
		if s := heldBy(held, locked.PublicKey, path); s != nil {
			k.signers = append(k.signers, s)
			k.tried = append(k.tried, path+" through the agent")
			return nil
		}
		k.hints = append(k.hints, fmt.Sprintf("the key %s is encrypted and not in the agent: ssh-add %s", path, path))
		return nil
	case named:
		// The library's words name no file and could quote its bytes.
		return harnessFault("name the private key, not the .pub file", "reading a private key: %s is none", path)
	}
	return nil
}

// heldBy finds the agent's key for an encrypted file, by the public half in it
// or beside it.
func heldBy(held []ssh.Signer, public ssh.PublicKey, path string) ssh.Signer {
	if public == nil {
		raw, err := os.ReadFile(path + ".pub")
		if err != nil {
			return nil
		}
		if public, _, _, _, err = ssh.ParseAuthorizedKey(raw); err != nil {
			return nil
		}
	}
	for _, s := range held {
		if bytes.Equal(s.PublicKey().Marshal(), public.Marshal()) {
			return s
		}
	}
	return nil
}

// refused is the error of a login that no key could make.
func (k *keyring) refused(h hop, name string, err error) error {
	var b strings.Builder
	fmt.Fprintf(&b, "logging in to %s (%s): ", name, h)
	if len(k.tried) == 0 {
		b.WriteString("there is no key to offer")
	} else {
		b.WriteString("it takes none of " + strings.Join(k.tried, ", "))
	}
	for _, hint := range k.hints {
		b.WriteString("; " + hint)
	}
	text := b.String()
	return harnessFault(fmt.Sprintf("ssh-copy-id -p %d %s@%s installs a key; passwords are never used", h.port, h.user, h.host), "%s (%w)", text, err)
}
