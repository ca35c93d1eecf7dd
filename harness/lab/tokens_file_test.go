package lab

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A token that was taken back must let nobody in, nor keep a log open that is followed.
func TestRevokedToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var logged bytes.Buffer
	s := newSite(t, func(a *Auth) {
		write("tokens: []")
		a.File = NewTokensFile(path, a.Tokens, slog.New(slog.NewTextHandler(&logged, nil)))
	})
	entry := func(user string) string {
		return "- {user: " + user + ", role: user, sha256: " + hash(s.tokens[user]) + "}\n"
	}
	status := func(user string, want int) {
		t.Helper()
		if got, _ := s.call("GET", "/api/lab", "", bearer(s.tokens[user])); got != want {
			t.Errorf("%s is answered %d, want %d", user, got, want)
		}
	}
	write("tokens:\n" + entry("ada") + entry("ben"))
	status("ada", http.StatusOK)
	x := s.submit("ada")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	followed := make(chan struct{}, 100)
	go func() {
		_, err := s.client("ada").Watch(ctx, x.ID, func(Line) {}, func(Sweep) { followed <- struct{}{} })
		ended <- err
	}()
	<-followed
	write("tokens:\n" + entry("ben"))
	status("ada", http.StatusUnauthorized)
	status("ben", http.StatusOK)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("the log that was followed ends with %v", err)
	}
	for _, broken := range []string{"tokens: {", ""} {
		write(broken)
		status("ben", http.StatusOK)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	status("ben", http.StatusOK)
	if n := strings.Count(logged.String(), "level=ERROR"); n != 3 {
		t.Errorf("three broken files are logged %d times:\n%s", n, logged.String())
	}
	write("tokens: []")
	status("ben", http.StatusUnauthorized)
}
