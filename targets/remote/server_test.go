package remote

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/pem"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/seed-c6f48606/harness/targets"
)

// testServer is an SSH server in this process. Commands run in a shell of this
// machine unless exec takes them, and files are served by SFTP unless subsystem
// does: so a test can make it lie.
type testServer struct {
	t         *testing.T
	home      string
	config    *ssh.ServerConfig
	listener  net.Listener
	hostKey   ssh.Signer
	allow     ssh.PublicKey                          // who may log in; nil = whom serve makes
	exec      func(line string, ch ssh.Channel) bool // true = it took the command; under mu
	subsystem func(ch ssh.Channel) bool              // nil = SFTP
	noSFTP    bool

	mu    sync.Mutex
	conns []net.Conn
}

func newKey(t *testing.T) (ed25519.PrivateKey, ssh.Signer) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return private, signer
}

// keyFile writes a private key as ssh-keygen does; with a passphrase it is encrypted.
func keyFile(t *testing.T, private ed25519.PrivateKey, passphrase string) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(private, "test")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "test", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "id_test")
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve starts the server and returns the target to reach it.
func (s *testServer) serve(t *testing.T) (targets.Target, Options) {
	t.Helper()
	s.t, s.home = t, t.TempDir()
	private, user := newKey(t)
	if s.hostKey == nil {
		_, s.hostKey = newKey(t)
	}
	if s.allow == nil {
		s.allow = user.PublicKey()
	}
	s.config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(s.allow.Marshal()) {
			return nil, io.EOF
		}
		return nil, nil
	}}
	s.config.AddHostKey(s.hostKey)
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	go s.accept()
	target := targets.Target{
		Name: "board", Address: "127.0.0.1", User: "tester", Port: s.listener.Addr().(*net.TCPAddr).Port,
		HostKey: Pinned(s.hostKey.PublicKey()), KeyFile: keyFile(t, private, ""),
	}
	return target, Options{Home: t.TempDir(), Agent: "none", Timeout: 10 * time.Second, owner: ownerName("0badcafe", os.Getpid())}
}

// answer has exec take commands from now on.
func (s *testServer) answer(exec func(line string, ch ssh.Channel) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exec = exec
}

func (s *testServer) close() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
}

func (s *testServer) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		go s.talk(conn)
	}
}

func (s *testServer) talk(conn net.Conn) {
	_, chans, reqs, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	go func() {
		for r := range reqs {
			if r.WantReply {
				r.Reply(false, nil)
			}
		}
	}()
	for c := range chans {
		switch c.ChannelType() {
		case "session":
			ch, reqs, err := c.Accept()
			if err == nil {
				go s.session(ch, reqs)
			}
		case "direct-tcpip": // as a jump host
			var to struct {
				Host   string
				Port   uint32
				Origin string
				From   uint32
			}
			if ssh.Unmarshal(c.ExtraData(), &to) != nil {
				c.Reject(ssh.ConnectionFailed, "no")
				continue
			}
			out, err := net.Dial("tcp", net.JoinHostPort(to.Host, itoa(to.Port)))
			if err != nil {
				c.Reject(ssh.ConnectionFailed, err.Error())
				continue
			}
			ch, reqs, err := c.Accept()
			if err != nil {
				out.Close()
				continue
			}
			go ssh.DiscardRequests(reqs)
			go func() { io.Copy(out, ch); out.Close() }()
			go func() { io.Copy(ch, out); ch.Close() }()
		default:
			c.Reject(ssh.UnknownChannelType, "no")
		}
	}
}

func (s *testServer) session(ch ssh.Channel, reqs <-chan *ssh.Request) {
	defer ch.Close()
	for r := range reqs {
		var text struct{ S string }
		switch r.Type {
		case "exec":
			if ssh.Unmarshal(r.Payload, &text) != nil {
				return
			}
			r.Reply(true, nil)
			go ssh.DiscardRequests(reqs)
			s.mu.Lock()
			take := s.exec
			s.mu.Unlock()
			if take == nil || !take(text.S, ch) {
				status(ch, s.shell(text.S, ch))
			}
			return
		case "subsystem":
			r.Reply(!s.noSFTP, nil)
			if s.noSFTP {
				return
			}
			go ssh.DiscardRequests(reqs)
			if s.subsystem != nil && s.subsystem(ch) {
				return
			}
			if server, err := sftp.NewServer(ch); err == nil {
				server.Serve()
			}
			return
		default:
			if r.WantReply {
				r.Reply(false, nil)
			}
		}
	}
}

// shell runs a line as sshd does: in a session of its own, without a terminal.
func (s *testServer) shell(line string, ch ssh.Channel) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Env = []string{"HOME=" + s.home, "PATH=" + os.Getenv("PATH")}
	cmd.Dir = s.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdout, cmd.Stderr = ch, ch.Stderr()
	in, err := cmd.StdinPipe()
	if err != nil {
		return 255
	}
	go func() { io.Copy(in, ch); in.Close() }()
	cmd.Run()
	return cmd.ProcessState.ExitCode()
}

func status(ch ssh.Channel, code int) {
	ch.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, uint32(code)))
}

func itoa(n uint32) string {
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

// connect dials and hangs up with the test.
func connect(t *testing.T, target targets.Target, o Options) *Host {
	t.Helper()
	h, err := Dial(t.Context(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// wantError fails unless err says every one of the words.
func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error is\n  %v\nwant in it\n  %s", err, w)
		}
	}
}
