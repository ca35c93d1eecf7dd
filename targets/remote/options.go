package remote

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"time"
)

// Options say how targets are reached and kept tidy. The zero value is what a
// user has: their SSH configuration, their agent, their known hosts.
type Options struct {
	Home       string        // for ~ and .ssh; default the user's
	ConfigFile string        // default ~/.ssh/config; a file asked for must exist
	KnownHosts []string      // default those of the configuration, ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts
	Agent      string        // socket of the agent; default SSH_AUTH_SOCK
	Timeout    time.Duration // for connecting to each host on the way; default 15 s
	KeepAlive  time.Duration // between questions to an idle link; three without an answer end it; default 5 s
	ADB        string        // the adb program; default adb
	CacheBytes int64         // what old entries on a target may take; default 8 GiB
	Sums       *Sums         // hashes of local files, shared by hosts; default one's own
	Log        *slog.Logger  // default none

	owner string        // of files on the target; default this process
	grace time.Duration // for a target to end a command; default 5 s
}

func (o Options) normal() Options {
	if o.Home == "" {
		o.Home, _ = os.UserHomeDir() // without one, ~ stays as it is
	}
	if o.Agent == "" {
		o.Agent = os.Getenv("SSH_AUTH_SOCK")
	}
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.KeepAlive <= 0 {
		o.KeepAlive = 5 * time.Second
	}
	if o.ADB == "" {
		o.ADB = "adb"
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 8 << 30
	}
	if o.Sums == nil {
		o.Sums = &Sums{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.grace <= 0 {
		o.grace = 5 * time.Second
	}
	if o.owner == "" {
		o.owner = ownerName(machineName(), os.Getpid())
	}
	return o
}

// file resolves a path of the configuration.
func (o Options) file(path string) string {
	if rest, ok := cutPrefixAny(path, "~/", "%d/"); ok {
		return filepath.Join(o.Home, rest)
	}
	return path
}

// login is this user's name.
func login() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

// machineName tells this controller's machine from others without naming it on
// the targets.
func machineName() string {
	host, _ := os.Hostname() // an empty name is one too
	sum := sha256.Sum256([]byte(host + "\x00" + login()))
	return hex.EncodeToString(sum[:4])
}
