package gate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-c6f48606/harness/reports/profile"
	"github.com/seed-c6f48606/harness/reports/stat"
)

func result() *Result {
	kernel := &profile.Change{Name: modulePath + "/kernels.wide", Assembly: true, BeforeNS: 100, AfterNS: 105, Share: 0.04, Z: 6}
	r := &Result{
		Run: "2026-02", Commit: "bbbbbbbbbbbbbb", Time: time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC), Baseline: "main~7d", Runs: []string{"2026-01"}, Base: "aaaaaaaaaaaaaa",
		Findings: []Finding{
			{Cell: "same|<b>", Metric: "model_bytes", Verdict: stat.Same},
			{Cell: "noisy|<b>`x`", Metric: "latency_ms_p50", Verdict: stat.CannotTell, Further: 12},
			{
				Cell: "slow", Metric: "latency_ms_p50", Unit: "ms", Less: true, Before: 10, After: 10.4, Verdict: stat.CannotTell, Effect: stat.Interval{Value: 3, Lo: -1, Hi: 7},
				Live: &Confirmed{Change: stat.Interval{Value: 4, Lo: 3, Hi: 5}, Outcome: stat.Regressed, Blocks: 9, Cause: &Cause{Kernel: kernel, Trials: 8}},
			},
		},
		Notes: []string{"a note"},
	}
	r.Sort()
	return r
}

// CI systems read these files by their schema; a regression that is not a failure
// there is not seen.
func TestOutputs(t *testing.T) {
	r := result()
	if r.Findings[0].Cell != "slow" || r.Count(stat.Regressed) != 1 {
		t.Fatalf("the live series does not decide: %+v", r.Findings[0])
	}
	var b bytes.Buffer
	if err := r.JUnit(&b); err != nil {
		t.Fatal(err)
	}
	var suite junitSuite
	if err := xml.Unmarshal(b.Bytes(), &suite); err != nil {
		t.Fatal(err)
	}
	if suite.Tests != 3 || suite.Failures != 1 || suite.Skipped != 1 || suite.Cases[0].Failure == nil || !strings.Contains(suite.Cases[0].Failure.Text, "kernels.wide") {
		t.Errorf("JUnit: %+v", suite)
	}
	b.Reset()
	if err := r.SARIF(&b); err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	if x := log.Runs[0].Results; len(x) != 2 || x[0].Level != "error" || x[0].Locations[0].Physical.Artifact.URI != "kernels" || x[1].Level != "note" {
		t.Errorf("SARIF: %s", b.String())
	}
	b.Reset()
	if err := r.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"1 regression", "after commit aaaaaaaaaa, up to bbbbbbbbbb", "kernels.wide (assembly) takes +5.0 %", "+4.00 % [+3.00, +5.00]", `noisy\|&lt;b&gt;'x'`, "about 12 more trials"} {
		if !strings.Contains(text, want) {
			t.Errorf("Markdown has no %q:\n%s", want, text)
		}
	}
}

func TestWebhook(t *testing.T) {
	var calls atomic.Int32
	var got Message
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusBadGateway) // a server that restarts is asked again
			return
		}
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(r.Body).Decode(&got) != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer server.Close()
	n := NotifyPlan{On: NotifyRegression, Webhook: server.URL, Timeout: 10 * time.Second}
	none := func(string) string { return "" }
	if err := n.Notify(context.Background(), Tell("main", result()), none); err != nil {
		t.Fatal(err)
	}
	if got.Status != Worse || len(got.Regressed) != 1 || got.Regressed[0].EffectPct != 4 || got.Regressed[0].Kernel != modulePath+"/kernels.wide" {
		t.Errorf("it was told %+v", got)
	}
	calls.Store(0)
	if err := n.Notify(context.Background(), Message{Status: Passed}, none); err != nil || calls.Load() != 0 {
		t.Errorf("a night that passed was told %d times, %v", calls.Load(), err)
	}
	// The address is a secret.
	secret := func(name string) string {
		if name == EnvWebhook {
			return "http://127.0.0.1:1/s3cr3t"
		}
		return ""
	}
	n.Timeout = 200 * time.Millisecond
	if err := n.Notify(context.Background(), Message{Status: Failed}, secret); err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("nobody there: %v", err)
	}
}

// mailServer takes one mail and returns what it was told.
func mailServer(t *testing.T) (address string, mail chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	mail = make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var all strings.Builder
		say := func(s string) { fmt.Fprintf(conn, "%s\r\n", s) }
		say("220 here")
		in := bufio.NewScanner(conn)
		data := false
		for in.Scan() {
			line := in.Text()
			all.WriteString(line + "\n")
			switch {
			case data && line == ".":
				data = false
				say("250 taken")
			case data:
			case strings.HasPrefix(line, "EHLO"):
				say("250 here")
			case line == "DATA":
				data = true
				say("354 go on")
			case line == "QUIT":
				say("221 bye")
				mail <- all.String()
				return
			default:
				say("250 fine")
			}
		}
	}()
	return l.Addr().String(), mail
}

func TestEmail(t *testing.T) {
	address, mail := mailServer(t)
	n := NotifyPlan{On: NotifyAlways, Timeout: 10 * time.Second, Email: &EmailPlan{Server: address, From: "Lab <lab@example.org>", To: []string{"a@example.org", "b@example.org"}}}
	m := Tell("main", result())
	m.Branch = "main\r\nBcc: x@example.org"
	if err := n.Notify(context.Background(), m, func(string) string { return "" }); err != nil {
		t.Fatal(err)
	}
	got := <-mail
	for _, want := range []string{"MAIL FROM:<lab@example.org>", "RCPT TO:<b@example.org>", "Subject: ", "regressed", "kernels."} {
		if !strings.Contains(got, want) {
			t.Errorf("the mail has no %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "\nBcc:") {
		t.Errorf("a header was smuggled in:\n%s", got)
	}
}

// nights is a branch in which a metric gets 8 % worse at a night.
func nights(n, at int) []Night {
	rng := rand.New(rand.NewPCG(9, 9))
	var out []Night
	for d := range n {
		by := func(c int) float64 {
			v := same(c) * (1 + 0.004*rng.NormFloat64())
			if c == 2 && d >= at {
				v *= 1.08
			}
			return v
		}
		r := night(uint64(d), d, 12, 6, 1, by)
		out = append(out, NightOf(r))
	}
	return out
}

// The page must put the step where it is and load nothing from elsewhere.
func TestHistoryMarksTheStep(t *testing.T) {
	p := DefaultPolicy()
	tracks := Tracks(nights(25, 16), p)
	top := tracks[0]
	if top.Cell != "8b-r1-p0-t0-n3-c2" || len(top.Steps) != 1 || top.Steps[0].At != 16 || !top.Steps[0].Worse {
		t.Errorf("first is %s %s with %+v", top.Cell, top.Metric.Name, top.Steps)
	}
	marked := 0
	for _, track := range tracks {
		for _, s := range track.Steps {
			if track.Cell != "8b-r1-p0-t0-n3-c2" {
				t.Errorf("a false step in %s %s: %+v", track.Cell, track.Metric.Name, s)
			}
			marked++
		}
	}
	if marked < 2 { // latency and throughput at least
		t.Errorf("%d steps are marked", marked)
	}
	var b bytes.Buffer
	if err := WriteHistory(&b, "main<script>", nights(25, 16), p); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, not := range []string{"<script", "src=", "https://", "@import"} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
	for _, want := range []string{"from 2026-11-17", "commits commit15 to commit16", `<tr id="2026-16">`, "<svg"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, few := range [][]Night{nil, nights(1, 5)} {
		if err := WriteHistory(&b, "main", few, p); err != nil {
			t.Errorf("%d nights: %v", len(few), err)
		}
	}
}

func TestNightLeavesOutWhatIsNotValid(t *testing.T) {
	r := night(1, 1, 1, 3, 1, same)
	r.Trials[0].Result.Verdict = "contended"
	if n := NightOf(r); n.Valid != 2 || n.Trials != 3 || len(n.Values[[2]string{r.Cells[0].ID, "latency_ms_p50"}]) != 2 {
		t.Errorf("%+v", n)
	}
}
