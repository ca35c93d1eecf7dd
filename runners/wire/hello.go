package wire

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Hello is the first line of each side.
type Hello struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Tier     string `json:"tier,omitempty"` // the runner's kernel tier
	CPU      string `json:"cpu,omitempty"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	PID      int    `json:"pid"`
}

// release is set by the linker in release builds (-X).
var release string

// Build returns the version and the commit of this program: the linker's, else
// what the Go toolchain stamped. A dirty tree is marked in the commit.
func Build() (version, commit string) {
	version = release
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return orDevel(version), ""
	}
	if version == "" && info.Main.Version != "(devel)" {
		version = info.Main.Version
	}
	dirty := false
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			dirty = s.Value == "true"
		}
	}
	if commit != "" && dirty {
		commit += "-dirty"
	}
	return orDevel(version), commit
}

func orDevel(version string) string {
	if version == "" {
		return "devel"
	}
	return version
}

// NewHello describes this process. The caller adds tier and CPU where it knows them.
func NewHello(pid int) Hello {
	version, commit := Build()
	return Hello{
		Protocol: Protocol, Version: version, Commit: commit,
		OS: runtime.GOOS, Arch: runtime.GOARCH, PID: pid,
	}
}

// Check returns a harness error unless the other side speaks the same protocol
// and was built from the same version and commit.
func (h Hello) Check(other Hello) error {
	const mend = "deploy the runner of this harness again"
	if h.Protocol != other.Protocol {
		return &Error{Kind: Harness, Text: fmt.Sprintf("protocol %d meets protocol %d", h.Protocol, other.Protocol), Mend: mend}
	}
	if h.Version != other.Version || h.Commit != other.Commit {
		return &Error{Kind: Harness, Text: fmt.Sprintf("version %s meets version %s", h.build(), other.build()), Mend: mend, cause: &OtherBuild{other}}
	}
	return nil
}

func (h Hello) build() string {
	if h.Commit == "" {
		return h.Version
	}
	return h.Version + " (" + h.Commit + ")"
}
