package remote

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// start runs a command in a session of its own.
func (l *sshLink) start(ctx context.Context, argv []string, k hooks) (*Conn, error) {
	line, err := Line(argv)
	if err != nil {
		return nil, harnessFault("", "running a command on %s: %w", l.name, err)
	}
	closeIt := func(s *ssh.Session) { s.Close() }
	s, err := await(ctx, l.client.NewSession, closeIt)
	if err != nil {
		return nil, l.broken("opening a session", err)
	}
	c := newConn(k, l.o.grace)
	s.Stderr = &c.stderr
	if c.Stdin, err = s.StdinPipe(); err != nil {
		s.Close()
		return nil, l.broken("opening a session", err)
	}
	if c.Stdout, err = s.StdoutPipe(); err != nil {
		s.Close()
		return nil, l.broken("opening a session", err)
	}
	c.hangUp = func() {
		go func() {
			s.Signal(ssh.SIGKILL) //nolint:errcheck // older servers know no signals, and a dead link takes none
			s.Close()
		}()
	}
	c.abandon = func() { l.lose(fmt.Errorf("%w: the target does not end %s", errLost, argv[0])) }
	if _, err := await(ctx, func() (struct{}, error) { return struct{}{}, s.Start(line) }, nil); err != nil {
		s.Close()
		return nil, l.broken("starting "+argv[0], err)
	}
	c.watch(ctx, func() error { return l.ended(ctx, c, argv, s.Wait()) })
	return c, nil
}

// ended turns the end of a session into our error.
func (l *sshLink) ended(ctx context.Context, c *Conn, argv []string, err error) error {
	var exit *ssh.ExitError
	var missing *ssh.ExitMissingError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("running %s on %s: %w", argv[0], l.name, ctx.Err())
	case errors.As(err, &exit):
		status := exit.ExitStatus()
		if exit.Signal() != "" {
			status = -1
		}
		return &ExitError{Argv: argv, Status: status, Signal: word(exit.Signal()), Stderr: c.Stderr()}
	case errors.As(err, &missing) && l.alive() == nil:
		return &ExitError{Argv: argv, Status: -1, Stderr: c.Stderr()}
	}
	return l.broken("running "+argv[0], err)
}

// word keeps a signal's name a word.
func word(s string) string {
	if len(s) > 16 {
		s = s[:16]
	}
	return visible(s)
}

// broken is the error of a step that the link did not carry.
func (l *sshLink) broken(what string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s on %s: %w", what, l.name, err)
	}
	if gone := l.alive(); gone != nil {
		return targetFault("", "%s on %s: %w", what, l.name, gone)
	}
	return targetFault("", "%s on %s: %s", what, l.name, short(err.Error()))
}

// files opens the SFTP server, and goes by commands where there is none.
func (l *sshLink) files(ctx context.Context) (files, error) {
	f, err := l.sftp(ctx)
	if errors.Is(err, errNoSFTP) {
		return &shellFiles{l.name, l}, nil
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}
