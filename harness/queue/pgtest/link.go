//go:build unix

package pgtest

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Link is a network between one client and a server, which can be cut.
type Link struct {
	Address string // of the server, as seen through the link

	server string
	listen net.Listener
	mu     sync.Mutex
	cond   *sync.Cond
	hung   bool // nothing passes, and nobody is told
	cut    bool // nobody gets through
	conns  map[net.Conn]bool
}

// NewLink makes a link to the server at an address of Start's or Database's.
func NewLink(t testing.TB, address string) *Link {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "harness-link-") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	const socket = ".s.PGSQL.5432"
	l := &Link{server: filepath.Join(u.Query().Get("host"), socket), conns: map[net.Conn]bool{}}
	l.cond = sync.NewCond(&l.mu)
	if l.listen, err = net.Listen("unix", filepath.Join(dir, socket)); err != nil {
		t.Fatal(err)
	}
	u.RawQuery = url.Values{"host": {dir}}.Encode()
	l.Address = u.String()
	go l.accept()
	t.Cleanup(func() {
		l.listen.Close() //nolint:errcheck // the test is over
		l.Cut(false)
		os.RemoveAll(dir) //nolint:errcheck // the test is over
	})
	return l
}

// Cut cuts the link: connections break, or hang as behind a firewall that drops
// what it gets.
func (l *Link) Cut(hang bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if hang {
		l.hung = true
		return
	}
	l.cut = true
	l.drop()
}

// Mend lets connections through again. Those that hung break, as a firewall's do.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hung {
		l.drop()
	}
	l.hung, l.cut = false, false
	l.cond.Broadcast()
}

func (l *Link) drop() {
	for c := range l.conns {
		c.Close() //nolint:errcheck // that is the point
	}
	clear(l.conns)
	l.cond.Broadcast()
}

func (l *Link) accept() {
	for {
		client, err := l.listen.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", l.server)
		l.mu.Lock()
		if err != nil || l.cut {
			client.Close() //nolint:errcheck // that is the point
			if err == nil {
				server.Close() //nolint:errcheck // that is the point
			}
			l.mu.Unlock()
			continue
		}
		l.conns[client], l.conns[server] = true, true
		l.mu.Unlock()
		go l.pass(client, server)
		go l.pass(server, client)
	}
}

// pass copies one direction until either end closes.
func (l *Link) pass(from, to net.Conn) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		l.mu.Lock()
		for l.hung && l.conns[from] {
			l.cond.Wait()
		}
		l.mu.Unlock()
		if n > 0 {
			if _, e := to.Write(buffer[:n]); e != nil && err == nil {
				err = e
			}
		}
		if err != nil {
			break
		}
	}
	from.Close() //nolint:errcheck // it is over
	to.Close()   //nolint:errcheck // it is over
	l.mu.Lock()
	delete(l.conns, from)
	delete(l.conns, to)
	l.mu.Unlock()
}
