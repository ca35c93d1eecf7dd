package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client calls a lab.
type Client struct {
	address string
	token   string
	http    *http.Client
}

// NewClient returns a client of the lab at an address such as
// https://lab.example:8443. A token goes to another machine by TLS only.
func NewClient(address, token string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("lab address %q: write it as https://HOST:PORT", address)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("lab address %s: the token would go over the network in the clear; use https", address)
	}
	if token == "" {
		return nil, errors.New("no token: set HARNESS_LAB_TOKEN or name a file with --token-file")
	}
	return &Client{strings.TrimRight(address, "/"), token, &http.Client{
		// A redirect could carry the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// StatusError is a call that the lab refused.
type StatusError struct {
	Status int
	Text   string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the lab refuses it (%d): %s", e.Status, e.Text)
}

// maxAnswer bounds an answer that is read at once, in bytes.
const maxAnswer = 32 << 20

// call sends a document, nil for none, and reads one.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	r, err := c.send(ctx, method, path, in, nil)
	if err != nil {
		return err
	}
	defer r.Body.Close() //nolint:errcheck // it has been read
	if err := json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("calling the lab: reading its answer: %w", err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, in any, header http.Header) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("calling the lab: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.address+path, body)
	if err != nil {
		return nil, fmt.Errorf("calling the lab: %w", err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("calling the lab: %w", err)
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Body.Close() //nolint:errcheck // it has been read
	var said struct {
		Error string `json:"error"`
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil || json.Unmarshal(raw, &said) != nil || said.Error == "" {
		said.Error = answer.Status
	}
	return nil, &StatusError{answer.StatusCode, said.Error}
}

// Overview returns what everybody in the lab sees.
func (c *Client) Overview(ctx context.Context) (Overview, error) {
	var o Overview
	return o, c.call(ctx, http.MethodGet, "/api/lab", nil, &o)
}

// Submit submits a sweep. Submitted again it is the same one.
func (c *Client) Submit(ctx context.Context, in Submission) (Sweep, error) {
	var s Sweep
	return s, c.call(ctx, http.MethodPost, "/api/sweeps", in, &s)
}

// Sweep returns a sweep with its plan.
func (c *Client) Sweep(ctx context.Context, id string) (Sweep, error) {
	var s Sweep
	return s, c.call(ctx, http.MethodGet, "/api/sweeps/"+url.PathEscape(id), nil, &s)
}

// Cancel cancels a sweep.
func (c *Client) Cancel(ctx context.Context, id string) (Sweep, error) {
	var s Sweep
	return s, c.call(ctx, http.MethodPost, "/api/sweeps/"+url.PathEscape(id)+"/cancel", nil, &s)
}

// Drain has a board take no more trials, or take them again.
func (c *Client) Drain(ctx context.Context, board string, drained bool) error {
	verb := "/resume"
	if drained {
		verb = "/drain"
	}
	var said struct {
		Drained bool `json:"drained"`
	}
	return c.call(ctx, http.MethodPost, "/api/boards/"+url.PathEscape(board)+verb, nil, &said)
}

// Reserve reserves a board; a zero from is now.
func (c *Client) Reserve(ctx context.Context, board string, from, until time.Time) (Reservation, error) {
	in := struct {
		Board string    `json:"board"`
		From  time.Time `json:"from,omitzero"`
		Until time.Time `json:"until"`
	}{board, from, until}
	var r Reservation
	return r, c.call(ctx, http.MethodPost, "/api/reservations", in, &r)
}

// Unreserve ends a reservation.
func (c *Client) Unreserve(ctx context.Context, id string) (Reservation, error) {
	var r Reservation
	return r, c.call(ctx, http.MethodDelete, "/api/reservations/"+url.PathEscape(id), nil, &r)
}

// longestLine bounds a line of a stream in bytes; a trial with its samples is one.
const longestLine = 64 << 20

// Trials calls f with the recorded attempts of a sweep.
func (c *Client) Trials(ctx context.Context, id string, f func(Attempt) error) error {
	r, err := c.send(ctx, http.MethodGet, "/api/sweeps/"+url.PathEscape(id)+"/trials", nil, nil)
	if err != nil {
		return err
	}
	defer r.Body.Close() //nolint:errcheck // it has been read
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(make([]byte, 0, 64<<10), longestLine)
	for lines.Scan() {
		var a Attempt
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return fmt.Errorf("reading the trials of sweep %s: %w", id, err)
		}
		if err := f(a); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the trials of sweep %s: %w", id, err)
	}
	return nil
}

// Watch calls told with every line of a sweep's log and moved with its progress,
// until the sweep is over. A connection that breaks is made again.
func (c *Client) Watch(ctx context.Context, id string, told func(Line), moved func(Sweep)) (Sweep, error) {
	after, last := int64(0), Sweep{}
	pause := time.Second
	for {
		before := after
		err := c.watch(ctx, id, &after, &last, told, moved)
		var refused *StatusError
		switch {
		case ctx.Err() != nil:
			return last, ctx.Err()
		case err == nil && last.State != "active" && last.State != "":
			return last, nil
		case errors.As(err, &refused) && refused.Status < 500 && refused.Status != http.StatusTooManyRequests:
			return last, err
		}
		if after > before {
			pause = time.Second
		}
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 30*time.Second)
	}
}

func (c *Client) watch(ctx context.Context, id string, after *int64, last *Sweep, told func(Line), moved func(Sweep)) error {
	header := http.Header{}
	if *after > 0 {
		header.Set("Last-Event-ID", fmt.Sprint(*after))
	}
	r, err := c.send(ctx, http.MethodGet, "/api/sweeps/"+url.PathEscape(id)+"/log", nil, header)
	if err != nil {
		return err
	}
	defer r.Body.Close() //nolint:errcheck // it has been read
	return events(r.Body, func(event, data string) error {
		if event == "sweep" {
			if err := json.Unmarshal([]byte(data), last); err != nil {
				return err
			}
			moved(*last)
			return nil
		}
		var l Line
		if err := json.Unmarshal([]byte(data), &l); err != nil {
			return err
		}
		*after = l.ID
		told(l)
		return nil
	})
}

// events reads server-sent events.
func events(r io.Reader, f func(event, data string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), 1<<20)
	event, data := "", ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			event = value
		case "data":
			if data != "" {
				data += "\n"
			}
			data += value
		case "":
			if data != "" {
				if err := f(event, data); err != nil {
					return err
				}
			}
			event, data = "", ""
		}
	}
	return lines.Err()
}
