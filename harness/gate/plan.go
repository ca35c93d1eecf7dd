package gate

import (
	"fmt"
	"net/mail"
	"net/url"
	"reflect"
	"regexp"
	"time"

	"github.com/goccy/go-yaml"
)

// Plan is a nightly plan. Paths are relative to the folder that the job runs in.
type Plan struct {
	// Sweep are the plan keys of harness sweep --recipe; it is read by the sweep.
	Sweep map[string]any `yaml:"sweep"`
	Store string         `yaml:"store"`
	// Branch names the line of runs: a night gets the tag BRANCH/RUN, one that regressed
	// BRANCH-bad/RUN, and the newest one that passed the tag BRANCH.
	Branch string        `yaml:"branch"`
	Budget time.Duration `yaml:"budget"`
	// Keep is how long a night keeps its tag, which keeps it from being pruned.
	Keep   time.Duration `yaml:"keep"`
	Gate   GatePlan      `yaml:"gate"`
	Files  FilesPlan     `yaml:"files"`
	Notify NotifyPlan    `yaml:"notify"`
}

// GatePlan says what a night is compared with.
type GatePlan struct {
	Baseline   string   `yaml:"baseline"`
	MarginPct  float64  `yaml:"margin"`
	FalseShare float64  `yaml:"false_share"`
	Metrics    []string `yaml:"metrics"`
	Strict     bool     `yaml:"strict"`
	Live       bool     `yaml:"live"`
	MaxSeries  int      `yaml:"max_series"`
	Repo       string   `yaml:"repo"`
}

// FilesPlan names the files that a night writes; "" = none.
type FilesPlan struct {
	Report   string `yaml:"report"`
	History  string `yaml:"history"`
	JUnit    string `yaml:"junit"`
	SARIF    string `yaml:"sarif"`
	Markdown string `yaml:"markdown"`
}

// NotifyPlan says who hears of a night.
type NotifyPlan struct {
	// On is always, or regression (also faults of the job itself).
	On      string        `yaml:"on"`
	Webhook string        `yaml:"webhook"`
	Email   *EmailPlan    `yaml:"email"`
	Timeout time.Duration `yaml:"timeout"`
}

// EmailPlan is where mail goes. User and password come from HARNESS_SMTP_USER and
// HARNESS_SMTP_PASSWORD, never from a file.
type EmailPlan struct {
	Server string   `yaml:"server"` // host:port
	From   string   `yaml:"from"`
	To     []string `yaml:"to"`
}

// When a night is told of.
const (
	NotifyAlways     = "always"
	NotifyRegression = "regression"
)

// maxPlan bounds a plan file in bytes.
const maxPlan = 1 << 20

var branchForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._/-]{0,59}$`)

// DefaultPlan is what a plan's missing keys are.
func DefaultPlan() Plan {
	p := DefaultPolicy()
	return Plan{
		Store: "harness.db", Branch: "main", Keep: 90 * day,
		Gate:   GatePlan{Baseline: "", MarginPct: p.MarginPct, FalseShare: p.FalseShare, MaxSeries: 4, Repo: "."},
		Files:  FilesPlan{Report: "report.html", History: "history.html", Markdown: "gate.md"},
		Notify: NotifyPlan{On: NotifyRegression, Timeout: 30 * time.Second},
	}
}

// ParsePlan reads a plan in YAML; an unknown key is an error with its line.
func ParsePlan(text []byte) (Plan, error) {
	p := DefaultPlan()
	if len(text) > maxPlan {
		return p, fmt.Errorf("plan of %d bytes: is longer than %d", len(text), maxPlan)
	}
	if err := yaml.UnmarshalWithOptions(text, &p, yaml.Strict()); err != nil {
		return p, err
	}
	if reflect.DeepEqual(p, Plan{}) {
		p = DefaultPlan() // an empty document empties what it is read into
	}
	if p.Gate.Baseline == "" {
		p.Gate.Baseline = p.Branch + "~7d"
	}
	return p, p.Validate()
}

// Recipe is the sweep's part as a recipe file.
func (p Plan) Recipe() ([]byte, error) {
	if len(p.Sweep) == 0 {
		return nil, nil
	}
	return yaml.Marshal(p.Sweep)
}

// Policy is the gate's.
func (p Plan) Policy() (Policy, error) {
	metrics, err := FindMetrics(p.Gate.Metrics)
	out := Policy{MarginPct: p.Gate.MarginPct, FalseShare: p.Gate.FalseShare, Metrics: metrics}
	if len(p.Gate.Metrics) == 0 {
		out.Metrics = nil
	}
	return out, err
}

// Validate refuses what would fail at the end of a night.
func (p Plan) Validate() error {
	if !branchForm.MatchString(p.Branch) {
		return fmt.Errorf("branch %.80q: must begin with a letter and have letters, digits and . _ / - only, at most 60", p.Branch)
	}
	policy, err := p.Policy()
	if err != nil {
		return fmt.Errorf("gate.metrics: %w", err)
	}
	if err := policy.Validate(); err != nil {
		return fmt.Errorf("gate: %w", err)
	}
	if _, err := ParseBaseline(p.Gate.Baseline); err != nil {
		return fmt.Errorf("gate.baseline: %w", err)
	}
	switch {
	case p.Store == "":
		return fmt.Errorf("store: is empty; name a file, such as harness.db, or a postgres:// address")
	case p.Budget < 0:
		return fmt.Errorf("budget %v: must be 0 (none) or more, such as 2h", p.Budget)
	case p.Keep < day:
		return fmt.Errorf("keep %v: must be 24h or more: a night is compared with those before it", p.Keep)
	case p.Gate.MaxSeries < 1:
		return fmt.Errorf("gate.max_series %d: must be 1 or more", p.Gate.MaxSeries)
	case p.Notify.On != NotifyAlways && p.Notify.On != NotifyRegression:
		return fmt.Errorf("notify.on %.40q: must be %s or %s", p.Notify.On, NotifyAlways, NotifyRegression)
	case p.Notify.Timeout <= 0 || p.Notify.Timeout > 10*time.Minute:
		return fmt.Errorf("notify.timeout %v: must be above 0s and at most 10m", p.Notify.Timeout)
	}
	return p.Notify.validate()
}

func (n NotifyPlan) validate() error {
	if n.Webhook != "" {
		u, err := url.Parse(n.Webhook)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return fmt.Errorf("notify.webhook: must be an https:// or http:// address")
		}
		if u.User != nil {
			return fmt.Errorf("notify.webhook: has a user or password in it; put the whole address into HARNESS_WEBHOOK instead")
		}
	}
	e := n.Email
	if e == nil {
		return nil
	}
	if _, _, err := hostPort(e.Server); err != nil {
		return fmt.Errorf("notify.email.server %.80q: must be host:port, such as smtp.example.org:587", e.Server)
	}
	if _, err := mail.ParseAddress(e.From); err != nil {
		return fmt.Errorf("notify.email.from %.80q: is no address: %w", e.From, err)
	}
	if len(e.To) == 0 || len(e.To) > 100 {
		return fmt.Errorf("notify.email.to: %d addresses; name 1 to 100", len(e.To))
	}
	for _, to := range e.To {
		if _, err := mail.ParseAddress(to); err != nil {
			return fmt.Errorf("notify.email.to %.80q: is no address: %w", to, err)
		}
	}
	return nil
}
