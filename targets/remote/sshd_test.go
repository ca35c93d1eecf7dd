package remote

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed-c6f48606/harness/targets"
)

// openSSH starts the real server on a loopback port with keys of its own. The
// test is skipped where it is not installed.
func openSSH(t *testing.T) (targets.Target, Options) {
	t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		program = "/usr/sbin/sshd"
		if _, err := os.Stat(program); err != nil {
			t.Skip("OpenSSH's sshd is not installed")
		}
	}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Skipf("sshd needs /run/sshd: %v", err)
		}
	}
	dir := t.TempDir()
	hostPrivate, host := newKey(t)
	userPrivate, user := newKey(t)
	authorized := filepath.Join(dir, "authorized_keys")
	if err := os.WriteFile(authorized, ssh.MarshalAuthorizedKey(user.PublicKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	config := filepath.Join(dir, "sshd_config")
	text := fmt.Sprintf(`Port %d
ListenAddress 127.0.0.1
HostKey %s
AuthorizedKeysFile %s
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
`, port, keyFile(t, hostPrivate, ""), authorized)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-D", "-e", "-f", config)
	var said syncBuffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Skipf("sshd does not start: %v", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("sshd said:\n%s", said.String())
		}
	})
	address := net.JoinHostPort("127.0.0.1", fmt.Sprint(port))
	for wait := time.Now().Add(20 * time.Second); ; {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			break
		}
		if time.Now().After(wait) {
			t.Fatalf("sshd does not listen; it said: %s", said.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	return targets.Target{
		Name: "board", Address: "127.0.0.1", Port: port, User: login(), CacheDir: filepath.Join(dir, "cache", "harness"),
		HostKey: Pinned(host.PublicKey()), KeyFile: keyFile(t, userPrivate, ""),
	}, Options{Home: t.TempDir(), Agent: "none", owner: ownerName("0badcafe", os.Getpid())}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// proxy forwards a TCP port and can cut or freeze what goes through it, as a
// cable or a radio does.
type proxy struct {
	l      net.Listener
	mu     sync.Mutex
	conns  []net.Conn
	frozen chan struct{}
}

func newProxy(t *testing.T, target *targets.Target) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := net.JoinHostPort(target.Address, fmt.Sprint(target.Port))
	p := &proxy{l: l, frozen: make(chan struct{})}
	t.Cleanup(func() { l.Close(); p.cut() })
	target.Port = l.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			frozen := p.frozen
			p.mu.Unlock()
			go p.copy(in, out, frozen)
			go p.copy(out, in, frozen)
		}
	}()
	return p
}

func (p *proxy) copy(to, from net.Conn, frozen chan struct{}) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-frozen:
			return // neither forwarded nor closed
		default:
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			to.Close()
			return
		}
	}
}

// cut closes every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// freeze makes the connections silent; later ones work.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.frozen)
	p.frozen = make(chan struct{})
}

// eachTransport runs a test over every way to a target.
func eachTransport(t *testing.T, test func(t *testing.T, target targets.Target, o Options)) {
	t.Run("ssh", func(t *testing.T) {
		target, o := (&testServer{}).serve(t)
		test(t, target, o)
	})
	t.Run("ssh without sftp", func(t *testing.T) {
		target, o := (&testServer{noSFTP: true}).serve(t)
		test(t, target, o)
	})
	t.Run("openssh", func(t *testing.T) {
		target, o := openSSH(t)
		test(t, target, o)
	})
	t.Run("adb stand-in", func(t *testing.T) {
		target, o := adbStandIn(t)
		test(t, target, o)
	})
}

// adbStandIn is no phone: testdata/adb carries adb's shell protocol out on this
// machine. What a real phone does differently it does not show.
func adbStandIn(t *testing.T) (targets.Target, Options) {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("testdata", "adb"))
	if err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(t.TempDir(), "harness")
	return targets.Target{Name: "phone", Transport: targets.ADB, Address: "STANDIN01", CacheDir: cache},
		Options{ADB: program, owner: ownerName("0badcafe", os.Getpid())}
}

func TestADBStates(t *testing.T) {
	target, o := adbStandIn(t)
	for serial, want := range map[string]string{
		"LOCKED01": "allow USB debugging for this computer",
		"AWAY01":   "adb devices lists what is connected",
		"SLEEPY01": "adb says",
	} {
		target.Address = serial
		_, err := Dial(t.Context(), target, o)
		wantError(t, err, want)
	}
	o.ADB = filepath.Join(t.TempDir(), "no-adb")
	if _, err := Dial(t.Context(), target, o); err == nil || !strings.Contains(err.Error(), "no-adb") {
		t.Errorf("without adb: %v", err)
	}
}
