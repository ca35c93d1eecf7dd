package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
)

// A stream that ends in order after an error looks complete: half of a sweep is
// then taken for the whole of it.
func TestBrokenOff(t *testing.T) {
	s := &Server{Auth: Auth{Tokens: Tokens{[]Token{{"ada", RoleUser, hash("secret")}}}}, Log: slog.New(slog.DiscardHandler)}
	s.Handler(t.Context())
	broken := httptest.NewServer(s.authenticated("GET /api/sweeps/{id}/trials", func(c *call) error {
		if err := json.NewEncoder(c.w).Encode(Attempt{Cell: "c", Last: true}); err != nil {
			return err
		}
		if err := http.NewResponseController(c.w).Flush(); err != nil {
			return err
		}
		return errors.New("the database has gone")
	}))
	defer broken.Close()
	c, err := NewClient(broken.URL, "secret")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := c.Trials(t.Context(), "x", func(Attempt) error { n++; return nil }); err == nil {
		t.Errorf("a stream that broke off after %d attempts seems complete", n)
	}
}

// A run of a part of the trials would be gone on with here, where the boards are not.
func TestFetchPartly(t *testing.T) {
	p := plan("pi5")
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/sweeps/x", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(Sweep{ID: "x", State: "done", Total: 4, Counted: 4, Plan: raw}) //nolint:errcheck // the client finds out
	})
	mux.HandleFunc("GET /api/sweeps/x/trials", func(w http.ResponseWriter, _ *http.Request) {
		// Attempts are no trials, and one that comes twice is one.
		for i, last := range []bool{false, true, true, true, true} {
			json.NewEncoder(w).Encode(Attempt{Cell: fmt.Sprint(min(i, 3)), Attempt: i, Last: last, Record: json.RawMessage("{}")}) //nolint:errcheck // the client finds out
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	c, err := NewClient(server.URL, "secret")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "harness.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Fetch(t.Context(), c, "x", "test", sweep.Options{Store: s}); err == nil || !strings.Contains(err.Error(), "3 of the 4 trials") {
		t.Errorf("fetching three of four trials: %v", err)
	}
	if r, err := s.Run(t.Context(), store.Last); err == nil {
		t.Errorf("run %s is stored, %s", r.ID, r.State)
	}
}
