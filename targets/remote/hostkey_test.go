package remote

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
)

// kindOf is the fault's kind, "" where the error has none.
func kindOf(err error) wire.ErrorKind {
	var e *wire.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// TestHostKeys: a key is shown before it is believed, a changed one is refused
// with both fingerprints, and no command reaches such a host.
func TestHostKeys(t *testing.T) {
	s := &testServer{}
	var ran atomic.Bool
	target, o := s.serve(t)
	s.answer(func(string, ssh.Channel) bool { ran.Store(true); return false })
	shown := ssh.FingerprintSHA256(s.hostKey.PublicKey())

	got, err := HostKey(t.Context(), target, o)
	if err != nil || Pinned(got) != target.HostKey {
		t.Fatalf("the host shows %v (%v), want %s", got, err, target.HostKey)
	}

	unknown := target
	unknown.HostKey = ""
	_, err = Dial(t.Context(), unknown, o)
	wantError(t, err, "the host key of board is not known", shown, "harness targets pin board")
	if kindOf(err) != wire.Harness {
		t.Errorf("an unknown key is a fault of kind %q", kindOf(err))
	}

	_, other := newKey(t)
	changed := target
	changed.HostKey = Pinned(other.PublicKey())
	_, err = Dial(t.Context(), changed, o)
	wantError(t, err, "the host key of board has changed", shown, ssh.FingerprintSHA256(other.PublicKey()), "harness targets pin board")
	if kindOf(err) != wire.Target {
		t.Errorf("a changed key is a fault of kind %q", kindOf(err))
	}

	// The same by known_hosts, where the host is known by another key's line only.
	file := filepath.Join(o.Home, ".ssh", "known_hosts")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort(target.Address, strconv.Itoa(target.Port))
	write := func(key ssh.PublicKey) {
		if err := os.WriteFile(file, []byte("# mine\n"+knownhosts.Line([]string{address}, key)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(other.PublicKey())
	_, err = Dial(t.Context(), unknown, o)
	wantError(t, err, "the host key of board has changed", file+":2", shown, ssh.FingerprintSHA256(other.PublicKey()))
	if ran.Load() {
		t.Error("a command ran on a host whose key was not believed")
	}
	write(s.hostKey.PublicKey())
	connect(t, unknown, o)
}

// TestJumps goes through two hosts, each checked by its own key.
func TestJumps(t *testing.T) {
	gate, inner, board := &testServer{}, &testServer{}, &testServer{}
	gateAt, o := gate.serve(t)
	innerAt, _ := inner.serve(t)
	target, _ := board.serve(t)
	_ = innerAt
	if err := os.MkdirAll(filepath.Join(o.Home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	// One key for all: the jump hosts take what their own configuration names.
	config := "Match exec \"true\"\n  User nobody\n" +
		"Host gate\n  HostName 127.0.0.1\n  Port " + strconv.Itoa(gateAt.Port) + "\n  User tester\n  IdentityFile " + gateAt.KeyFile + "\n" +
		"Host inner\n  HostName 127.0.0.1\n  Port " + strconv.Itoa(innerAt.Port) + "\n  User tester\n  IdentityFile \"" + innerAt.KeyFile + "\"\n  ProxyJump gate\n" +
		"Host pi-*\n  ProxyJump inner\n  Port " + strconv.Itoa(target.Port) + "\n  User tester\n  HostName 127.0.0.1\n" +
		"Host circle\n  ProxyJump circle2\nHost circle2\n  ProxyJump circle\n" +
		"Host old\n  ProxyCommand nc %h %p\n"
	if err := os.WriteFile(filepath.Join(o.Home, ".ssh", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	known := knownhosts.Line([]string{net.JoinHostPort("127.0.0.1", strconv.Itoa(gateAt.Port))}, gate.hostKey.PublicKey()) + "\n" +
		knownhosts.Line([]string{net.JoinHostPort("127.0.0.1", strconv.Itoa(innerAt.Port))}, inner.hostKey.PublicKey()) + "\n"
	if err := os.WriteFile(filepath.Join(o.Home, ".ssh", "known_hosts"), []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	far := targets.Target{Name: "pi", Address: "pi-7", KeyFile: target.KeyFile, HostKey: target.HostKey}
	h := connect(t, far, o)
	if out, err := h.Output(t.Context(), []string{"echo", "there"}); err != nil || string(out) != "there\n" {
		t.Errorf("through two hosts: %q (%v)", out, err)
	}
	if key, err := HostKey(t.Context(), far, o); err != nil || Pinned(key) != target.HostKey {
		t.Errorf("the key behind two hosts: %v (%v)", key, err)
	}
	_, err := Dial(t.Context(), targets.Target{Name: "c", Address: "circle"}, o)
	wantError(t, err, "lead in a circle")
	_, err = Dial(t.Context(), targets.Target{Name: "old", Address: "old"}, o)
	wantError(t, err, "has a ProxyCommand", "use ProxyJump")
	// A jump host whose key nobody knows is no way to anywhere.
	if err := os.Remove(filepath.Join(o.Home, ".ssh", "known_hosts")); err != nil {
		t.Fatal(err)
	}
	_, err = Dial(t.Context(), far, o)
	wantError(t, err, "the host key of gate is not known", "log in to it by ssh once")
}

// TestKeys: a user must learn which key was missing and how to give it.
func TestKeys(t *testing.T) {
	private, signer := newKey(t)
	target, o := (&testServer{allow: signer.PublicKey()}).serve(t)
	other, _ := newKey(t)
	target.KeyFile = keyFile(t, other, "")
	_, err := Dial(t.Context(), target, o)
	wantError(t, err, "logging in to board (tester@127.0.0.1", "it takes none of "+target.KeyFile, "ssh-copy-id -p ")

	target.KeyFile = keyFile(t, private, "secret")
	_, err = Dial(t.Context(), target, o)
	wantError(t, err, "is encrypted and not in the agent: ssh-add "+target.KeyFile)

	target.KeyFile = filepath.Join(t.TempDir(), "none")
	_, err = Dial(t.Context(), target, o)
	wantError(t, err, "there is no key to offer", "the key file "+target.KeyFile+" is not there")

	public := filepath.Join(t.TempDir(), "id.pub")
	if err := os.WriteFile(public, ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	target.KeyFile = public
	_, err = Dial(t.Context(), target, o)
	wantError(t, err, "name the private key, not the .pub file")

	// The agent has the encrypted key, and many others that come after it.
	ring := agent.NewKeyring()
	for range 8 {
		k, _ := newKey(t)
		if err := ring.Add(agent.AddedKey{PrivateKey: k}); err != nil {
			t.Fatal(err)
		}
	}
	if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	o.Agent = filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", o.Agent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, c)
		}
	}()
	target.KeyFile = keyFile(t, private, "secret")
	connect(t, target, o)
}

// TestResolve: what the inventory says wins over the SSH configuration, and that
// over the defaults.
func TestResolve(t *testing.T) {
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := "Host nano\n  HostName %h.lab\n  Port 2200\n  User ubuntu\n  IdentityFile ~/.ssh/%r_key\n  IdentitiesOnly yes\n  UserKnownHostsFile ~/known \"%d/known2\"\nHost bad\n  Port 0\n"
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := loadConfig(Options{Home: home}.normal())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target targets.Target
		want   string
	}{
		{targets.Target{Address: "nano"}, "ubuntu@nano.lab port 2200"},
		{targets.Target{Address: "nano", User: "me", Port: 22}, "me@nano.lab port 22"},
		{targets.Target{Address: "fe80::1%eth0", User: "me"}, "me@fe80::1%eth0 port 22"},
		{targets.Target{Address: "phone", User: "u0_a1", Board: "phone"}, "u0_a1@phone port 8022"},
		{targets.Target{Address: "nano", Board: "phone"}, "ubuntu@nano.lab port 2200"},
		{targets.Target{Address: "x", User: "me", Jump: []string{"gate:2222"}}, "me@x port 22"},
	} {
		route, err := cfg.route(c.target)
		if err != nil {
			t.Fatal(err)
		}
		if got := route[len(route)-1].String(); got != c.want {
			t.Errorf("%+v goes to %s, want %s", c.target, got, c.want)
		}
	}
	route, err := cfg.route(targets.Target{Address: "nano"})
	if err != nil {
		t.Fatal(err)
	}
	h := route[0]
	if want := filepath.Join(home, ".ssh", "ubuntu_key"); len(h.identities) != 1 || h.identities[0] != want || !h.only {
		t.Errorf("identities %v (only: %v), want %s", h.identities, h.only, want)
	}
	if h.known[0] != filepath.Join(home, "known") {
		t.Errorf("known hosts in %v", h.known)
	}
	_, err = cfg.route(targets.Target{Address: "bad"})
	wantError(t, err, `has port "0"`)
	_, err = loadConfig(Options{Home: home, ConfigFile: filepath.Join(home, "none")})
	wantError(t, err, "reading the SSH configuration")
}
