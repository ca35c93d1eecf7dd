package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-c6f48606/harness/harness/queue"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
)

// site is a lab with three users: root is an admin, ada and ben are not.
type site struct {
	t      *testing.T
	server *httptest.Server
	queue  *queue.Queue
	tokens map[string]string
}

func newSite(t *testing.T, change func(*Auth)) *site {
	t.Helper()
	ctx, end := context.WithCancel(context.Background())
	q, err := queue.Open(ctx, filepath.Join(t.TempDir(), "lab.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	tokens := map[string]string{}
	for user, role := range map[string]string{"root": RoleAdmin, "ada": RoleUser, "ben": RoleUser} {
		if tokens[user], err = AddToken(path, user, role); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for user, secret := range tokens {
		if bytes.Contains(raw, []byte(secret)) {
			t.Errorf("the token of %s lies in the tokens file", user)
		}
	}
	auth := Auth{}
	if auth.Tokens, err = ReadTokens(path); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&auth)
	}
	s := &Server{Queue: q, Auth: auth, Log: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(s.Handler(ctx))
	t.Cleanup(func() {
		end()
		server.Close()
		q.Close() //nolint:errcheck // the test is over
	})
	for _, board := range []string{"pi5", "nano1"} {
		if err := q.AddBoard(ctx, board); err != nil {
			t.Fatal(err)
		}
	}
	return &site{t, server, q, tokens}
}

// client is that of a user.
func (s *site) client(user string) *Client {
	s.t.Helper()
	c, err := NewClient(s.server.URL, s.tokens[user])
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// call makes a call and returns its status and answer.
func (s *site) call(method, path, body string, header map[string]string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.server.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		r.Header.Set(k, v)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it has been read
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(raw)
}

func bearer(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token}
}

// plan is one that a laptop has prepared.
func plan(boards ...string) sweep.Plan {
	p := sweep.Reference()
	p.Targets, p.Threads, p.ModelHash, p.DataHash, p.Repeats, p.Bits = boards, nil, "m", "d", 2, []int{16, 4}
	return p
}

func (s *site) submit(user string) Sweep {
	s.t.Helper()
	x, err := s.client(user).Submit(s.t.Context(), Submission{ID: queue.NewSweepID(), Title: "of " + user, Plan: plan("pi5")})
	if err != nil {
		s.t.Fatal(err)
	}
	return x
}

// Whoever gets in without a token, or acts on what is others', can cancel a week's
// measurements and read unpublished models' results.
func TestRefusals(t *testing.T) {
	s := newSite(t, nil)
	mine := s.submit("ada")
	taken, err := s.client("ada").Reserve(t.Context(), "pi5", time.Time{}, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	paths := []struct{ method, path, body string }{
		{"GET", "/api/lab", ""},
		{"POST", "/api/sweeps", "{}"},
		{"GET", "/api/sweeps/" + mine.ID, ""},
		{"GET", "/api/sweeps/" + mine.ID + "/trials", ""},
		{"GET", "/api/sweeps/" + mine.ID + "/log", ""},
		{"POST", "/api/sweeps/" + mine.ID + "/cancel", ""},
		{"POST", "/api/boards/pi5/drain", ""},
		{"POST", "/api/boards/pi5/resume", ""},
		{"POST", "/api/reservations", "{}"},
		{"DELETE", "/api/reservations/" + taken.ID, ""},
		{"GET", "/metrics", ""},
	}
	for name, header := range map[string]map[string]string{
		"no token":            {},
		"wrong token":         bearer("hlab_" + strings.Repeat("0", 48)),
		"empty token":         bearer(""),
		"hash for token":      bearer(hash(s.tokens["root"])),
		"token in basic auth": {"Authorization": "Basic " + s.tokens["root"]},
		"proxy header":        {"X-Forwarded-User": "root"},
		"wrong cookie":        {"Cookie": cookie + "=root"},
	} {
		for _, p := range paths {
			if status, _ := s.call(p.method, p.path, p.body, header); status != http.StatusUnauthorized {
				t.Errorf("%s: %s %s answers %d, want 401", name, p.method, p.path, status)
			}
		}
	}
	for _, p := range paths[2:] {
		if p.path == "/api/reservations" || p.path == "/metrics" {
			continue
		}
		if status, text := s.call(p.method, p.path, p.body, bearer(s.tokens["ben"])); status != http.StatusForbidden {
			t.Errorf("ben: %s %s answers %d %s, want 403", p.method, p.path, status, text)
		}
	}
	if x, err := s.client("ada").Sweep(t.Context(), mine.ID); err != nil || x.State != queue.Active {
		t.Errorf("the sweep is %q after all that: %v", x.State, err)
	}
	// The owner and an admin may.
	if _, err := s.client("root").Cancel(t.Context(), mine.ID); err != nil {
		t.Error(err)
	}
	if _, err := s.client("ada").Unreserve(t.Context(), taken.ID); err != nil {
		t.Error(err)
	}
	if err := s.client("root").Drain(t.Context(), "pi5", true); err != nil {
		t.Error(err)
	}
}

// A page of elsewhere must not act through the browser of somebody who is logged in.
func TestOtherOrigins(t *testing.T) {
	s := newSite(t, nil)
	mine := s.submit("ada")
	header := map[string]string{"Cookie": cookie + "=" + s.tokens["ada"], "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
	if status, _ := s.call("POST", "/api/sweeps/"+mine.ID+"/cancel", "", header); status != http.StatusForbidden {
		t.Errorf("answers %d, want 403", status)
	}
	header = map[string]string{"Cookie": cookie + "=" + s.tokens["ada"], "Sec-Fetch-Site": "same-origin"}
	if status, _ := s.call("POST", "/api/sweeps/"+mine.ID+"/cancel", "", header); status != http.StatusOK {
		t.Errorf("the own page is answered %d, want 200", status)
	}
	r, err := http.Get(s.server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close() //nolint:errcheck // its header matters
	if r.Header.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("headers of the page: %v", r.Header)
	}
}

// A proxy's word for who somebody is may come from the proxy only.
func TestProxy(t *testing.T) {
	for _, test := range []struct {
		name    string
		network string
		header  map[string]string
		want    int
	}{
		{"from the proxy", "127.0.0.0/8", map[string]string{"X-Forwarded-User": "cyd"}, http.StatusOK},
		{"from elsewhere", "10.0.0.0/8", map[string]string{"X-Forwarded-User": "cyd"}, http.StatusUnauthorized},
		{"without a name", "127.0.0.0/8", nil, http.StatusUnauthorized},
		{"a name that is none", "127.0.0.0/8", map[string]string{"X-Forwarded-User": "cyd, root"}, http.StatusUnauthorized},
		{"with a wrong token", "127.0.0.0/8", map[string]string{"X-Forwarded-User": "cyd", "Authorization": "Bearer x"}, http.StatusUnauthorized},
	} {
		s := newSite(t, func(a *Auth) {
			a.Header, a.Proxies = "X-Forwarded-User", []netip.Prefix{netip.MustParsePrefix(test.network)}
		})
		if status, _ := s.call("GET", "/api/lab", "", test.header); status != test.want {
			t.Errorf("%s: answers %d, want %d", test.name, status, test.want)
		}
	}
	if err := (Auth{Header: "X-Forwarded-User"}).Validate(); err == nil {
		t.Error("a header without a proxy is believed from anybody")
	}
	if err := (Auth{}).Validate(); err == nil {
		t.Error("a lab that nobody can log in to is started")
	}
}

// What cannot be measured must be refused when it is submitted, and what is too
// large before it is in memory.
func TestBadSubmissions(t *testing.T) {
	s := newSite(t, nil)
	text := func(change func(*Submission)) string {
		in := Submission{ID: queue.NewSweepID(), Plan: plan("pi5")}
		change(&in)
		raw, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for _, test := range []struct {
		name, body string
		want       int
		says       string
	}{
		{"too large", `{"title":"` + strings.Repeat("x", maxPlan) + `"}`, http.StatusRequestEntityTooLarge, "bytes"},
		{"no JSON", "plan", http.StatusBadRequest, "reading the body"},
		{"unknown key", `{"owner":"root"}`, http.StatusBadRequest, "owner"},
		{"unknown board", text(func(in *Submission) { in.Plan.Targets = []string{"moon"} }), http.StatusBadRequest, "moon"},
		{"no hashes", text(func(in *Submission) { in.Plan.ModelHash = "" }), http.StatusBadRequest, "hash"},
		{"bits", text(func(in *Submission) { in.Plan.Bits = []int{7} }), http.StatusBadRequest, "bits"},
		{"halving", text(func(in *Submission) { in.Plan.Search = sweep.SearchHalving }), http.StatusBadRequest, "halving"},
		{"id", text(func(in *Submission) { in.ID = "../x" }), http.StatusBadRequest, "id"},
		{"urgent", text(func(in *Submission) { in.Priority = queue.Urgent }), http.StatusForbidden, "admins"},
		{"priority", text(func(in *Submission) { in.Priority = 9 }), http.StatusBadRequest, "priority"},
	} {
		status, said := s.call("POST", "/api/sweeps", test.body, bearer(s.tokens["ada"]))
		if status != test.want || !strings.Contains(said, test.says) {
			t.Errorf("%s: answers %d %.200s, want %d and %q", test.name, status, said, test.want, test.says)
		}
	}
	if status, _ := s.call("POST", "/api/reservations", `{"board":"`+strings.Repeat("x", maxBody)+`"}`, bearer(s.tokens["ada"])); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large reservation answers %d", status)
	}
	o, err := s.client("ada").Overview(t.Context())
	if err != nil || len(o.Sweeps) != 0 {
		t.Errorf("%d sweeps are stored: %v", len(o.Sweeps), err)
	}
}

// A laptop that lost the answer submits again; that must not measure twice.
func TestSubmitTwice(t *testing.T) {
	s := newSite(t, nil)
	in := Submission{ID: queue.NewSweepID(), Plan: plan("pi5", "nano1")}
	for range 2 {
		x, err := s.client("ada").Submit(t.Context(), in)
		if err != nil || x.Total != 8 {
			t.Fatalf("%d trials: %v", x.Total, err)
		}
	}
	if _, err := s.client("ben").Submit(t.Context(), in); err == nil {
		t.Error("another user's sweep is taken over by its id")
	}
	o, err := s.client("ben").Overview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Queued{{"nano1", "ada", "available", 4}, {"pi5", "ada", "available", 4}}
	if diff := cmp.Diff(want, o.Queue); diff != "" {
		t.Error(diff)
	}
	if len(o.Sweeps) != 1 || o.Sweeps[0].Mine || o.Sweeps[0].Plan != nil {
		t.Errorf("ben sees %+v", o.Sweeps)
	}
}

// Two users must not both believe that a board is theirs.
func TestReservations(t *testing.T) {
	s := newSite(t, nil)
	now := time.Now()
	if _, err := s.client("ada").Reserve(t.Context(), "pi5", now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name        string
		board       string
		from, until time.Time
		status      int
	}{
		{"the same time", "pi5", now, now.Add(time.Hour), http.StatusConflict},
		{"around it", "pi5", now.Add(-time.Hour), now.Add(2 * time.Hour), http.StatusConflict},
		{"its end", "pi5", now.Add(59 * time.Minute), now.Add(2 * time.Hour), http.StatusConflict},
		{"right behind it", "pi5", now.Add(time.Hour), now.Add(2 * time.Hour), 0},
		{"another board", "nano1", now, now.Add(time.Hour), 0},
		{"no board", "moon", now, now.Add(time.Hour), http.StatusNotFound},
		{"backwards", "nano1", now.Add(3 * time.Hour), now.Add(2 * time.Hour), http.StatusBadRequest},
		{"for ever", "nano1", now, now.Add(1000 * time.Hour), http.StatusBadRequest},
	} {
		_, err := s.client("ben").Reserve(t.Context(), test.board, test.from, test.until)
		var refused *StatusError
		if status := 0; errors.As(err, &refused) {
			if status = refused.Status; status != test.status {
				t.Errorf("%s: %v, want %d", test.name, err, test.status)
			}
		} else if err != nil || test.status != 0 {
			t.Errorf("%s: %v, want %d", test.name, err, test.status)
		}
	}
}

// record measures as a controller would, with given verdicts.
type record struct{ trials int }

func (r *record) Measure(_ context.Context, t queue.Trial) (queue.Outcome, error) {
	r.trials++
	now := time.Now()
	raw, err := json.Marshal(store.Trial{Cell: t.Cell, Repeat: t.Repeat, Attempt: t.Attempt, Started: now, Ended: now, Result: wire.MeasureResult{Verdict: wire.Valid}})
	t.Tell("warning", "<b>hot</b>")
	return queue.Outcome{Verdict: wire.Valid, Started: now, Ended: now, Record: raw}, err
}

func (*record) Close(context.Context) {}

// A watcher sees every line once and the end, and what was measured comes back as
// it was recorded.
func TestWatchAndTrials(t *testing.T) {
	s := newSite(t, nil)
	x := s.submit("ada")
	stop := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- queue.Controller{
			Queue: s.queue, Name: "bench", Boards: []string{"pi5"}, Log: slog.New(slog.DiscardHandler), TTL: 4 * time.Second,
			Open: func(string) queue.Bench { return &record{} },
		}.Run(t.Context(), stop)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seen := map[int64]int{}
	hot, counted := 0, 0
	last, err := s.client("ada").Watch(ctx, x.ID, func(l Line) {
		seen[l.ID]++
		if l.Text == "<b>hot</b>" {
			hot++
		}
	}, func(x Sweep) { counted = x.Counted })
	close(stop)
	if err != nil || last.State != queue.Done || counted != 4 || hot != 4 {
		t.Errorf("watched to %q with %d counted and %d lines of the board: %v", last.State, counted, hot, err)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("line %d came %d times", id, n)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var cells []string
	err = s.client("ada").Trials(ctx, x.ID, func(a Attempt) error {
		trial, err := a.Trial()
		if trial.Result.Verdict != wire.Valid || trial.Cell != a.Cell {
			t.Errorf("attempt %+v is trial %+v", a, trial)
		}
		cells = append(cells, a.Cell)
		return err
	})
	if err != nil || len(cells) != 4 {
		t.Errorf("%d trials: %v", len(cells), err)
	}
	status, text := s.call("GET", "/metrics", "", bearer(s.tokens["ben"]))
	if status != http.StatusOK || !strings.Contains(text, `harness_lab_trials_total{verdict="valid"} 4`) {
		t.Errorf("metrics answer %d:\n%s", status, text)
	}
}

// A token must not travel in the clear.
func TestClientAddresses(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://lab.example:8747": true, "http://127.0.0.1:8747": true, "http://localhost:1": true, "http://[::1]:1": true,
		"http://lab.example": false, "ftp://lab.example": false, "lab.example": false, "": false,
	} {
		if _, err := NewClient(address, "t"); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// A tokens file is written by hand too.
func FuzzParseTokens(f *testing.F) {
	f.Add([]byte("tokens: [{user: ada, role: admin, sha256: " + hash("x") + "}]"))
	f.Add([]byte("tokens: [{user: '', role: admin, sha256: ''}]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tokens, err := ParseTokens("fuzz", raw)
		if err != nil {
			return
		}
		for _, k := range tokens.Tokens {
			if k.User == "" || len(k.SHA256) != 64 {
				t.Errorf("took %+v", k)
			}
		}
	})
}

// A log comes from a server that may be anything.
func FuzzEvents(f *testing.F) {
	f.Add("event: sweep\ndata: {}\n\nid: 3\ndata: {\"id\":3}\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		events(strings.NewReader(text), func(_, data string) error { //nolint:errcheck // any text is one
			if data == "" {
				t.Error("an event without data")
			}
			return nil
		})
	})
}
