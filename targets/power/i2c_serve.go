package power

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"
)

const (
	// mostClients bounds what a stranger on the socket can make the server hold.
	mostClients = 16
	// serveTimeout is for the rest of a message whose first byte has come.
	serveTimeout = 5 * time.Second
)

// ServeI2C answers transactions for a bus until ctx ends, then closes the listener
// and every connection. Clients are those of RegisterSocketBus.
func ServeI2C(ctx context.Context, l net.Listener, bus i2c.Bus) error {
	return serveClients(ctx, l, "I²C bus "+bus.String(), func(_ context.Context, conn net.Conn) { serveI2CClient(conn, bus) })
}

// serveClients serves every connection until ctx ends, then closes the listener
// and every connection.
func serveClients(ctx context.Context, l net.Listener, what string, serve func(context.Context, net.Conn)) error {
	ctx, cancel := context.WithCancel(ctx)
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()

	slots := make(chan struct{}, mostClients)
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("serving %s: %w", what, err)
		}
		select {
		case slots <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		clients.Go(func() {
			defer func() { <-slots }()
			unhook := context.AfterFunc(ctx, func() { conn.Close() })
			defer unhook()
			defer conn.Close()
			serve(ctx, conn)
		})
	}
}

// serveI2CClient ends with the connection or at the first message that is none.
func serveI2CClient(conn net.Conn, bus i2c.Bus) {
	if conn.SetDeadline(time.Now().Add(serveTimeout)) != nil || readHello(conn) != nil {
		return
	}
	if _, err := io.WriteString(conn, socketHello); err != nil {
		return
	}
	var out []byte
	for {
		// Between messages a client may take its time.
		if conn.SetDeadline(time.Time{}) != nil {
			return
		}
		q, err := readSocketRequest(&firstByteTimer{conn: conn})
		if err != nil {
			return
		}
		data := make([]byte, q.read)
		err = bus.Tx(q.addr, q.write, data)
		out = appendSocketReply(out[:0], data, err)
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// firstByteTimer sets a connection's deadline once a message has begun.
type firstByteTimer struct {
	conn  net.Conn
	begun bool
}

func (f *firstByteTimer) Read(p []byte) (int, error) {
	n, err := f.conn.Read(p)
	if n > 0 && !f.begun {
		f.begun = true
		if derr := f.conn.SetDeadline(time.Now().Add(serveTimeout)); derr != nil {
			return n, derr
		}
	}
	return n, err
}
