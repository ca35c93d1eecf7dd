package bundle

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/reports/stat"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// Contents is a run but for its trials. Passwords and paths of the machine that
// it was made on are not in it.
type Contents struct {
	Run          store.Run
	Environments map[string]wire.Environment // by target
	Cells        []store.Cell
	Artefacts    []store.Artefact
	Qualities    []store.Quality
	Events       []store.Event
}

// Writer writes a bundle: New, a Trial each, Close.
type Writer struct {
	tar      *tar.Writer
	manifest Manifest
	trials   int
}

// New begins a bundle with what a run has but trials. m says which tool wrote it.
func New(w io.Writer, m Manifest, c Contents) (*Writer, error) {
	b := &Writer{tar: tar.NewWriter(w), manifest: m}
	b.manifest.Format, b.manifest.Version, b.manifest.Run, b.manifest.Members = Format, Version, c.Run.ID, nil
	for _, f := range []struct {
		name string
		v    any
	}{
		{runFile, runOf(c.Run)},
		{planFile, c.Run.Plan},
		{environmentFile, c.Environments},
		{cellsFile, each(c.Cells, cellOf)},
		{artefactsFile, each(c.Artefacts, artefactOf)},
		{qualitiesFile, each(c.Qualities, qualityOf)},
		{eventsFile, each(c.Events, eventOf)},
	} {
		if err := b.json(f.name, f.v); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Trial adds a trial with its samples.
func (b *Writer) Trial(t store.Trial) error {
	b.trials++
	return b.json(trialFile(b.trials), trialOf(t))
}

// Close adds the figures that were published and ends the bundle. It does not
// close the writer below.
func (b *Writer) Close(rows []stat.Row, summary any) error {
	var lines []byte
	for _, r := range rows {
		line, err := encode(r)
		if err != nil {
			return fmt.Errorf("writing %s: %w", rowsFile, err)
		}
		lines = append(lines, line...)
	}
	if err := b.add(rowsFile, lines); err != nil {
		return err
	}
	if err := b.json(summaryFile, summary); err != nil {
		return err
	}
	manifest, err := json.MarshalIndent(b.manifest, "", " ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", manifestFile, err)
	}
	manifest = append(manifest, '\n')
	if err := b.add(manifestFile, manifest); err != nil {
		return err
	}
	if err := b.add(sumFile, sumLine(manifest)); err != nil {
		return err
	}
	if err := b.tar.Close(); err != nil {
		return fmt.Errorf("writing bundle: %w", err)
	}
	return nil
}

// sumLine is the manifest's sum as sha256sum prints it.
func sumLine(manifest []byte) []byte {
	return fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(manifest), manifestFile)
}

func (b *Writer) json(name string, v any) error {
	data, err := encode(v)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return b.add(name, data)
}

func (b *Writer) add(name string, data []byte) error {
	err := b.tar.WriteHeader(header(name, int64(len(data))))
	if err == nil {
		_, err = b.tar.Write(data)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	b.manifest.Members = append(b.manifest.Members, Member{name, int64(len(data)), hex.EncodeToString(sum[:])})
	return nil
}
