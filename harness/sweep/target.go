package sweep

import (
	"context"

	"github.com/seed-c6f48606/harness/targets/power"
)

// Target is a machine on which runners are started. Its methods are called from
// one goroutine at a time.
//
// Errors that are a [*wire.Error] of kind Harness or Unsupported say that trying
// again cannot help; all others are the target's and are tried again.
type Target interface {
	// Put makes a file or folder of this machine readable on the target and
	// returns its path there. What is there already is not sent again. progress
	// hears of the bytes sent.
	Put(ctx context.Context, path string, progress func(done, total int64)) (string, error)
	// Start starts a runner and exchanges hellos.
	Start(ctx context.Context) (*Process, error)
	// Clean ends and removes what runners that ended badly left behind. It fails
	// where the target does not answer.
	Clean(ctx context.Context) error
	// Close gives the target back as it was found.
	Close() error
}

// Turner is a target that shares its processor with other targets: trials on
// them take turns.
type Turner interface {
	// Turn waits until it is this target's turn, which release ends.
	Turn(ctx context.Context) (release func(), err error)
}

// Metered is a target whose energy is read by a meter at this machine, because the
// target has no sensor of its own.
type Metered interface {
	// Meter opens the meter for a trial, which closes it. A nil one says that
	// there is none after all: the target then reads its own.
	Meter(ctx context.Context) (power.Meter, error)
}

// local is the machine of this program.
type local struct{ Launch }

// Put returns the path itself: runners read the controller's files.
func (local) Put(_ context.Context, path string, _ func(done, total int64)) (string, error) {
	return path, nil
}

// Clean has nothing to do: a runner's whole process group is killed with it.
func (local) Clean(context.Context) error { return nil }

// Close has nothing to give back.
func (local) Close() error { return nil }
