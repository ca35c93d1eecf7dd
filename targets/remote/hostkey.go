package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
)

// HostKeyError tells of a host that shows another key than the known one, or one
// that nobody knows. Nothing was sent to it.
type HostKeyError struct {
	Name  string   // of the target or jump host
	Got   string   // fingerprint of the key shown, SHA256:…
	Want  []string // fingerprints of the known keys; empty = the host is unknown
	Place string   // where they are written
}

func (e *HostKeyError) Error() string {
	if len(e.Want) == 0 {
		return fmt.Sprintf("the host key of %s is not known: it shows %s", e.Name, e.Got)
	}
	return fmt.Sprintf("the host key of %s has changed: %s knows %s, the host shows %s", e.Name, e.Place, strings.Join(e.Want, " and "), e.Got)
}

// keyCheck is how one host's key is checked.
type keyCheck struct {
	callback   ssh.HostKeyCallback
	algorithms []string // nil = any
}

// hostKeyCheck checks against the pinned key where there is one, and against the
// known hosts otherwise. A key is never taken on trust.
func hostKeyCheck(h hop, name, pinned string, final bool) (keyCheck, error) {
	if pinned != "" {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(pinned))
		if err != nil {
			return keyCheck{}, harnessFault("run harness targets pin "+name, "host_key of target %s: %w", name, err)
		}
		return keyCheck{algorithms: algorithms(key.Type()), callback: func(_ string, _ net.Addr, got ssh.PublicKey) error {
			if string(got.Marshal()) == string(key.Marshal()) {
				return nil
			}
			return changed(&HostKeyError{name, ssh.FingerprintSHA256(got), []string{ssh.FingerprintSHA256(key)}, targets.FileName}, final)
		}}, nil
	}
	var files []string
	for _, f := range h.known {
		if _, err := os.Stat(f); err == nil {
			files = append(files, f)
		}
	}
	db, err := knownhosts.New(files...)
	if err != nil {
		return keyCheck{}, harnessFault("mend the line", "reading known hosts: %w", err)
	}
	address := net.JoinHostPort(h.host, fmt.Sprint(h.port))
	check := keyCheck{}
	// A host may have keys of several types and known_hosts one of them: ask for
	// that one. A question with a key that is none says which are known.
	var asked *knownhosts.KeyError
	if errors.As(db(address, noAddr{}, noKey{}), &asked) {
		for _, k := range asked.Want {
			check.algorithms = append(check.algorithms, algorithms(k.Key.Type())...)
		}
	}
	check.callback = func(_ string, remote net.Addr, got ssh.PublicKey) error {
		err := db(address, noAddr{}, got)
		var unknown *knownhosts.KeyError
		if !errors.As(err, &unknown) {
			return err // nil, or a revoked key
		}
		e := &HostKeyError{Name: name, Got: ssh.FingerprintSHA256(got)}
		for _, k := range unknown.Want {
			e.Want = append(e.Want, ssh.FingerprintSHA256(k.Key))
			e.Place = fmt.Sprintf("%s:%d", k.Filename, k.Line)
		}
		if len(e.Want) > 0 {
			return changed(e, final)
		}
		mend := "compare it with ssh-keyscan on the host itself, then run harness targets pin " + name
		if !final {
			mend = "log in to it by ssh once and compare the fingerprint"
		}
		return harnessFault(mend, "%w", e)
	}
	return check, nil
}

func changed(e *HostKeyError, final bool) error {
	mend := "somebody may be in between; when the host was installed anew, check the fingerprint on it and run harness targets pin " + e.Name
	if !final || e.Place != targets.FileName {
		mend = "somebody may be in between; when the host was installed anew, check the fingerprint on it and mend that line"
	}
	return targetFault(mend, "%w", e)
}

// algorithms are the signatures that a key of a type can make.
func algorithms(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// noKey is equal to no key; noAddr is no address, so that a name alone decides.
type (
	noKey  struct{}
	noAddr struct{}
)

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return nil }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }
func (noAddr) Network() string                    { return "tcp" }
func (noAddr) String() string                     { return "0.0.0.0:0" }

// errSeen ends a connection whose key is all that was asked for.
var errSeen = errors.New("the key was seen")

// HostKey asks a target for its host key without logging in. Hosts on the way
// are logged in to and checked. The caller shows the fingerprint
// (ssh.FingerprintSHA256) and pins the key with the user's consent.
func HostKey(ctx context.Context, t targets.Target, o Options) (ssh.PublicKey, error) {
	o = o.normal()
	if t.Transport == targets.ADB {
		return nil, harnessFault("", "target %s is reached by adb, which has no host key", t.Name)
	}
	var seen ssh.PublicKey
	look := func(_ string, _ net.Addr, key ssh.PublicKey) error {
		seen = key
		return errSeen
	}
	link, err := dialSSH(ctx, t, o, look)
	if link != nil {
		link.Close() //nolint:errcheck // only its key was wanted
	}
	if seen != nil {
		return seen, nil
	}
	if err == nil {
		err = &wire.Error{Kind: wire.Target, Text: "target " + t.Name + " showed no host key"}
	}
	return nil, err
}

// Pinned is a key as the inventory keeps it.
func Pinned(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// preferred orders host key algorithms for a first meeting: short keys first.
func preferred() []string {
	all := ssh.SupportedAlgorithms().HostKeys
	slices.SortStableFunc(all, func(a, b string) int {
		rank := func(s string) int {
			if s == ssh.KeyAlgoED25519 {
				return 0
			}
			return 1
		}
		return rank(a) - rank(b)
	})
	return slices.DeleteFunc(all, func(s string) bool { return strings.Contains(s, "cert") })
}
