// Package bundle reads and writes evidence bundles: one archive that holds
// everything behind the figures of a run, to be given away, kept and recomputed
// without the store it came from.
//
// A bundle is a plain tar archive (ustar) of JSON files, in this order:
//
//	run.json            what ran, when, by which version
//	plan.json           the plan as it was stored
//	environment.json    the machine of each target
//	cells.json, artefacts.json, qualities.json, events.json
//	trials/000001.json  a trial with its raw samples by columns, one file each
//	rows.jsonl          the figures that were published, as tidy rows
//	summary.json        the report's other figures
//	manifest.json       format, version, and size and SHA-256 of every file above
//	manifest.sha256     SHA-256 of manifest.json, as sha256sum prints it
//
// The same run gives the same bytes: headers carry no time, owner or padding but
// zeros, and nothing is compressed (any compressor may be put around it). Reading
// checks every byte of the archive against that.
package bundle

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// What a manifest says of itself.
const (
	Format  = "harness-bundle"
	Version = 1
)

// Names of the files.
const (
	runFile         = "run.json"
	planFile        = "plan.json"
	environmentFile = "environment.json"
	cellsFile       = "cells.json"
	artefactsFile   = "artefacts.json"
	qualitiesFile   = "qualities.json"
	eventsFile      = "events.json"
	rowsFile        = "rows.jsonl"
	summaryFile     = "summary.json"
	manifestFile    = "manifest.json"
	sumFile         = "manifest.sha256"
)

var (
	before    = []string{runFile, planFile, environmentFile, cellsFile, artefactsFile, qualitiesFile, eventsFile}
	after     = []string{rowsFile, summaryFile, manifestFile, sumFile}
	trialName = regexp.MustCompile(`^trials/[0-9]{6,7}\.json$`)
)

func trialFile(number int) string { return fmt.Sprintf("trials/%06d.json", number) }

// known says whether a bundle of this version has a file of that name.
func known(name string) bool {
	return slices.Contains(before, name) || slices.Contains(after, name) || trialName.MatchString(name)
}

// Manifest lists what is in a bundle.
type Manifest struct {
	Format      string `json:"format"`
	Version     int    `json:"version"`
	Run         string `json:"run"`
	ToolVersion string `json:"tool_version"` // of the harness that wrote it
	Commit      string `json:"commit"`
	// Rules numbers how figures are computed from samples, see sweep.Rules, and
	// Arch is the processor (GOARCH) that computed them: another rounds the last
	// bits of an exponential otherwise.
	Rules   int      `json:"rules"`
	Arch    string   `json:"arch"`
	Members []Member `json:"members"` // in the archive's order, but for the manifest and its sum
}

// Member is a file of a bundle.
type Member struct {
	Name      string `json:"name"`
	SizeBytes int64  `json:"size"`
	SHA256    string `json:"sha256"`
}

// DamageError says where a bundle is not what was written.
type DamageError struct {
	Member string // empty = between files
	Offset int64  // of the archive's byte; -1 = somewhere in Member
	What   string
}

func (e *DamageError) Error() string {
	text := "bundle is damaged"
	if e.Member != "" {
		text += " in " + e.Member
	}
	if e.Offset >= 0 {
		text += fmt.Sprintf(" at byte %d", e.Offset)
	}
	return text + ": " + e.What
}

// header is that of a file; nothing else in an archive varies.
func header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, Format: tar.FormatUSTAR}
}

// encode writes a value as a file's JSON.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}
