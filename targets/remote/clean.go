package remote

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"
)

// reapScript ends the processes of notes. A process counts as the noted one only
// when boot and start time (field 22 of stat, the 20th after the name) agree: the
// number alone may be another's by now.
const reapScript = `now=-; read -r now < /proc/sys/kernel/random/boot_id
start() { [ $# -lt 20 ] || { shift 19; echo "$1"; } }
for f in "$@"; do
  [ -f "$f" ] || continue
  pid= boot= was= is=
  { read -r pid; read -r boot; read -r was; } < "$f"
  case $pid in ''|*[!0-9]*|0|1) rm -f "$f"; continue ;; esac
  if [ "$boot" = "$now" ] && read -r is 2>/dev/null < "/proc/$pid/stat"; then
    set -f
    was=${was##*)}; is=${is##*)}
    if [ "$(start $was)" = "$(start $is)" ]; then
      kill -KILL "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null
    fi
  fi
  rm -f "$f"
done
exit 0`

// reap ends the process of one note.
func (h *Host) reap(ctx context.Context, notes ...string) error {
	_, err := h.Output(ctx, append([]string{"sh", "-c", reapScript, "harness"}, notes...))
	return err
}

// Clean ends what this machine's harness left on the target: processes whose
// controller is dead or is this one, their notes, and partial entries. What other
// machines do there stays. Deployed entries stay for the next time.
func (h *Host) Clean(ctx context.Context) error {
	run := path.Join(h.facts.Cache, runFolder)
	entries, err := h.files.List(ctx, run)
	if err != nil {
		return fmt.Errorf("cleaning %s: %w", h.Target.Name, err)
	}
	var notes []string
	for _, e := range entries {
		if m := pidLike.FindStringSubmatch(e.Name); m != nil && h.ours(m[1]) {
			notes = append(notes, path.Join(run, e.Name))
		}
	}
	if len(notes) > 0 {
		err = h.reap(ctx, notes...)
	}
	listing, listErr := h.files.List(ctx, h.facts.Cache)
	err = errors.Join(err, listErr)
	for _, name := range h.litter(listing) {
		err = errors.Join(err, h.files.Remove(ctx, path.Join(h.facts.Cache, name)))
	}
	if err != nil {
		return fmt.Errorf("cleaning %s: %w", h.Target.Name, err)
	}
	return nil
}

// litter lists the partial entries of this machine, and the markers that tell
// nothing: of processes that are gone, beside a later one or without an entry. Every
// run leaves some; in a year of nights they would be more than a folder may list.
func (h *Host) litter(listing []entry) []string {
	latest := map[string]entry{}
	var now time.Time // on the target's clock
	for _, e := range listing {
		if e.Modified.After(now) {
			now = e.Modified
		}
		if n, ok := parseName(e.Name); ok && n.kind == "use" && !e.Modified.Before(latest[n.hash].Modified) {
			latest[n.hash] = e
		}
	}
	var out []string
	for _, e := range listing {
		n, ok := parseName(e.Name)
		if !ok {
			continue
		}
		gone := n.owner != h.o.owner && (dead(n.owner, h.o.owner) || now.Sub(e.Modified) > 24*staleAfter)
		switch {
		case n.kind == "part" && h.ours(n.owner):
			out = append(out, e.Name)
		case n.kind == "use" && gone && (latest[n.hash].Name != e.Name || !has(listing, n.hash) && !h.holds(n.hash)):
			out = append(out, e.Name)
		}
	}
	return out
}

// ours says that an owner is this process or a dead one of this machine.
func (h *Host) ours(owner string) bool { return owner == h.o.owner || dead(owner, h.o.owner) }

func has(listing []entry, name string) bool {
	for _, e := range listing {
		if e.Name == name {
			return true
		}
	}
	return false
}
