package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets"
)

// transport carries commands and files to one target.
type transport interface {
	// start begins a command; ctx bounds its life.
	start(ctx context.Context, argv []string, k hooks) (*Conn, error)
	// files opens the way to the target's files.
	files(ctx context.Context) (files, error)
	// lost is why the link is gone, nil while it is there.
	lost() error
	Close() error
}

// Host is a connected target. It is safe for concurrent use.
type Host struct {
	Target targets.Target

	o     Options
	link  transport
	files files
	facts Facts
	stop  context.CancelFunc

	mu   sync.Mutex
	held map[string]*hold // deployed by us, by hash
}

// hold is an entry that this host uses.
type hold struct {
	mu       sync.Mutex // one upload at a time
	verified bool
}

// touchEvery is how often the markers of entries in use are renewed. Another
// controller takes an entry for unused after staleAfter.
const (
	touchEvery = 10 * time.Minute
	staleAfter = time.Hour
)

// Dial connects to a target, learns what it is and prepares its cache folder.
// Close must be called.
func Dial(ctx context.Context, t targets.Target, o Options) (*Host, error) {
	o = o.normal()
	if t.Address == "" {
		mend := "it needs an address"
		if t.Virtual != nil {
			mend = "it is there only while something has started it"
		}
		return nil, harnessFault(mend, "target %s has no address", t.Name)
	}
	var link transport
	var err error
	if t.Transport == targets.ADB {
		link, err = dialADB(ctx, t, o)
	} else {
		link, err = dialSecure(ctx, t, o)
	}
	if err != nil {
		return nil, err
	}
	h := &Host{Target: t, o: o, link: link, held: map[string]*hold{}}
	if err := h.prepare(ctx); err != nil {
		link.Close() //nolint:errcheck // the first error counts
		return nil, err
	}
	keep, stop := context.WithCancel(context.Background())
	h.stop = stop
	go h.touch(keep)
	return h, nil
}

// dialSecure keeps a nil *sshLink from becoming a transport that is not nil.
func dialSecure(ctx context.Context, t targets.Target, o Options) (transport, error) {
	link, err := dialSSH(ctx, t, o, nil)
	if err != nil {
		return nil, err
	}
	return link, nil
}

func (h *Host) prepare(ctx context.Context) error {
	facts, err := h.probe(ctx)
	if err != nil {
		return err
	}
	h.facts = facts
	h.files, err = h.link.files(ctx)
	return err
}

// Facts returns what the target said of itself when it was connected.
func (h *Host) Facts() Facts { return h.facts }

// Lost is why the link is gone, nil while it is there.
func (h *Host) Lost() error { return h.link.lost() }

// Close hangs up. What runs on the target ends with its input.
func (h *Host) Close() error {
	h.stop()
	if err := h.link.Close(); err != nil {
		return fmt.Errorf("closing the link to %s: %w", h.Target.Name, err)
	}
	return nil
}

// Output runs a short command and returns what it writes to stdout, at most 1 MiB.
func (h *Host) Output(ctx context.Context, argv []string) ([]byte, error) {
	c, err := h.link.start(ctx, argv, hooks{})
	if err != nil {
		return nil, err
	}
	out, err := collect(c, maxOutput)
	return out, h.blame(err)
}

// blame makes an exit status the target's fault.
func (h *Host) blame(err error) error {
	var exit *ExitError
	var already *wire.Error
	if err == nil || errors.As(err, &already) || !errors.As(err, &exit) {
		return err
	}
	mend := ""
	switch exit.Status {
	case 126:
		mend = "is " + h.facts.Cache + " on a file system mounted noexec? set cache_dir to a folder on another"
	case 127:
		mend = "the program is not on the target"
	}
	return targetFault(mend, "target %s: %w", h.Target.Name, exit)
}

// commands counts the commands of this process, whose notes must differ though
// several hosts may be of one target.
var commands atomic.Int64

// startScript notes the process's number and start time and becomes the command:
// after a crash of the controller or the link the note says whom to end.
const startScript = `f=$1; shift
b=-; read -r b < /proc/sys/kernel/random/boot_id
s=-; read -r s < "/proc/$$/stat"
printf '%s\n%s\n%s\n' "$$" "$b" "$s" > "$f" || exit 125
exec "$@"`

// Start runs a command that may take long, with streams. It ends with ctx, with
// Kill, or, where it reads its input, with the link.
func (h *Host) Start(ctx context.Context, argv []string) (*Conn, error) {
	if _, err := Line(argv); err != nil {
		return nil, harnessFault("", "running a command on %s: %w", h.Target.Name, err)
	}
	note := path.Join(h.facts.Cache, runFolder, h.o.owner+"."+strconv.FormatInt(commands.Add(1), 10)+".pid")
	return h.link.start(ctx, append([]string{"sh", "-c", startScript, "harness", note}, argv...), hooks{
		reap: func() {
			ctx, cancel := context.WithTimeout(context.Background(), h.o.grace)
			defer cancel()
			if err := h.reap(ctx, note); err != nil {
				h.o.Log.Warn("ending a command", slog.String("target", h.Target.Name), slog.String("why", err.Error()))
			}
		},
		after: func(err error) error {
			var exit *ExitError
			if errors.As(err, &exit) {
				exit.Argv = argv
			}
			h.forget(note)
			if gone := h.link.lost(); gone != nil && Lost(err) {
				return targetFault("", "%s: %w", h.Target.Name, gone) // not by the script around argv
			}
			return h.blame(err)
		},
	})
}

// forget removes the note of a command that is over. Over a lost link nobody
// knows that: Clean finds the note later.
func (h *Host) forget(note string) {
	if h.link.lost() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), h.o.grace)
	defer cancel()
	if err := h.files.Remove(ctx, note); err != nil {
		h.o.Log.Warn("a note stays", slog.String("target", h.Target.Name), slog.String("path", note), slog.String("why", err.Error()))
	}
}

// touch renews the markers of what is in use.
func (h *Host) touch(ctx context.Context) {
	tick := time.NewTicker(touchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		h.mu.Lock()
		var hashes []string
		for hash := range h.held {
			hashes = append(hashes, hash)
		}
		h.mu.Unlock()
		for _, hash := range hashes {
			if err := h.mark(ctx, hash); err != nil && !errors.Is(err, fs.ErrClosed) {
				h.o.Log.Warn("a marker is not renewed", slog.String("target", h.Target.Name), slog.String("why", err.Error()))
			}
		}
	}
}
