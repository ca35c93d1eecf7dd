package gate

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/sweep"
)

// A baseline that is read as another one lets a regression through.
func TestParseBaseline(t *testing.T) {
	for text, want := range map[string]Baseline{
		"run:20261127-020000-ab12": {Run: "20261127-020000-ab12"},
		"run:last":                 {Run: "last"},
		"main":                     {Tag: "main"},
		"main~7d":                  {Tag: "main", Window: 7 * day},
		"release/1.2~36h":          {Tag: "release/1.2", Window: 36 * time.Hour},
		"main~2w":                  {Tag: "main", Window: 14 * day},
	} {
		got, err := ParseBaseline(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{"", "run:", "run:a b", "main~", "main~7", "main~0d", "main~-1d", "main~7x", "main~99999w", "main~1d~2d", "~7d", "a\nb", strings.Repeat("x", 200)} {
		if b, err := ParseBaseline(text); err == nil {
			t.Errorf("%q was read as %v", text, b)
		}
	}
}

func FuzzParseBaseline(f *testing.F) {
	for _, text := range []string{"run:last", "main~7d", "a/b~24h", "~", "main~1e9d"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ParseBaseline(text)
		if err != nil {
			return
		}
		again, err := ParseBaseline(b.String())
		if err != nil || again != b {
			t.Errorf("%q is %v, which is read as %v, %v", text, b, again, err)
		}
	})
}

func TestParseCell(t *testing.T) {
	a, target, err := ParseCell("8b-r0.5-p0-t0.25-n16-c2@pi5")
	want := sweep.Axes{Bits: 8, RankRatio: 0.5, Threshold: 0.25, Batch: 16, Threads: 2}
	if err != nil || a != want || target != "pi5" {
		t.Errorf("%+v on %s, %v", a, target, err)
	}
	for _, text := range []string{"", "8b", "8b-r1-p0-t0-n16", "8b-r1-p0-t0-n16-c2-x", "8-r1-p0-t0-n16-c2", "8b-r1-p0-t0-n1.5-c2", "8b-rNaN-p0-t0-n1-c2", "8b-r1-p0-t0-n1-c2@", "8b-r01-p0-t0-n1-c2", "8b-r1-p0-t0-n1e300-c2"} {
		if a, _, err := ParseCell(text); err == nil {
			t.Errorf("%q was read as %+v", text, a)
		}
	}
}

func FuzzParseCell(f *testing.F) {
	f.Add("8b-r0.5-p0-t0.25-n16-c2@pi5")
	f.Add("16b-r1-p0-t0-n1-c0")
	f.Fuzz(func(t *testing.T, text string) {
		if a, target, err := ParseCell(text); err == nil && sweep.CellID(target, a) != strings.TrimSuffix(text, "@"+sweep.Local) {
			t.Errorf("%q is %s", text, sweep.CellID(target, a))
		}
	})
}

func TestParseContenders(t *testing.T) {
	for _, c := range []struct {
		a, b string
		must bool
		live bool
		err  string
	}{
		{"last", "20261127", false, false, ""},
		{"last", "20261127", true, true, "is none of"},
		{"commit:a", "commit:b~1", false, true, ""},
		{"commit:a", "last", false, true, `"last" is none of`},
		{"commit:a", "model:b", false, true, "differ in kind"},
		{"model:", "model:b", false, true, "says nothing"},
		{"recipe:a.yaml", "recipe:b.yaml", true, true, ""},
	} {
		pair, live, err := ParseContenders(c.a, c.b, c.must)
		if live != c.live || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s %s: live %v, %v", c.a, c.b, live, err)
		}
		if err == nil && live && (pair[0].String() != c.a || pair[1].String() != c.b) {
			t.Errorf("%s %s were read as %v", c.a, c.b, pair)
		}
	}
}

// A night that starts at another time than was meant measures a busy machine.
func TestSchedule(t *testing.T) {
	from := time.Date(2026, 11, 28, 3, 30, 45, 0, time.UTC) // a Saturday
	for text, want := range map[string]string{
		"0 2 * * *":         "2026-11-29 02:00",
		"31 3 * * *":        "2026-11-28 03:31",
		"*/15 * * * *":      "2026-11-28 03:45",
		"0 2 * * 1-5":       "2026-11-30 02:00",
		"0 2 * * 7":         "2026-11-29 02:00",
		"0 0 29 2 *":        "2028-02-29 00:00",
		"0 2 1 * 1":         "2026-11-30 02:00", // the first, or a Monday
		"5,10 4-6/2 * 12 *": "2026-12-01 04:05",
	} {
		s, err := ParseSchedule(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := s.Next(from).Format("2006-01-02 15:04"); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "0 2 * *", "0 2 * * * *", "60 2 * * *", "0 24 * * *", "0 2 0 * *", "0 2 * 13 *", "0 2 * * 8", "5-1 * * * *", "*/0 * * * *", "a * * * *", "0 0 31 2 *", "+1 * * * *", ", * * * *"} {
		if _, err := ParseSchedule(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, text := range []string{"0 2 * * *", "*/15 1-5 * * 1,3", "0 0 29 2 *"} {
		f.Add(text)
	}
	from := time.Date(2026, 11, 28, 3, 30, 45, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSchedule(text); err == nil && !s.Next(from).After(from) {
			t.Errorf("%q is not due after now", text)
		}
	})
}

const plan = `
sweep: {bits: [8, 4], repeats: 10}
branch: main
gate: {baseline: main~7d, margin: 2, metrics: [latency_ms_p50], live: true}
files: {junit: gate.xml}
notify:
  on: always
  webhook: https://example.org/hook
  email: {server: "smtp.example.org:587", from: a@example.org, to: [b@example.org]}
`

func TestParsePlan(t *testing.T) {
	p, err := ParsePlan([]byte(plan))
	if err != nil {
		t.Fatal(err)
	}
	if p.Gate.MarginPct != 2 || p.Files.Report != "report.html" || p.Notify.Email.To[0] != "b@example.org" || p.Keep != 90*day {
		t.Errorf("%+v", p)
	}
	if recipe, err := p.Recipe(); err != nil || !strings.Contains(string(recipe), "repeats: 10") {
		t.Errorf("the sweep's part is %s, %v", recipe, err)
	}
	for text, want := range map[string]string{
		"nightly: 1":                 "nightly",
		"gate: {margin: -1}":         "margin of -1",
		"gate: {baseline: 'main~7'}": "gate.baseline",
		"gate: {metrics: [latency]}": "gate.metrics",
		"branch: 'a b'":              "branch",
		"branch: '../x'":             "branch",
		"store: ''":                  "store",
		"keep: 1h":                   "keep",
		"budget: -1s":                "budget",
		"notify: {on: never}":        "notify.on",
		"notify: {webhook: 'file:///etc/passwd'}":                                 "notify.webhook",
		"notify: {webhook: 'https://u:secret@host/x'}":                            "HARNESS_WEBHOOK",
		"notify: {email: {server: x, from: a@b, to: [c@d]}}":                      "server",
		"notify: {email: {server: 'x:25', from: a@b, to: []}}":                    "to: 0",
		"notify: {email: {server: 'x:25', from: a@b, password: x}}":               "password",
		"notify: {email: {server: 'x:25', from: \"a\\r\\nBcc: x@y\", to: [c@d]}}": "from",
		"files: [":                     "",
		strings.Repeat("#", maxPlan+1): "longer than",
	} {
		_, err := ParsePlan([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want one that says %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("a secret is told: %v", err)
		}
	}
}

func FuzzParsePlan(f *testing.F) {
	f.Add([]byte(plan))
	f.Add([]byte("sweep: {a: &x [1, *x]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := ParsePlan(text); err == nil {
			if err := p.Validate(); err != nil {
				t.Errorf("a plan that is read is refused: %v", err)
			}
		}
	})
}
