package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
	"time"
)

// Put deploys a local file or folder and returns where it is on the target. It
// sends nothing that is there and whole already, goes on where an earlier Put was
// cut off, and returns only what was verified by hash on the target. progress may
// be nil; its figures are bytes, and what is there already counts as done.
func (h *Host) Put(ctx context.Context, localPath string, progress func(done, total int64)) (string, error) {
	src, err := h.o.Sums.open(localPath)
	if err != nil {
		return "", err
	}
	return h.put(ctx, src, progress)
}

// Release says that a deployed path is needed no more: it may go when the space
// is needed.
func (h *Host) Release(remotePath string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.held, path.Base(remotePath))
}

func (h *Host) put(ctx context.Context, src *source, progress func(done, total int64)) (string, error) {
	if progress == nil {
		progress = func(int64, int64) {}
	}
	h.mu.Lock()
	one := h.held[src.hash]
	if one == nil {
		one = &hold{}
		h.held[src.hash] = one
	}
	h.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	place := path.Join(h.facts.Cache, src.hash)
	if err := h.mark(ctx, src.hash); err != nil {
		return "", fmt.Errorf("deploying to %s: %w", h.Target.Name, err)
	}
	// The first look at an entry in this connection reads it whole: cards wear out.
	whole, err := h.whole(ctx, src, place, one.verified)
	if err != nil {
		return "", fmt.Errorf("deploying to %s: %w", h.Target.Name, err)
	}
	if !whole {
		one.verified = false
		if err := h.send(ctx, src, place, progress); err != nil {
			return "", fmt.Errorf("deploying to %s: %w", h.Target.Name, err)
		}
	}
	one.verified = true
	progress(src.bytes, src.bytes)
	return place, nil
}

// mark writes the marker whose time says that an entry is in use.
func (h *Host) mark(ctx context.Context, hash string) error {
	now := time.Now().UTC().Format(time.RFC3339)
	return h.files.Write(ctx, path.Join(h.facts.Cache, hash+"."+h.o.owner+".use"), 0, strings.NewReader(now+"\n"))
}

// sizes lists the files below a place by their name below it, "" for a file.
func (h *Host) sizes(ctx context.Context, src *source, place string) (map[string]entry, error) {
	all := map[string]entry{}
	if !src.dir {
		entries, err := h.files.List(ctx, path.Dir(place))
		for _, e := range entries {
			if e.Name == path.Base(place) {
				all[""] = e
			}
		}
		return all, err
	}
	seen := map[string]bool{}
	for _, f := range src.files {
		dir := path.Dir(f.name)
		if seen[dir] {
			continue
		}
		seen[dir] = true
		entries, err := h.files.List(ctx, path.Join(place, dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			all[path.Join(dir, e.Name)] = e
		}
	}
	return all, nil
}

// whole says whether an entry is there with every byte. A damaged one is removed.
func (h *Host) whole(ctx context.Context, src *source, place string, verified bool) (bool, error) {
	have, err := h.sizes(ctx, src, place)
	if err != nil || len(have) == 0 {
		return false, err
	}
	good := true
	for _, f := range src.files {
		e, ok := have[f.name]
		good = good && ok && !e.Dir && e.SizeBytes == f.size
	}
	if good && !verified {
		if good, err = h.verify(ctx, src, place); err != nil {
			return false, err
		}
	}
	if good {
		return true, nil
	}
	h.o.Log.Warn("a deployed entry is damaged and is sent again", slog.String("target", h.Target.Name), slog.String("path", place))
	return false, h.files.Remove(ctx, place)
}

// rewind is how far an upload goes back before it goes on: requests under way
// when the link went may have left holes that far from the end.
const rewind = 4 << 20

// send uploads to a partial entry, verifies it and puts it into place.
func (h *Host) send(ctx context.Context, src *source, place string, progress func(done, total int64)) error {
	part := place + "." + h.o.owner + ".part"
	if err := h.adopt(ctx, src, part); err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		have, err := h.sizes(ctx, src, part)
		if err != nil {
			return err
		}
		var there int64
		for _, f := range src.files {
			e, ok := have[f.name]
			if ok && (e.Dir || e.SizeBytes > f.size) {
				// None that an upload of this began.
				if err := h.files.Remove(ctx, part); err != nil {
					return err
				}
				have, there = nil, 0
				break
			}
			there += e.SizeBytes
		}
		if err := h.room(ctx, src, there); err != nil {
			return err
		}
		done := int64(0)
		for _, f := range src.files {
			from := have[f.name].SizeBytes
			if from < f.size {
				from = max(0, from-rewind)
			}
			if err := h.sendFile(ctx, f, path.Join(part, f.name), from, func(n int64) { progress(done+n, src.bytes) }); err != nil {
				return err
			}
			done += f.size
		}
		good, err := h.verify(ctx, src, part)
		if err != nil {
			return err
		}
		if good {
			break
		}
		if err := h.files.Remove(ctx, part); err != nil {
			return err
		}
		// What was gone on with may have been bad; what was sent whole may not.
		if there == 0 || attempt > 0 {
			return targetFault("its storage or its memory is failing, or somebody writes there",
				"%s was sent and has another hash on the target", src.hash[:12])
		}
	}
	mode := fs.FileMode(0o755)
	if !src.dir {
		mode = src.files[0].mode
	}
	return h.files.Move(ctx, part, place, mode)
}

// adopt takes over the partial entry of a dead process of this machine.
func (h *Host) adopt(ctx context.Context, src *source, part string) error {
	entries, err := h.files.List(ctx, h.facts.Cache)
	if err != nil {
		return err
	}
	for _, e := range entries {
		n, ok := parseName(e.Name)
		if !ok || n.kind != "part" || n.hash != src.hash {
			continue
		}
		if n.owner == h.o.owner {
			return nil
		}
		if dead(n.owner, h.o.owner) {
			return h.files.Move(ctx, path.Join(h.facts.Cache, e.Name), part, 0)
		}
	}
	return nil
}

// sendFile sends the rest of one file.
func (h *Host) sendFile(ctx context.Context, f sourceFile, to string, from int64, progress func(int64)) error {
	local, err := os.Open(f.path)
	if err != nil {
		return harnessFault("", "deploying: %w", err)
	}
	defer local.Close()
	info, err := local.Stat()
	if err != nil {
		return harnessFault("", "deploying: %w", err)
	}
	if stampOf(info) != f.stamp {
		return harnessFault("wait until it is written, and deploy again", "%s: %w", f.path, errChanged)
	}
	progress(from)
	if from == f.size && f.size > 0 {
		return nil
	}
	if _, err := local.Seek(from, io.SeekStart); err != nil {
		return harnessFault("", "deploying: %w", err)
	}
	r := &told{r: io.LimitReader(local, f.size-from), ctx: ctx, at: from, tell: progress}
	if err := h.files.Write(ctx, to, from, r); err != nil {
		return err
	}
	if f.mode != 0o644 && f.name != "" {
		return h.files.Move(ctx, to, to, f.mode)
	}
	return nil
}

// told reads and tells how far it is; it ends with its context.
type told struct {
	r    io.Reader
	ctx  context.Context
	at   int64
	tell func(int64)
}

func (t *told) Read(b []byte) (int, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := t.r.Read(b)
	t.at += int64(n)
	t.tell(t.at)
	return n, err
}
