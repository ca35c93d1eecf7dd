//go:build unix

package soak

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/seed-c6f48606/harness/harness/queue"
)

// The environment that makes a test binary one of the soak's controllers.
const (
	envDatabase = "HARNESS_SOAK_DATABASE"
	envName     = "HARNESS_SOAK_NAME"
	envBoards   = "HARNESS_SOAK_BOARDS"
	envDir      = "HARNESS_SOAK_DIR"
	envTTL      = "HARNESS_SOAK_TTL"
)

// standInPrefix begins the names of boards that are stand-ins.
const standInPrefix = "standin-"

// Child is the controller's process, if this is one; a test binary's TestMain
// calls it first. Open opens boards that are no stand-ins, nil where there are
// none.
func Child(open func(board string) queue.Bench) {
	location := os.Getenv(envDatabase)
	if location == "" {
		return
	}
	if err := child(location, open); err != nil {
		fmt.Fprintln(os.Stderr, "controller:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(location string, open func(board string) queue.Bench) error {
	// A test that is killed must not leave controllers behind.
	go func() {
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // its end is what matters
		os.Exit(1)
	}()
	ttl, err := time.ParseDuration(os.Getenv(envTTL))
	if err != nil {
		return err
	}
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt)
	defer release()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})).With("controller", os.Getenv(envName))
	q, err := dial(ctx, location, log)
	if ctx.Err() != nil && err != nil {
		return nil // it was stopped before its database came back
	}
	if err != nil {
		return err
	}
	defer q.Close() //nolint:errcheck // the process ends
	return queue.Controller{
		Queue: q, Name: os.Getenv(envName), Boards: strings.Split(os.Getenv(envBoards), ","), TTL: ttl, Log: log, Cooldown: 10 * time.Millisecond,
		Open: func(board string) queue.Bench {
			if strings.HasPrefix(board, standInPrefix) {
				return &standIn{board, os.Getenv(envDir)}
			}
			return open(board)
		},
	}.Run(context.WithoutCancel(ctx), ctx.Done())
}

// dial opens the queue; a controller may be started while its database is away.
func dial(ctx context.Context, location string, log *slog.Logger) (*queue.Queue, error) {
	for {
		q, err := queue.Open(ctx, location, log)
		if err == nil {
			return q, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(200 * time.Millisecond):
		}
	}
}
