package virtual

import (
	"os/exec"
	"runtime"
)

// keeper starts processes that the kernel kills when this process ends, however
// it ends. The kernel ties such a child to the thread that started it
// (prctl(2), PR_SET_PDEATHSIG), so a keeper has a thread of its own.
type keeper struct{ work chan func() }

func newKeeper() *keeper {
	k := &keeper{make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for f := range k.work {
			f()
		}
	}()
	return k
}

// start starts a command whose end is bound to this process's, in a session of
// its own so that a terminal's signals do not reach it.
func (k *keeper) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = bound()
	done := make(chan error)
	k.work <- func() { done <- cmd.Start() }
	return <-done
}

// close ends the thread, and with it what it started.
func (k *keeper) close() { close(k.work) }
