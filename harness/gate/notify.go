package gate

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"net/smtp"
	"strconv"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// Variables from which secrets are read.
const (
	EnvWebhook      = "HARNESS_WEBHOOK" // an address that holds a secret; goes before the plan's
	EnvSMTPUser     = "HARNESS_SMTP_USER"
	EnvSMTPPassword = "HARNESS_SMTP_PASSWORD"
)

// Message is what is told of a night.
type Message struct {
	Status    string         `json:"status"` // passed, regressed, unclear or failed
	Run       string         `json:"run,omitempty"`
	Branch    string         `json:"branch"`
	Commit    string         `json:"commit,omitempty"`
	Time      time.Time      `json:"time"`
	Text      string         `json:"text"` // a line, as chat programs show it
	Regressed []MessageEntry `json:"regressed"`
	Markdown  string         `json:"markdown,omitempty"`
}

// MessageEntry is a regression.
type MessageEntry struct {
	Cell      string  `json:"cell"`
	Metric    string  `json:"metric"`
	EffectPct float64 `json:"effect_pct"`
	Kernel    string  `json:"kernel,omitempty"`
}

// States of a night.
const (
	Passed  = "passed"
	Worse   = "regressed"
	Unclear = "unclear" // nothing to compare with, or --strict and not told
	Failed  = "failed"
)

// Tell makes the message of a result.
func Tell(branch string, r *Result) Message {
	m := Message{Status: Passed, Run: r.Run, Branch: branch, Commit: r.Commit, Time: r.Time, Text: "harness: " + r.Line(), Regressed: []MessageEntry{}}
	for _, f := range r.Of(stat.Regressed) {
		m.Status = Worse
		e := MessageEntry{Cell: f.Cell, Metric: f.Metric, EffectPct: f.Effect.Value}
		if f.Live != nil {
			e.EffectPct = f.Live.Change.Value
			if f.Live.Cause != nil && f.Live.Cause.Kernel != nil {
				e.Kernel = f.Live.Cause.Kernel.Name
			}
		}
		m.Regressed = append(m.Regressed, e)
	}
	var b bytes.Buffer
	if r.Markdown(&b) == nil { // a buffer takes everything
		m.Markdown = b.String()
	}
	return m
}

// Notify sends a message by every way of the plan. One that fails does not keep it
// from the others.
func (n NotifyPlan) Notify(ctx context.Context, m Message, env func(string) string) error {
	if n.On == NotifyRegression && m.Status == Passed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	var errs []error
	hook := n.Webhook
	if secret := env(EnvWebhook); secret != "" {
		hook = secret
	}
	if hook != "" {
		if err := post(ctx, hook, m); err != nil {
			errs = append(errs, fmt.Errorf("webhook: %w", err))
		}
	}
	if n.Email != nil {
		if err := n.Email.send(ctx, m, env(EnvSMTPUser), env(EnvSMTPPassword)); err != nil {
			errs = append(errs, fmt.Errorf("e-mail by %s: %w", n.Email.Server, err))
		}
	}
	return errors.Join(errs...)
}

// post sends the message as JSON. The address may hold a secret and is not told.
func post(ctx context.Context, address string, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		again, err := postOnce(ctx, address, body)
		if err == nil || !again || try >= 2 {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second << try):
		}
	}
}

func postOnce(ctx context.Context, address string, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("its address is none")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "harness-nightly")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if inner := errors.Unwrap(err); inner != nil { // url.Error repeats the address
			err = inner
		}
		return true, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) //nolint:errcheck // only so that the connection is kept
	if resp.StatusCode/100 != 2 {
		return resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests, fmt.Errorf("it answers %s", resp.Status)
	}
	return false, nil
}

// send mails the message. The connection is encrypted where the server offers it, and
// a password is sent over an encrypted one, or to this machine, only.
func (e *EmailPlan) send(ctx context.Context, m Message, user, password string) error {
	host, port, err := hostPort(e.Server)
	if err != nil {
		return err
	}
	d := net.Dialer{}
	conn, err := d.DialContext(ctx, "tcp", e.Server)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // what matters was answered before
	if end, ok := ctx.Deadline(); ok {
		conn.SetDeadline(end) //nolint:errcheck // a connection without one ends with the server's
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if port == 465 {
		conn = tls.Client(conn, config)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	if ok, _ := c.Extension("STARTTLS"); ok && port != 465 {
		if err := c.StartTLS(config); err != nil {
			return err
		}
	}
	if user != "" {
		if err := c.Auth(smtp.PlainAuth("", user, password, host)); err != nil {
			return fmt.Errorf("logging in as %s: %w", EnvSMTPUser, err)
		}
	}
	from, err := mail.ParseAddress(e.From)
	if err != nil {
		return err
	}
	if err := c.Mail(from.Address); err != nil {
		return err
	}
	for _, to := range e.To {
		a, err := mail.ParseAddress(to)
		if err != nil {
			return err
		}
		if err := c.Rcpt(a.Address); err != nil {
			return fmt.Errorf("to %s: %w", a.Address, err)
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(e.text(m)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// text is the mail after RFC 5322.
func (e *EmailPlan) text(m Message) []byte {
	var b bytes.Buffer
	line := strings.NewReplacer("\r", " ", "\n", " ")
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, line.Replace(value)) }
	header("From", e.From)
	header("To", strings.Join(e.To, ", "))
	header("Subject", mime.QEncoding.Encode("utf-8", line.Replace(fmt.Sprintf("harness %s: %s", m.Branch, m.Status))))
	header("Date", m.Time.Format(time.RFC1123Z))
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	io.WriteString(q, strings.TrimSpace(m.Text+"\n\n"+m.Markdown)) //nolint:errcheck // a buffer takes everything
	q.Close()                                                      //nolint:errcheck // the same
	return b.Bytes()
}

func hostPort(server string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(server)
	if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(text); err != nil || host == "" || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("%q is not host:port", server)
	}
	return host, port, nil
}
