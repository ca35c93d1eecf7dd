package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path"
	"strings"
)

// hashesAtOnce bounds the arguments of one sha256sum.
const hashesAtOnce = 100

// verify compares every file on the target with its hash, read on the target.
func (h *Host) verify(ctx context.Context, src *source, place string) (bool, error) {
	for at := 0; at < len(src.files); at += hashesAtOnce {
		some := src.files[at:min(at+hashesAtOnce, len(src.files))]
		var paths []string
		for _, f := range some {
			paths = append(paths, path.Join(place, f.name))
		}
		got, err := h.hashes(ctx, paths, some)
		if err != nil {
			return false, err
		}
		for i, f := range some {
			if got[i] != f.hash {
				return false, nil
			}
		}
	}
	return true, nil
}

// hashes has the target hash its files, or reads them back where it cannot, and no
// more of each than was sent.
func (h *Host) hashes(ctx context.Context, paths []string, sent []sourceFile) ([]string, error) {
	if h.facts.Hashes {
		out, err := h.Output(ctx, append([]string{"sha256sum"}, paths...))
		if err != nil {
			return nil, err
		}
		return parseHashes(string(out), len(paths))
	}
	var all []string
	for i, p := range paths {
		c, err := h.link.start(ctx, []string{"cat", p}, hooks{})
		if err != nil {
			return nil, err
		}
		c.Stdin.Close()
		sum := sha256.New()
		n, readErr := io.Copy(sum, io.LimitReader(c.Stdout, sent[i].size+1))
		if n > sent[i].size {
			c.Kill()
			c.Wait() //nolint:errcheck // the length is the news
			all = append(all, "longer than what was sent")
			continue
		}
		if err := c.Wait(); err != nil {
			return nil, h.blame(err)
		}
		if readErr != nil {
			return nil, targetFault("", "reading %s back: %w", p, readErr)
		}
		all = append(all, hex.EncodeToString(sum.Sum(nil)))
	}
	return all, nil
}

// parseHashes reads the output of sha256sum for n files, in their order.
func parseHashes(out string, n int) ([]string, error) {
	var all []string
	for line := range strings.Lines(out) {
		// A backslash begins a line whose name is escaped.
		hash, _, _ := strings.Cut(strings.TrimPrefix(line, `\`), " ")
		raw, err := hex.DecodeString(strings.TrimSpace(hash))
		if err != nil || len(raw) != sha256.Size {
			return nil, targetFault("", "sha256sum says %s", short(line))
		}
		all = append(all, strings.ToLower(strings.TrimSpace(hash)))
	}
	if len(all) != n {
		return nil, targetFault("", "sha256sum gives %d hashes for %d files", len(all), n)
	}
	return all, nil
}
