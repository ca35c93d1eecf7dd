package virtual

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strings"

	"golang.org/x/crypto/ssh"
)

// access writes what the SSH server needs: keys, configuration, and what a login
// runs.
func (b *Board) access(authorized []string, t tools) error {
	if err := b.newHostKey(); err != nil {
		return err
	}
	b.HostKey = b.hostKey
	b.KeyFile = b.place.host("key")
	mine, err := newKey(b.KeyFile, b.Name+" (virtual)")
	if err != nil {
		return err
	}
	keys := strings.Join(append([]string{mine}, authorized...), "\n") + "\n"
	if err := writeFile(b.place.host("authorized_keys"), keys, 0o644); err != nil {
		return err
	}
	for _, name := range []string{"login.sh", "disk.sh", "boot.sh"} {
		if err := writeScript("host/"+name, b.place.host(name)); err != nil {
			return err
		}
	}
	shell, sftp := b.words(t)
	for name, words := range map[string][]string{"shell.words": shell, "sftp.words": sftp} {
		if err := writeFile(b.place.host(name), strings.Join(words, "\n")+"\n", 0o644); err != nil {
			return err
		}
	}
	return writeFile(b.place.host("sshd_config"), b.serverConfig(t), 0o644)
}

// serverConfig is sshd_config(5).
func (b *Board) serverConfig(t tools) string {
	host := hosted
	if !b.Isolated {
		host = ""
	}
	var out strings.Builder
	for _, line := range [][2]string{
		{"ListenAddress", b.Address},
		{"Port", fmt.Sprint(b.Port)},
		{"HostKey", host + b.place.host("host_key")},
		{"AuthorizedKeysFile", host + b.place.host("authorized_keys")},
		{"ForceCommand", host + "/bin/sh " + host + b.place.host("login.sh")},
		{"Subsystem", "sftp " + host + t.sftp},
		{"PidFile", "none"},
		{"UsePAM", "no"},
		{"PasswordAuthentication", "no"},
		{"KbdInteractiveAuthentication", "no"},
		{"PermitRootLogin", "prohibit-password"},
		{"AllowUsers", b.User},
		// The directory is the board's own and lies below one that all may write.
		{"StrictModes", "no"},
		{"PrintMotd", "no"},
		{"PrintLastLog", "no"},
		{"UseDNS", "no"},
		{"LogLevel", "ERROR"},
		{"MaxStartups", "64"},
		{"MaxSessions", "64"},
	} {
		fmt.Fprintf(&out, "%s %s\n", line[0], line[1])
	}
	return out.String()
}

// newHostKey makes a host key in place of the one that there may be.
func (b *Board) newHostKey() error {
	key, err := newKey(b.place.host("host_key"), b.Name)
	if err == nil {
		b.hostKey = key
	}
	return err
}

// newKey writes a new private key and returns the public one.
func newKey(file, comment string) (string, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("making a key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return "", fmt.Errorf("making a key: %w", err)
	}
	if err := writeFile(file, string(pem.EncodeToMemory(block)), 0o600); err != nil {
		return "", err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("making a key: %w", err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), nil
}

// newBootID is a random UUID, as the kernel makes at boot.
func newBootID() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("making a boot id: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}

func currentUser() (string, error) {
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("finding the user to log in as: %w", err)
	}
	return u.Username, nil
}

// whyNotIsolated is why a board can have no namespaces here, empty if it can.
func whyNotIsolated(ctx context.Context) string {
	if os.Geteuid() != 0 {
		return "namespaces need root"
	}
	for _, program := range []string{"ip", "unshare", "nsenter", "mount", "hostname"} {
		if _, err := exec.LookPath(program); err != nil {
			return "namespaces need the program " + program + " (Debian: iproute2, util-linux, hostname)"
		}
	}
	if err := run(ctx, "/", "unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--mount-proc", "--", "ip", "link", "set", "lo", "up"); err != nil {
		return "namespaces are not allowed: " + err.Error()
	}
	return ""
}
