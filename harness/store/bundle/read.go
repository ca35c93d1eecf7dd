package bundle

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// MaxMemberBytes is the size of one file that is read. The longest is a trial of
// some million samples.
const MaxMemberBytes = 1 << 30

// Bundle is an archive whose every byte was checked.
type Bundle struct {
	Manifest Manifest
	r        io.ReaderAt
	at       map[string]place
	trials   int
}

// headerBytes is the size of a file's header.
const headerBytes = 512

// place is where a file's content is.
type place struct{ offset, size int64 }

// Open reads an archive of size bytes and checks all of it: the files against the
// manifest, the manifest against its sum and everything between them against how
// bundles are written. Its errors are of kind *DamageError, or say that the
// bundle is of another version or no bundle at all. Nothing is unpacked.
func Open(r io.ReaderAt, size int64) (*Bundle, error) {
	b := &Bundle{r: r, at: map[string]place{}}
	members, err := b.walk(size)
	if err != nil {
		return nil, err
	}
	manifest, err := b.read(manifestFile)
	if err != nil {
		return nil, err
	}
	sum, err := b.read(sumFile)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(sum, sumLine(manifest)) {
		return nil, &DamageError{manifestFile, -1, "it does not match " + sumFile}
	}
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(manifest, &head); err != nil || head.Format != Format {
		return nil, fmt.Errorf("%s is not that of an evidence bundle", manifestFile)
	}
	if head.Version > Version || head.Version < 1 {
		return nil, fmt.Errorf("the bundle has version %d; this harness reads up to %d: update it", head.Version, Version)
	}
	if err := json.Unmarshal(manifest, &b.Manifest); err != nil {
		return nil, fmt.Errorf("reading %s: %w", manifestFile, err)
	}
	return b, b.compare(members)
}

// walk goes through the archive once, writes it again as bundles are written and
// compares the two byte for byte. It returns what it found but for the manifest.
func (b *Bundle) walk(size int64) ([]Member, error) {
	file := io.NewSectionReader(b.r, 0, size)
	in := tar.NewReader(file)
	same := &comparer{r: b.r, size: size, first: -1}
	out := tar.NewWriter(same)
	var members []Member
	last := ""
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if last == "" {
				return nil, fmt.Errorf("this is no evidence bundle, or its beginning is damaged: %w", err)
			}
			return nil, &DamageError{"", same.off, fmt.Sprintf("after %s: %v", last, err)}
		}
		switch {
		case h.Typeflag != tar.TypeReg || !known(h.Name):
			return nil, &DamageError{"", same.off, fmt.Sprintf("%.80q is no file of a bundle", h.Name)}
		case h.Size > size-same.off-headerBytes:
			return nil, &DamageError{h.Name, same.off, fmt.Sprintf("it says it has %d bytes, and the archive has %d left", h.Size, size-same.off-headerBytes)}
		case h.Size > MaxMemberBytes:
			return nil, &DamageError{h.Name, same.off, fmt.Sprintf("%d bytes are more than the %d that are read", h.Size, MaxMemberBytes)}
		}
		if _, twice := b.at[h.Name]; twice {
			return nil, &DamageError{h.Name, same.off, "it is there twice"}
		}
		if err := out.WriteHeader(header(h.Name, h.Size)); err != nil {
			return nil, &DamageError{h.Name, same.off, err.Error()}
		}
		b.at[h.Name] = place{same.off, h.Size}
		sum := sha256.New()
		if _, err := io.Copy(io.MultiWriter(sum, out), in); err != nil {
			return nil, &DamageError{h.Name, same.off, err.Error()}
		}
		if err := out.Flush(); err != nil {
			return nil, &DamageError{h.Name, same.off, err.Error()}
		}
		if same.first >= 0 {
			return nil, &DamageError{h.Name, same.first, "its header or padding is not as written"}
		}
		if h.Name != manifestFile && h.Name != sumFile {
			members = append(members, Member{h.Name, h.Size, hex.EncodeToString(sum.Sum(nil))})
		}
		last = h.Name
	}
	if last == "" {
		return nil, errors.New("this is no evidence bundle: there is no file in it")
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	if same.first < 0 && same.off != size {
		same.first = same.off
	}
	if same.first >= 0 {
		return nil, &DamageError{"", same.first, "the archive's end is not as written"}
	}
	return members, nil
}

// comparer is a writer that compares with what is there.
type comparer struct {
	r         io.ReaderAt
	size, off int64
	first     int64 // difference; -1 = none
	buf       []byte
}

func (c *comparer) Write(p []byte) (int, error) {
	if c.first < 0 {
		c.buf = append(c.buf[:0], p...)
		n, err := c.r.ReadAt(c.buf, c.off)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		for i := range p {
			if i >= n || c.buf[i] != p[i] {
				c.first = c.off + int64(i)
				break
			}
		}
	}
	c.off += int64(len(p))
	return len(p), nil
}

// compare checks what was found against the manifest, and counts the trials.
func (b *Bundle) compare(found []Member) error {
	listed := b.Manifest.Members
	for i, m := range found {
		if i >= len(listed) {
			return &DamageError{m.Name, -1, "the manifest does not list it"}
		}
		want := listed[i]
		switch {
		case m.Name != want.Name:
			return &DamageError{want.Name, -1, fmt.Sprintf("the archive has %s in its place", m.Name)}
		case m.SizeBytes != want.SizeBytes || m.SHA256 != want.SHA256:
			return &DamageError{m.Name, -1, fmt.Sprintf("it has %d bytes of SHA-256 %.12s…, written were %d of %.12s…", m.SizeBytes, m.SHA256, want.SizeBytes, want.SHA256)}
		}
	}
	if len(found) < len(listed) {
		return &DamageError{listed[len(found)].Name, -1, "it is missing"}
	}
	b.trials = len(found) - len(before) - 2
	for i, m := range found {
		want := ""
		switch {
		case i < len(before):
			want = before[i]
		case i < len(found)-2:
			want = trialFile(i - len(before) + 1)
		default:
			want = after[i-len(found)+2]
		}
		if m.Name != want || b.trials < 0 {
			return &DamageError{want, -1, fmt.Sprintf("the archive has %s in its place", m.Name)}
		}
	}
	if b.trials < 0 {
		return &DamageError{before[0], -1, "it is missing"}
	}
	return nil
}

func (b *Bundle) read(name string) ([]byte, error) {
	p, ok := b.at[name]
	if !ok {
		return nil, &DamageError{name, -1, "it is missing"}
	}
	data := make([]byte, p.size)
	if _, err := io.ReadFull(io.NewSectionReader(b.r, p.offset, p.size), data); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return data, nil
}

// decode reads a file's JSON.
func decode[T any](b *Bundle, name string) (v T, err error) {
	data, err := b.read(name)
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		return v, fmt.Errorf("reading %s: %w", name, err)
	}
	return v, nil
}

// list reads a file that is a list of records.
func list[A interface{ stored() (B, error) }, B any](b *Bundle, name string) ([]B, error) {
	from, err := decode[[]A](b, name)
	if err != nil {
		return nil, err
	}
	out := make([]B, len(from))
	for i, v := range from {
		if out[i], err = v.stored(); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	return out, nil
}

// Contents reads the run but for its trials.
func (b *Bundle) Contents() (c Contents, err error) {
	r, err := decode[run](b, runFile)
	if err != nil {
		return c, err
	}
	c.Run = r.stored()
	if c.Run.Plan, err = b.read(planFile); err != nil {
		return c, err
	}
	if c.Environments, err = decode[map[string]wire.Environment](b, environmentFile); err != nil {
		return c, err
	}
	if c.Cells, err = list[cell](b, cellsFile); err != nil {
		return c, err
	}
	if c.Artefacts, err = list[artefact](b, artefactsFile); err != nil {
		return c, err
	}
	if c.Qualities, err = list[quality](b, qualitiesFile); err != nil {
		return c, err
	}
	c.Events, err = list[event](b, eventsFile)
	return c, err
}

// Trials calls f with one trial after the other. Their ids count from 1.
func (b *Bundle) Trials(f func(store.Trial) error) error {
	for n := 1; n <= b.trials; n++ {
		from, err := decode[trial](b, trialFile(n))
		if err != nil {
			return err
		}
		t, err := from.stored()
		if err == nil {
			t.ID = int64(n)
			err = f(t)
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", trialFile(n), err)
		}
	}
	return nil
}

// Published reads the figures that were published: the tidy rows, and the others
// into summary.
func (b *Bundle) Published(summary any) (rows []stat.Row, err error) {
	data, err := b.read(rowsFile)
	if err != nil {
		return nil, err
	}
	for dec := json.NewDecoder(bytes.NewReader(data)); ; {
		var r stat.Row
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading %s, row %d: %w", rowsFile, len(rows)+1, err)
		}
		rows = append(rows, r)
	}
	data, err = b.read(summaryFile)
	if err == nil {
		err = json.Unmarshal(data, summary)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", summaryFile, err)
	}
	return rows, nil
}
