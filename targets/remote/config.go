package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kevinburke/ssh_config"

	"github.com/seed-c6f48606/harness/targets"
)

// maxConfig bounds an SSH configuration in bytes.
const maxConfig = 1 << 20

// termuxPort is where the SSH server of Termux listens: an app may not use 22.
const termuxPort = 8022

// maxHops bounds a chain of jumps, which a configuration can make endless.
const maxHops = 8

// hop is one host on the way, everything resolved.
type hop struct {
	alias      string // as asked for: what known_hosts and the configuration call it
	host       string
	port       int
	user       string
	identities []string
	only       bool // offer no other keys of the agent
	agent      string
	known      []string
}

// sshConfig reads ~/.ssh/config.
type sshConfig struct {
	cfg *ssh_config.Config
	o   Options
}

// matchBlock finds criteria that the library refuses, because they run commands
// or depend on what it does not know.
var matchBlock = regexp.MustCompile(`(?i)^\s*match[\s=]`)

var hostBlock = regexp.MustCompile(`(?i)^\s*host[\s=]`)

func loadConfig(o Options) (*sshConfig, error) {
	path := o.ConfigFile
	if path == "" {
		path = filepath.Join(o.Home, ".ssh", "config")
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.ConfigFile == "":
		return &sshConfig{cfg: &ssh_config.Config{}, o: o}, nil
	case err != nil:
		return nil, harnessFault("", "reading the SSH configuration: %w", err)
	case len(text) > maxConfig:
		return nil, harnessFault("", "reading the SSH configuration: %s is longer than %d bytes", path, maxConfig)
	}
	cfg, err := ssh_config.Decode(bytes.NewReader(text))
	if err != nil {
		rest, dropped := withoutMatch(text)
		if dropped == 0 {
			return nil, harnessFault("mend it, or give address, user and port in "+targets.FileName, "reading %s: %w", path, err)
		}
		if cfg, err = ssh_config.Decode(bytes.NewReader(rest)); err != nil {
			return nil, harnessFault("mend it, or give address, user and port in "+targets.FileName, "reading %s: %w", path, err)
		}
		o.Log.Warn("Match blocks of the SSH configuration are left out", slog.String("file", path), slog.Int("blocks", dropped))
	}
	return &sshConfig{cfg: cfg, o: o}, nil
}

// withoutMatch blanks every Match block.
func withoutMatch(text []byte) (rest []byte, dropped int) {
	inside := false
	var b bytes.Buffer
	for line := range bytes.Lines(text) {
		switch {
		case matchBlock.Match(line):
			inside = true
			dropped++
		case hostBlock.Match(line):
			inside = false
		}
		if inside {
			line = []byte("\n")
		}
		b.Write(line)
	}
	return b.Bytes(), dropped
}

func (c *sshConfig) get(alias, key string) string {
	v, err := c.cfg.Get(alias, key)
	if err != nil {
		return ""
	}
	return strings.Trim(v, `"`)
}

func (c *sshConfig) all(alias, key string) []string {
	v, err := c.cfg.GetAll(alias, key)
	if err != nil {
		return nil
	}
	var out []string
	for _, s := range v {
		out = append(out, strings.Trim(s, `"`))
	}
	return out
}

// hop resolves one host: what the caller says wins over the configuration.
func (c *sshConfig) hop(alias, user string, port int) (hop, error) {
	h := hop{alias: alias, host: alias, user: user, port: port, agent: c.o.Agent}
	if v := c.get(alias, "HostName"); v != "" {
		h.host = strings.ReplaceAll(v, "%h", alias)
	}
	if h.user == "" {
		h.user = c.get(alias, "User")
	}
	if h.user == "" {
		h.user = login()
	}
	if v := c.get(alias, "Port"); h.port == 0 && v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 65535 {
			return hop{}, harnessFault("", "host %s of the SSH configuration has port %s: must be from 1 to 65535", short(alias), short(v))
		}
		h.port = n
	}
	if h.port == 0 {
		h.port = 22
	}
	for _, f := range c.all(alias, "IdentityFile") {
		if f != "none" {
			h.identities = append(h.identities, c.expand(f, h))
		}
	}
	h.only = strings.EqualFold(c.get(alias, "IdentitiesOnly"), "yes")
	switch v := c.get(alias, "IdentityAgent"); v {
	case "", "SSH_AUTH_SOCK":
	case "none":
		h.agent = ""
	default:
		h.agent = c.expand(v, h)
	}
	h.known = c.o.KnownHosts
	if h.known == nil {
		if v := c.get(alias, "UserKnownHostsFile"); v != "" {
			for _, f := range strings.Fields(v) {
				h.known = append(h.known, c.expand(f, h))
			}
		} else {
			h.known = []string{filepath.Join(c.o.Home, ".ssh", "known_hosts")}
		}
		h.known = append(h.known, "/etc/ssh/ssh_known_hosts")
	}
	return h, nil
}

// expand replaces the tokens of ssh_config(5) that name files.
func (c *sshConfig) expand(f string, h hop) string {
	f = c.o.file(f)
	return strings.NewReplacer("%%", "%", "%d", c.o.Home, "%h", h.host, "%n", h.alias, "%p", strconv.Itoa(h.port), "%r", h.user, "%u", login()).Replace(f)
}

// route lists the hosts from here to a target, the target last.
func (c *sshConfig) route(t targets.Target) ([]hop, error) {
	port := t.Port
	if port == 0 && t.Board == "phone" && c.get(t.Address, "Port") == "" {
		port = termuxPort
	}
	last, err := c.hop(t.Address, t.User, port)
	if err != nil {
		return nil, err
	}
	if t.KeyFile != "" {
		last.identities = []string{c.expand(t.KeyFile, last)}
	}
	jumps := t.Jump
	if len(jumps) == 0 {
		if v := c.get(t.Address, "ProxyJump"); v != "" && !strings.EqualFold(v, "none") {
			jumps = strings.Split(v, ",")
		} else if v := c.get(t.Address, "ProxyCommand"); v != "" && !strings.EqualFold(v, "none") {
			return nil, harnessFault("use ProxyJump, or jump: in "+targets.FileName,
				"host %s of the SSH configuration has a ProxyCommand, which the harness does not run", short(t.Address))
		}
	}
	hops, err := c.jumps(jumps, nil)
	if err != nil {
		return nil, err
	}
	return append(hops, last), nil
}

// jumps resolves a chain; a first jump may itself be configured behind others.
func (c *sshConfig) jumps(names, seen []string) ([]hop, error) {
	var hops []hop
	for i, name := range names {
		p, err := targets.ParseHop(strings.TrimPrefix(strings.TrimSpace(name), "ssh://"))
		if err != nil {
			return nil, harnessFault("", "jump host %w", err)
		}
		if slices.Contains(seen, p.Host) || len(seen)+len(hops) >= maxHops {
			return nil, harnessFault("", "the jump hosts of the SSH configuration lead in a circle at %s", short(p.Host))
		}
		if i == 0 {
			if v := c.get(p.Host, "ProxyJump"); v != "" && !strings.EqualFold(v, "none") {
				before, err := c.jumps(strings.Split(v, ","), append(seen, p.Host))
				if err != nil {
					return nil, err
				}
				hops = append(hops, before...)
			}
		}
		h, err := c.hop(p.Host, p.User, p.Port)
		if err != nil {
			return nil, err
		}
		hops = append(hops, h)
	}
	return hops, nil
}

func (h hop) String() string { return fmt.Sprintf("%s@%s port %d", h.user, h.host, h.port) }
