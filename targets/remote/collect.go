package remote

import (
	"context"
	"errors"
	"log/slog"
	"path"
	"slices"
	"time"
)

// spare is what deployment leaves free on a target's disk.
const spare = 64 << 20

// room makes sure that an upload fits: old entries go when they take more than
// their limit or when the space is needed.
func (h *Host) room(ctx context.Context, src *source, there int64) error {
	need := src.bytes - there
	free, err := h.free(ctx)
	if err != nil {
		return err
	}
	removed, err := h.collect(ctx, src.hash, max(0, need+spare-free), src.bytes)
	if err != nil {
		return err
	}
	if removed > 0 {
		if free, err = h.free(ctx); err != nil {
			return err
		}
	}
	if need+spare > free {
		return targetFault("make room, or set cache_dir to a folder on another disk",
			"%s needs %s and %s to spare, %s has %s", h.facts.Cache, describe(need), describe(spare), h.Target.Name, describe(free))
	}
	return nil
}

func (h *Host) free(ctx context.Context) (int64, error) {
	n, err := h.files.Free(ctx, h.facts.Cache)
	if errors.Is(err, errNoStatVFS) {
		return (&shellFiles{h.Target.Name, h.link}).Free(ctx, h.facts.Cache)
	}
	return n, err
}

// stored is one entry of the cache.
type stored struct {
	hash  string
	size  int64
	used  time.Time // on the target's clock
	names []string  // of its markers
	inUse bool
}

// collect removes the entries used longest ago until need bytes more are free and
// the rest, with coming bytes, keeps to the limit. Entries in use stay, and so
// does everything that is not ours: only what has a marker counts.
func (h *Host) collect(ctx context.Context, keep string, need, coming int64) (removed int, err error) {
	listing, err := h.files.List(ctx, h.facts.Cache)
	if err != nil {
		return 0, err
	}
	remove := func(names ...string) error {
		for _, name := range names {
			if err := h.files.Remove(ctx, path.Join(h.facts.Cache, name)); err != nil {
				return err
			}
			removed++
		}
		return nil
	}
	all, stale := h.entries(listing)
	if err := remove(stale...); err != nil {
		return removed, err
	}
	total := coming
	for i := range all {
		if all[i].hash == keep {
			all[i].inUse, all[i].size = true, 0
		}
		if all[i].size < 0 {
			budget := maxEntries
			if all[i].size, err = h.folderSize(ctx, path.Join(h.facts.Cache, all[i].hash), 0, &budget); err != nil {
				return removed, err
			}
		}
		total += all[i].size
	}
	slices.SortFunc(all, func(a, b stored) int { return a.used.Compare(b.used) })
	for _, e := range all {
		if need <= 0 && total <= h.o.CacheBytes {
			break
		}
		if e.inUse {
			continue
		}
		h.o.Log.Info("removing an old entry", slog.String("target", h.Target.Name), slog.String("hash", e.hash), slog.Int64("size_bytes", e.size))
		if err := remove(append([]string{e.hash}, e.names...)...); err != nil {
			return removed, err
		}
		need, total = need-e.size, total-e.size
	}
	return removed, nil
}

// entries sorts a listing into marked entries and partial ones that nobody will
// go on with. Ages are taken on the target's own clock, against its newest file.
func (h *Host) entries(listing []entry) (all []stored, stale []string) {
	var now time.Time
	for _, e := range listing {
		if e.Modified.After(now) {
			now = e.Modified
		}
	}
	byHash := map[string]*stored{}
	for _, e := range listing {
		n, ok := parseName(e.Name)
		if !ok || n.kind != "use" {
			continue
		}
		s := byHash[n.hash]
		if s == nil {
			s = &stored{hash: n.hash}
			byHash[n.hash] = s
		}
		s.names = append(s.names, e.Name)
		if e.Modified.After(s.used) {
			s.used = e.Modified
		}
		switch {
		case n.owner == h.o.owner:
			s.inUse = s.inUse || h.holds(n.hash)
		case !dead(n.owner, h.o.owner) && now.Sub(e.Modified) < staleAfter:
			s.inUse = true
		}
	}
	for _, e := range listing {
		n, ok := parseName(e.Name)
		switch {
		case !ok:
		case n.kind == "" && byHash[n.hash] != nil:
			byHash[n.hash].size = e.SizeBytes
			if e.Dir {
				byHash[n.hash].size = -1
			}
		case n.kind == "part" && n.owner != h.o.owner && (dead(n.owner, h.o.owner) || now.Sub(e.Modified) > 24*staleAfter):
			stale = append(stale, e.Name)
		}
	}
	for _, s := range byHash {
		all = append(all, *s)
	}
	return all, stale
}

func (h *Host) holds(hash string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held[hash] != nil
}

// maxDepth bounds how deep a folder is followed.
const maxDepth = 8

// folderSize adds up a folder; budget bounds how many files a target may claim.
func (h *Host) folderSize(ctx context.Context, dir string, depth int, budget *int) (int64, error) {
	entries, err := h.files.List(ctx, dir)
	if err != nil || depth > maxDepth {
		return 0, err
	}
	var sum int64
	for _, e := range entries {
		if *budget--; *budget < 0 {
			return 0, targetFault("remove what is not the harness's", "%s on %s holds more than %d files", dir, h.Target.Name, maxEntries)
		}
		n := e.SizeBytes
		if e.Dir {
			if n, err = h.folderSize(ctx, path.Join(dir, e.Name), depth+1, budget); err != nil {
				return 0, err
			}
		}
		sum += n
	}
	return sum, nil
}
