package virtual

import "context"

// site is where a board's processes run.
type site interface {
	// boot starts the SSH server and returns when it listens.
	boot(ctx context.Context) error
	// halt ends every process of the board at once.
	halt() error
	processes() ([]process, error)
	// fault does to the board what only its site can. A process to kill that is gone is
	// unix.ESRCH.
	fault(ctx context.Context, f siteFault) error
	// close is halt, and gives back all that the site has of the host.
	close() error
}

// siteFault is one of the things that a site can do to a board.
type siteFault struct {
	kind siteFaultKind
	pid  int // of kill, as processes tells it
}

type siteFaultKind int

const (
	linkDown siteFaultKind = iota
	linkUp
	diskFull
	diskFree
	kill
	reload // the SSH server reads its host key again
)
