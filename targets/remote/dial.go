package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
)

// sshLink is a connection to a target through any number of others.
type sshLink struct {
	name   string
	client *ssh.Client
	behind []*ssh.Client // jump hosts, nearest first
	o      Options
	stop   context.CancelFunc

	mu   sync.Mutex
	gone error // why the link is lost
}

// dialSSH goes hop by hop. look, when not nil, replaces the check of the last
// host's key.
func dialSSH(ctx context.Context, t targets.Target, o Options, look ssh.HostKeyCallback) (*sshLink, error) {
	cfg, err := loadConfig(o)
	if err != nil {
		return nil, err
	}
	route, err := cfg.route(t)
	if err != nil {
		return nil, err
	}
	link := &sshLink{name: t.Name, o: o}
	for i, h := range route {
		final := i == len(route)-1
		name, pinned := h.alias, ""
		if final {
			name, pinned = t.Name, t.HostKey
		}
		check := keyCheck{callback: look, algorithms: preferred()}
		if !final || look == nil {
			if check, err = hostKeyCheck(h, name, pinned, final); err != nil {
				link.Close() //nolint:errcheck // the first error counts
				return nil, err
			}
		}
		client, err := enter(ctx, link.client, h, name, check, o, final && look != nil)
		if err != nil {
			link.Close() //nolint:errcheck // the first error counts
			return nil, err
		}
		if link.client != nil {
			link.behind = append(link.behind, link.client)
		}
		link.client = client
	}
	watch, stop := context.WithCancel(context.Background())
	link.stop = stop
	go link.watch(watch)
	return link, nil
}

// enter connects to one host, through another where via is not nil, and logs in.
// With anonymous set it offers no key.
func enter(ctx context.Context, via *ssh.Client, h hop, name string, check keyCheck, o Options, anonymous bool) (*ssh.Client, error) {
	ring := &keyring{}
	if !anonymous {
		var err error
		if ring, err = keys(h, o); err != nil {
			return nil, err
		}
		defer ring.Close()
	}
	address := net.JoinHostPort(h.host, strconv.Itoa(h.port))
	limit, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	var conn net.Conn
	var err error
	if via == nil {
		conn, err = (&net.Dialer{KeepAlive: o.KeepAlive}).DialContext(limit, "tcp", address)
	} else {
		conn, err = via.DialContext(limit, "tcp", address)
	}
	if err != nil {
		return nil, unreached(ctx, limit, name, address, o.Timeout, err)
	}
	// A host that accepts and then says nothing must not hold us.
	hangUp := context.AfterFunc(limit, func() {
		conn.Close()
		ring.Close() // nor an agent that is asked to sign
	})
	config := &ssh.ClientConfig{
		User: h.user, HostKeyCallback: check.callback, HostKeyAlgorithms: check.algorithms,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(ring.signers...)},
	}
	c, chans, reqs, err := ssh.NewClientConn(conn, address, config)
	if !hangUp() && err == nil {
		c.Close()
		err = context.DeadlineExceeded
	}
	if err == nil {
		return ssh.NewClient(c, chans, reqs), nil
	}
	conn.Close()
	var key *HostKeyError
	var told *wire.Error
	switch {
	case errors.As(err, &key) && errors.As(err, &told):
		return nil, told // without the library's words around it
	case errors.Is(err, errSeen):
		return nil, err
	case limit.Err() != nil:
		return nil, unreached(ctx, limit, name, address, o.Timeout, err)
	case strings.Contains(err.Error(), "unable to authenticate"):
		// The library has no type for it.
		return nil, ring.refused(h, name, err)
	}
	return nil, targetFault("is that an SSH server, and does it let this machine in? ssh -v shows more",
		"connecting to %s at %s: %s", name, address, short(err.Error()))
}

// unreached is the error of a host that did not answer; that of the caller's
// context stays what it is.
func unreached(ctx, limit context.Context, name, address string, after time.Duration, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("connecting to %s: %w", name, ctx.Err())
	}
	const mend = "is it switched on, awake and on this network?"
	if limit.Err() != nil {
		return targetFault(mend, "connecting to %s at %s: no answer within %v: %w", name, address, after, errLost)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return harnessFault("mend address: in "+targets.FileName+" or name the host in the SSH configuration", "connecting to %s: no host is called %s", name, short(dns.Name))
	}
	return targetFault(mend, "connecting to %s: %w (%w)", name, err, errLost)
}

// watch asks the target for a sign of life and ends a link that gives none:
// without it a board that lost its power would hold the sweep for ever.
func (l *sshLink) watch(ctx context.Context) {
	closed := make(chan error, 1)
	go func() { closed <- l.client.Wait() }()
	tick := time.NewTicker(l.o.KeepAlive)
	defer tick.Stop()
	answer := make(chan error, 1)
	waiting, missed := false, 0
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-closed:
			l.lose(lostBy(err))
			return
		case <-answer:
			waiting, missed = false, 0
		case <-tick.C:
			if waiting {
				if missed++; missed >= 3 {
					l.lose(fmt.Errorf("%w: no sign of life for %v", errLost, 3*l.o.KeepAlive))
					return
				}
				continue
			}
			waiting = true
			go func() {
				_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
				answer <- err
			}()
		}
	}
}

// alive asks for a sign of life and returns why there is none. A channel that
// breaks is seen before the link that broke it.
func (l *sshLink) alive() error {
	if err := l.lost(); err != nil {
		return err
	}
	if _, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
		l.lose(lostBy(err))
	}
	return l.lost()
}

// lostBy tells of a link by how it ended.
func lostBy(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it was closed on the target's side", errLost)
	}
	return fmt.Errorf("%w: %s", errLost, short(err.Error()))
}

func (l *sshLink) lose(err error) {
	l.mu.Lock()
	if l.gone != nil {
		l.mu.Unlock()
		return
	}
	l.gone = err
	l.mu.Unlock()
	l.o.Log.Warn("link lost", slog.String("target", l.name), slog.String("why", err.Error()))
	l.client.Close()
}

// lost is why the link is gone, nil while it is there.
func (l *sshLink) lost() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone
}

// Close hangs up, the target first.
func (l *sshLink) Close() error {
	if l.stop != nil {
		l.stop()
	}
	var err error
	if l.client != nil {
		l.mu.Lock()
		if l.gone == nil {
			l.gone = fmt.Errorf("%w: it was closed here", errLost)
		}
		l.mu.Unlock()
		err = l.client.Close()
	}
	for i := len(l.behind) - 1; i >= 0; i-- {
		l.behind[i].Close()
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
