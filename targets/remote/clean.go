package remote

import (
	"context"
	"errors"
	"fmt"
	"path"
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
	for _, e := range listing {
		n, ok := parseName(e.Name)
		if ok && h.ours(n.owner) && (n.kind == "part" || n.kind == "use" && !h.holds(n.hash) && n.owner != h.o.owner && !has(listing, n.hash)) {
			err = errors.Join(err, h.files.Remove(ctx, path.Join(h.facts.Cache, e.Name)))
		}
	}
	if err != nil {
		return fmt.Errorf("cleaning %s: %w", h.Target.Name, err)
	}
	return nil
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
