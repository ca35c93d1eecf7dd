// Package lab is the service over the queue of a lab: its HTTP interface and page,
// who may do what there, the client of the command line, and the controllers that
// measure on real targets.
package lab

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-c6f48606/harness/harness/queue"
)

// Limits of what a caller may send, in bytes.
const (
	maxPlan = 1 << 20
	maxBody = 64 << 10
)

// cookie holds the token of a browser.
const cookie = "harness_lab"

//go:embed page
var pages embed.FS

// Server answers calls to a lab.
type Server struct {
	Queue *queue.Queue
	Auth  Auth
	Log   *slog.Logger
	Files Files // that plans may name
	TLS   bool  // whether callers come by TLS: the cookie is then sent by TLS only

	calls   *prometheus.CounterVec
	took    *prometheus.HistogramVec
	mu      sync.Mutex
	streams map[string]int // open logs by user
	ended   <-chan struct{}
}

// Handler returns the service. Open logs end when ctx does.
func (s *Server) Handler(ctx context.Context) http.Handler {
	registry := prometheus.NewRegistry()
	s.calls = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "harness_lab_http_requests_total", Help: "Calls by route and status."}, []string{"route", "code"})
	s.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "harness_lab_http_seconds", Help: "Time of a call.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}, []string{"route"})
	registry.MustRegister(s.calls, s.took, &collector{s.Queue, s.Log})
	s.streams, s.ended = map[string]int{}, ctx.Done()

	mux := http.NewServeMux()
	for _, file := range []struct{ path, name, kind string }{
		{"GET /{$}", "index.html", "text/html; charset=utf-8"},
		{"GET /lab.js", "lab.js", "text/javascript; charset=utf-8"},
		{"GET /lab.css", "lab.css", "text/css; charset=utf-8"},
	} {
		raw, err := fs.ReadFile(pages, "page/"+file.name)
		if err != nil {
			panic(err) // it is embedded
		}
		mux.HandleFunc(file.path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", file.kind)
			w.Header().Set("Cache-Control", "no-cache")
			w.Write(raw) //nolint:errcheck // the caller has gone
		})
	}
	mux.HandleFunc("GET /healthz", s.healthy)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	for route, f := range map[string]func(*call) error{
		"GET /api/lab":                   s.overview,
		"POST /api/sweeps":               s.submit,
		"GET /api/sweeps/{id}":           s.sweep,
		"POST /api/sweeps/{id}/cancel":   s.cancel,
		"GET /api/sweeps/{id}/trials":    s.trials,
		"GET /api/sweeps/{id}/log":       s.follow,
		"POST /api/boards/{name}/drain":  s.drain(true),
		"POST /api/boards/{name}/resume": s.drain(false),
		"POST /api/reservations":         s.reserve,
		"DELETE /api/reservations/{id}":  s.unreserve,
	} {
		mux.HandleFunc(route, s.authenticated(route, f))
	}
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	mux.HandleFunc("GET /metrics", s.authenticated("GET /metrics", func(c *call) error { metrics.ServeHTTP(c.w, c.r); return nil }))
	// A page of elsewhere may not act with the cookie or the proxy's login.
	return headers(http.NewCrossOriginProtection().Handler(mux))
}

// headers are those of every answer.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// call is one that somebody makes who is known.
type call struct {
	w    http.ResponseWriter
	r    *http.Request
	user User
}

func (c *call) ctx() context.Context { return c.r.Context() }

// refusal is an answer that is no success.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// authenticated lets in who is known, and turns errors into answers.
func (s *Server) authenticated(route string, f func(*call) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		note := &noted{ResponseWriter: w, status: http.StatusOK}
		user, err := s.Auth.user(r)
		if err != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			err = refuse(http.StatusUnauthorized, "%v", err)
		} else {
			limit := int64(maxBody)
			if route == "POST /api/sweeps" {
				limit = maxPlan
			}
			r.Body = http.MaxBytesReader(note, r.Body, limit)
			err = f(&call{note, r, user})
		}
		broken := err != nil && note.began
		if err != nil && !broken {
			s.fail(note, err)
		}
		s.calls.WithLabelValues(route, fmt.Sprint(note.status)).Inc()
		s.took.WithLabelValues(route).Observe(time.Since(began).Seconds())
		level := slog.LevelInfo
		if note.status >= 500 {
			level = slog.LevelError
		}
		s.Log.Log(r.Context(), level, "call", "route", route, "path", r.URL.Path, "user", user.Name, "status", note.status, "took_ms", time.Since(began).Milliseconds(), "error", err)
		if broken {
			// The caller must see that the answer broke off: an orderly end would say
			// that it is whole.
			panic(http.ErrAbortHandler)
		}
	}
}

// fail answers with an error, where no other answer has begun. What is wrong in
// here is for the log, not for callers.
func (s *Server) fail(w *noted, err error) {
	var refused *refusal
	var large *http.MaxBytesError
	var taken *queue.TakenError
	answer := refusal{http.StatusInternalServerError, "the lab cannot do that now; see its log"}
	switch {
	case errors.As(err, &refused):
		answer = *refused
	case errors.As(err, &large):
		answer = refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes", large.Limit)}
	case errors.As(err, &taken):
		answer = refusal{http.StatusConflict, taken.Error()}
	case errors.Is(err, queue.ErrNotFound):
		answer = refusal{http.StatusNotFound, err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(answer.status)
	json.NewEncoder(w).Encode(map[string]string{"error": answer.text}) //nolint:errcheck // the caller has gone
}

// noted remembers the status of an answer.
type noted struct {
	http.ResponseWriter
	status int
	began  bool
}

// WriteHeader notes the status.
func (n *noted) WriteHeader(status int) {
	n.status, n.began = status, true
	n.ResponseWriter.WriteHeader(status)
}

// Write begins the answer.
func (n *noted) Write(b []byte) (int, error) {
	n.began = true
	return n.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController what it needs.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }

func (s *Server) healthy(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.Queue.Ping(ctx); err != nil {
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Write([]byte("ok\n")) //nolint:errcheck // the caller has gone
}

// login gives a browser a cookie for its token.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	secret := strings.TrimSpace(r.PostFormValue("token"))
	if _, ok := s.Auth.find(secret); !ok {
		s.Log.Warn("login refused", "remote", r.RemoteAddr)
		http.Redirect(w, r, "/?refused=1", http.StatusSeeOther)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: secret, Path: "/", HttpOnly: true, Secure: s.TLS, SameSite: http.SameSiteStrictMode, MaxAge: 12 * 3600})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: cookie, Path: "/", HttpOnly: true, Secure: s.TLS, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// answer writes a document.
func answer(c *call, v any) error {
	c.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(c.w).Encode(v)
}

// body reads a document and refuses unknown keys.
func body(c *call, v any) error {
	if kind, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "the body must be application/json")
	}
	d := json.NewDecoder(c.r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		return refuse(http.StatusBadRequest, "reading the body: %v", err)
	}
	return nil
}
