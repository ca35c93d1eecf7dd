package gate

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/seed-c6f48606/harness/reports/stat"
)

// junitSuite is the subset of JUnit's XML that CI systems read.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"timestamp,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure"`
	Skipped *junitMessage `xml:"skipped"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes a test case a finding: a regression is a failure, what cannot be told
// is skipped.
func (r *Result) JUnit(w io.Writer) error {
	s := junitSuite{
		Name: "harness gate " + r.Run, Tests: len(r.Findings), Failures: r.Count(stat.Regressed), Skipped: r.Count(stat.CannotTell),
		Time: r.Time.UTC().Format("2006-01-02T15:04:05"),
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		c := junitCase{Class: "harness." + f.Cell, Name: f.Metric}
		message := &junitMessage{Message: f.headline(), Text: f.Why()}
		switch f.Final() {
		case stat.Regressed:
			c.Failure = message
		case stat.CannotTell:
			c.Skipped = message
		default:
			c.Out = f.headline()
		}
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(s); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// headline is a finding in a line.
func (f *Finding) headline() string {
	change := f.Effect
	if f.Live != nil {
		change = f.Live.Change
	}
	return fmt.Sprintf("%s of %s %s: %s (%.4g to %.4g %s)", f.Metric, f.Cell, f.Final(), Percent(change), f.Before, f.After, f.Unit)
}

// The parts of SARIF 2.1.0 (OASIS) that code hosts show.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		Rule         string            `json:"ruleId"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
)

// SARIF writes regressions as errors and what cannot be told as notes. A regression
// whose kernel is known is placed in its package's folder, others at the root.
func (r *Result) SARIF(w io.Writer) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{Name: "harness gate", Rules: []sarifRule{
			{"regression", sarifText{"A metric is worse than its baseline"}}, {"cannot-tell", sarifText{"A metric cannot be told better or worse"}},
		}}},
		Results: []sarifResult{},
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		x := sarifResult{Rule: "regression", Level: "error", Fingerprints: map[string]string{"cellMetric/v1": f.Cell + " " + f.Metric}}
		switch f.Final() {
		case stat.Regressed:
		case stat.CannotTell:
			x.Rule, x.Level = "cannot-tell", "note"
		default:
			continue
		}
		x.Message.Text = f.headline()
		if why := f.Why(); why != "" {
			x.Message.Text += ". " + why
		}
		place := sarifLocation{Logical: []sarifLogical{{f.Cell}}}
		place.Physical.Artifact.URI = "go.mod"
		if f.Live != nil && f.Live.Cause != nil && f.Live.Cause.Kernel != nil {
			name := f.Live.Cause.Kernel.Name
			place.Logical = append(place.Logical, sarifLogical{name})
			if short := Short(name); short != name {
				place.Physical.Artifact.URI, _, _ = strings.Cut(short, ".")
			}
		}
		x.Locations = []sarifLocation{place}
		run.Results = append(run.Results, x)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

// Markdown writes what a reviewer should see.
func (r *Result) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "## Gate: %s\n\nRun `%s` of commit `%.10s`, %s.\n", r.word(), r.Run, orUnknown(r.Commit), cell(r.Line()))
	if since := r.Since(); since != "" && r.Count(stat.Regressed) > 0 {
		fmt.Fprintf(&b, "It came %s.\n", cell(since))
	}
	shown := false
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Final() == stat.Same {
			continue
		}
		if !shown {
			b.WriteString("\n| cell | metric | before | now | change | verdict | because |\n|---|---|--:|--:|--:|---|---|\n")
			shown = true
		}
		change := f.Effect
		if f.Live != nil {
			change = f.Live.Change
		}
		fmt.Fprintf(&b, "| %s | %s | %.4g %s | %.4g %s | %s | %s | %s |\n",
			cell(f.Cell), f.Metric, f.Before, f.Unit, f.After, f.Unit, Percent(change), f.Final(), cell(f.Why()))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "\n- %s", cell(n))
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// word is the result in a word or two.
func (r *Result) word() string {
	switch n := r.Count(stat.Regressed); {
	case n == 1:
		return "1 regression"
	case n > 1:
		return fmt.Sprintf("%d regressions", n)
	case r.Count(stat.CannotTell) > 0:
		return "no regression told"
	}
	return "no regression"
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// cell keeps text in its place in a Markdown table.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;", ">", "&gt;", "`", "'").Replace(s)
}
