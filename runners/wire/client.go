package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Client is the controller's end of a runner's pipes. It sends one request at a
// time and is not safe for concurrent use.
type Client struct {
	enc    *Encoder
	lines  chan Line
	failed chan error
	done   chan struct{}
	next   uint64
	hello  Hello
	// Grace is how long a canceled request may take to answer.
	Grace time.Duration
}

// Dial exchanges hellos with the runner whose stdout is r and whose stdin is w.
// It returns an *Error of kind Harness when the two do not match, and a target
// error when the runner's output ends or is no wire. The caller owns the pipes
// and closes them, and so ends the client's reading. A context of [As] has it drive
// another build.
func Dial(ctx context.Context, r io.Reader, w io.Writer) (*Client, error) {
	c := &Client{
		enc: NewEncoder(w), lines: make(chan Line), failed: make(chan error, 1),
		done: make(chan struct{}), Grace: 10 * time.Second,
	}
	go c.read(NewDecoder(r, 0))
	mine := helloOf(ctx, NewHello(os.Getpid()))
	m, err := c.ask(ctx, mine, nil)
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("greeting the runner: %w", err)
	}
	theirs, ok := m.(Hello)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("greeting the runner: %w", unexpected(m))
	}
	if err := mine.Check(theirs); err != nil {
		c.Close()
		return nil, fmt.Errorf("greeting the runner: %w", err)
	}
	c.hello = theirs
	return c, nil
}

// Hello returns what the runner said of itself.
func (c *Client) Hello() Hello { return c.hello }

// Close gives up the reading of further lines. It leaves the pipes open.
func (c *Client) Close() {
	select {
	case <-c.done:
	default:
		close(c.done)
	}
}

// Load loads a model; progress may be nil.
func (c *Client) Load(ctx context.Context, req Load, progress func(Progress)) (Loaded, error) {
	return answer[Loaded](c.ask(ctx, req, progress))
}

// Measure runs one trial; progress may be nil.
func (c *Client) Measure(ctx context.Context, req Measure, progress func(Progress)) (MeasureResult, error) {
	return answer[MeasureResult](c.ask(ctx, req, progress))
}

// Evaluate measures quality; progress may be nil.
func (c *Client) Evaluate(ctx context.Context, req Evaluate, progress func(Progress)) (EvalResult, error) {
	return answer[EvalResult](c.ask(ctx, req, progress))
}

// Info asks what the runner's machine is.
func (c *Client) Info(ctx context.Context) (InfoResult, error) {
	return answer[InfoResult](c.ask(ctx, Info{}, nil))
}

// Quit asks the runner to exit. It does not wait for that.
func (c *Client) Quit() error {
	c.next++
	return c.enc.Encode(c.next, Quit{})
}

func answer[T Message](m Message, err error) (T, error) {
	var zero T
	if err != nil {
		return zero, err
	}
	t, ok := m.(T)
	if !ok {
		return zero, unexpected(m)
	}
	return t, nil
}

func unexpected(m Message) error {
	return &Error{Kind: Target, Text: "the runner answered with " + m.kind()}
}

// ask sends a request and returns its answer. When ctx ends it sends a cancel
// and returns the answer that comes within Grace.
func (c *Client) ask(ctx context.Context, req Message, progress func(Progress)) (Message, error) {
	c.next++
	id := c.next
	sent, giveUp := c.send(id, req), false
	canceled, grace := ctx.Done(), (<-chan time.Time)(nil)
	for {
		select {
		case line := <-c.lines:
			if line.ID != id {
				continue // the late answer of a request given up
			}
			switch m := line.Message.(type) {
			case Progress:
				if progress != nil {
					progress(m)
				}
			case Error:
				return nil, &m
			default:
				return m, nil
			}
		case err := <-sent:
			if err != nil {
				return nil, c.lost(err)
			}
			sent = nil
			if giveUp {
				sent, giveUp = c.send(id, Cancel{}), false
			}
		case err := <-c.failed:
			c.failed <- err
			return nil, c.lost(err)
		case <-canceled:
			canceled = nil
			timer := time.NewTimer(c.Grace)
			defer timer.Stop()
			grace = timer.C
			// A cancel before its request would be lost: it waits for sent.
			if giveUp = sent != nil; !giveUp {
				sent = c.send(id, Cancel{})
			}
		case <-grace:
			return nil, Wrap(Canceled, fmt.Errorf("canceling the request: no answer within %v: %w", c.Grace, context.Canceled))
		}
	}
}

// send writes a request without waiting: a stuck runner does not read its pipe.
func (c *Client) send(id uint64, m Message) <-chan error {
	sent := make(chan error, 1)
	go func() { sent <- c.enc.Encode(id, m) }()
	return sent
}

// lost is the error of a runner that went away or stopped speaking the wire.
func (c *Client) lost(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, os.ErrClosed) {
		err = fmt.Errorf("the runner's pipe closed: %w", err)
	}
	return &Error{Kind: Target, Text: "talking to the runner: " + err.Error(), cause: err}
}

func (c *Client) read(dec *Decoder) {
	for {
		line, err := dec.Decode()
		if err != nil {
			c.failed <- err
			return
		}
		select {
		case c.lines <- line:
		case <-c.done:
			return
		}
	}
}
