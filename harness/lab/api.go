package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-c6f48606/harness/harness/queue"
	"github.com/seed-c6f48606/harness/harness/sweep"
)

// Overview is what everybody in a lab sees. Plans, logs and results are their
// owner's.
type Overview struct {
	User         string        `json:"user"`
	Role         string        `json:"role"`
	Time         time.Time     `json:"time"`
	Boards       []Board       `json:"boards"`
	Sweeps       []Sweep       `json:"sweeps"`
	Reservations []Reservation `json:"reservations"`
	Queue        []Queued      `json:"queue"`
}

// Board is a board of the lab.
type Board struct {
	Name       string    `json:"name"`
	Controller string    `json:"controller"` // that drives it; "" = none
	Fence      int64     `json:"fence"`
	Seen       time.Time `json:"seen,omitzero"`
	Drained    bool      `json:"drained"`
	Doing      string    `json:"doing"`
	Waiting    int       `json:"waiting"`
	Today      int       `json:"today"` // trials done in the last 24 hours
}

// Sweep is a sweep of the lab. Plan is its owner's to see.
type Sweep struct {
	ID       string          `json:"id"`
	Owner    string          `json:"owner"`
	Title    string          `json:"title"`
	Priority int             `json:"priority"`
	State    string          `json:"state"`
	Total    int             `json:"total"`
	Counted  int             `json:"counted"`
	Created  time.Time       `json:"created"`
	Ended    time.Time       `json:"ended,omitzero"`
	Mine     bool            `json:"mine"` // whether the caller may cancel it and see its log
	Plan     json.RawMessage `json:"plan,omitempty"`
}

// Reservation is a board's time that one user has.
type Reservation struct {
	ID    string    `json:"id"`
	Board string    `json:"board"`
	Owner string    `json:"owner"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	Mine  bool      `json:"mine"`
}

// Queued counts a user's jobs on a board.
type Queued struct {
	Board string `json:"board"`
	Owner string `json:"owner"`
	State string `json:"state"`
	Jobs  int    `json:"jobs"`
}

// shown is how many sweeps an overview has.
const shown = 200

func (s *Server) overview(c *call) error {
	o := Overview{User: c.user.Name, Role: c.user.Role, Time: time.Now().UTC(), Boards: []Board{}, Sweeps: []Sweep{}, Reservations: []Reservation{}, Queue: []Queued{}}
	boards, err := s.Queue.Boards(c.ctx())
	if err != nil {
		return err
	}
	for _, b := range boards {
		out := Board{Name: b.Name, Fence: b.Fence, Seen: b.Seen, Drained: b.Drained, Waiting: b.Waiting, Today: b.Counted}
		if b.Held() {
			out.Controller, out.Doing = b.Holder, b.Doing
		}
		o.Boards = append(o.Boards, out)
	}
	sweeps, err := s.Queue.Sweeps(c.ctx(), shown)
	if err != nil {
		return err
	}
	for _, x := range sweeps {
		out := sweepOf(x, c.user)
		out.Plan = nil
		o.Sweeps = append(o.Sweeps, out)
	}
	reservations, err := s.Queue.Reservations(c.ctx())
	if err != nil {
		return err
	}
	for _, r := range reservations {
		o.Reservations = append(o.Reservations, reservationOf(r, c.user))
	}
	counts, err := s.Queue.Counts(c.ctx())
	if err != nil {
		return err
	}
	for _, n := range counts {
		o.Queue = append(o.Queue, Queued(n))
	}
	return answer(c, o)
}

func sweepOf(x queue.Sweep, u User) Sweep {
	return Sweep{x.ID, x.Owner, x.Title, x.Priority, x.State, x.Total, x.Counted, x.Created, x.Ended, u.may(x.Owner), x.Plan}
}

func reservationOf(r queue.Reservation, u User) Reservation {
	return Reservation{r.ID, r.Board, r.Owner, r.From, r.Until, u.may(r.Owner)}
}

// Submission is a sweep to be measured. Its plan has the hashes of model and data
// filled in, so that every controller can tell whether it has the same.
type Submission struct {
	ID       string     `json:"id"`
	Title    string     `json:"title"`
	Priority int        `json:"priority"`
	Plan     sweep.Plan `json:"plan"`
}

// longestTitle bounds a title in bytes.
const longestTitle = 200

func (s *Server) submit(c *call) error {
	var in Submission
	if err := body(c, &in); err != nil {
		return err
	}
	if in.Priority == 0 {
		in.Priority = queue.Normal
	}
	switch {
	case in.Priority == queue.Urgent && c.user.Role != RoleAdmin:
		return refuse(http.StatusForbidden, "priority %d is for admins; %d is the highest of yours", queue.Urgent, queue.High)
	case len(in.Title) > longestTitle:
		return refuse(http.StatusBadRequest, "the title has more than %d bytes", longestTitle)
	case in.Plan.ModelHash == "" || in.Plan.DataHash == "":
		return refuse(http.StatusBadRequest, "the plan names no hash of its model and data; harness lab submit fills them in")
	}
	if err := in.Plan.Validate(); err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	if err := s.Files.Check(in.Plan); err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	tasks, err := Tasks(in.Plan)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	raw, err := json.Marshal(in.Plan)
	if err != nil {
		return fmt.Errorf("writing the plan: %w", err)
	}
	x := queue.Sweep{ID: in.ID, Owner: c.user.Name, Title: in.Title, Plan: raw, Priority: in.Priority}
	if err := s.Queue.Submit(c.ctx(), x, tasks); err != nil {
		var wrong *queue.UsageError
		if errors.As(err, &wrong) {
			return refuse(http.StatusBadRequest, "%v", wrong)
		}
		return err
	}
	return s.tellSweep(c, in.ID)
}

func (s *Server) tellSweep(c *call, id string) error {
	x, err := s.Queue.Sweep(c.ctx(), id)
	if err != nil {
		return err
	}
	return answer(c, sweepOf(x, c.user))
}

// owned returns the sweep that a call names, if it is the caller's.
func (s *Server) owned(c *call) (queue.Sweep, error) {
	x, err := s.Queue.Sweep(c.ctx(), c.r.PathValue("id"))
	if err == nil && !c.user.may(x.Owner) {
		err = refuse(http.StatusForbidden, "sweep %s is %s's", x.ID, x.Owner)
	}
	return x, err
}

func (s *Server) sweep(c *call) error {
	x, err := s.owned(c)
	if err != nil {
		return err
	}
	return answer(c, sweepOf(x, c.user))
}

func (s *Server) cancel(c *call) error {
	x, err := s.owned(c)
	if err != nil {
		return err
	}
	if x.State != queue.Active {
		return refuse(http.StatusConflict, "sweep %s is %s", x.ID, x.State)
	}
	if err := s.Queue.Cancel(c.ctx(), x.ID); err != nil {
		return err
	}
	return s.tellSweep(c, x.ID)
}

// trials streams the recorded attempts, one JSON object a line.
func (s *Server) trials(c *call) error {
	x, err := s.owned(c)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/jsonl")
	out := json.NewEncoder(c.w)
	control := http.NewResponseController(c.w)
	return s.Queue.Trials(c.ctx(), x.ID, func(r queue.Recorded) error {
		// A writer that is slow has a minute for each trial, not for all of them.
		if err := control.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		return out.Encode(Attempt{r.Cell, r.Repeat, r.Attempt, r.Board, r.Controller, r.Fence, r.Last, string(r.Verdict), r.Reason, r.Record})
	})
}

// Attempt is a recorded attempt; Record is a store.Trial.
type Attempt struct {
	Cell       string          `json:"cell"`
	Repeat     int             `json:"repeat"`
	Attempt    int             `json:"attempt"`
	Board      string          `json:"board"`
	Controller string          `json:"controller"`
	Fence      int64           `json:"fence"`
	Last       bool            `json:"last"`
	Verdict    string          `json:"verdict"`
	Reason     string          `json:"reason"`
	Record     json.RawMessage `json:"record"`
}

func (s *Server) drain(drained bool) func(*call) error {
	return func(c *call) error {
		if c.user.Role != RoleAdmin {
			return refuse(http.StatusForbidden, "only admins drain boards; harness lab reserve takes one for yourself")
		}
		if err := s.Queue.Drain(c.ctx(), c.r.PathValue("name"), drained); err != nil {
			return err
		}
		return answer(c, map[string]bool{"drained": drained})
	}
}

func (s *Server) reserve(c *call) error {
	var in struct {
		Board string    `json:"board"`
		From  time.Time `json:"from"`
		Until time.Time `json:"until"`
	}
	if err := body(c, &in); err != nil {
		return err
	}
	if in.From.IsZero() {
		in.From = time.Now()
	}
	r, err := s.Queue.Reserve(c.ctx(), queue.Reservation{Board: in.Board, Owner: c.user.Name, From: in.From, Until: in.Until})
	var wrong *queue.UsageError
	if errors.As(err, &wrong) {
		return refuse(http.StatusBadRequest, "%v", wrong)
	}
	if err != nil {
		return err
	}
	return answer(c, reservationOf(r, c.user))
}

func (s *Server) unreserve(c *call) error {
	r, err := s.Queue.Reservation(c.ctx(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	if !c.user.may(r.Owner) {
		return refuse(http.StatusForbidden, "reservation %s is %s's", r.ID, r.Owner)
	}
	if err := s.Queue.Unreserve(c.ctx(), r.ID); err != nil {
		return err
	}
	return answer(c, reservationOf(r, c.user))
}

// Limits of following a log.
const (
	maxStreams = 16 // of one user
	lookEvery  = 500 * time.Millisecond
	batch      = 200 // lines read at once
)

// Line is a line of a sweep's log.
type Line struct {
	ID    int64     `json:"id"`
	Board string    `json:"board"`
	At    time.Time `json:"at"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
}

// follow sends the log of a sweep as server-sent events, as it grows, until the
// sweep is over and everything was sent. Last-Event-ID goes on behind a line.
func (s *Server) follow(c *call) error {
	x, err := s.owned(c)
	if err != nil {
		return err
	}
	after := int64(0)
	if v := c.r.Header.Get("Last-Event-ID"); v != "" {
		if after, err = strconv.ParseInt(v, 10, 64); err != nil || after < 0 {
			return refuse(http.StatusBadRequest, "Last-Event-ID %q: must be a number", v)
		}
	}
	s.mu.Lock()
	full := s.streams[c.user.Name] >= maxStreams
	if !full {
		s.streams[c.user.Name]++
	}
	s.mu.Unlock()
	if full {
		return refuse(http.StatusTooManyRequests, "you follow %d logs already", maxStreams)
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.streams[c.user.Name]--
	}()
	c.w.Header().Set("Content-Type", "text/event-stream")
	return s.send(c, x.ID, after)
}

func (s *Server) send(c *call, id string, after int64) error {
	control := http.NewResponseController(c.w)
	told := time.Now()
	state := ""
	for {
		x, err := s.Queue.Sweep(c.ctx(), id)
		if err != nil {
			return err
		}
		// A token that was taken back ends what it opened.
		if c.user, err = s.Auth.user(c.r); err != nil {
			return refuse(http.StatusUnauthorized, "%v", err)
		}
		if !c.user.may(x.Owner) {
			return refuse(http.StatusForbidden, "sweep %s is %s's", x.ID, x.Owner)
		}
		lines, err := s.Queue.Lines(c.ctx(), id, after, batch)
		if err != nil {
			return err
		}
		if err := control.SetWriteDeadline(time.Now().Add(30 * time.Second)); err != nil {
			return err
		}
		for _, l := range lines {
			raw, err := json.Marshal(Line{l.ID, l.Board, l.At, l.Level, l.Text})
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(c.w, "id: %d\ndata: %s\n\n", l.ID, raw); err != nil {
				return err
			}
			after = l.ID
		}
		if now := fmt.Sprintf("%s %d", x.State, x.Counted); now != state || time.Since(told) > 10*time.Second {
			x.Plan = nil
			raw, err := json.Marshal(sweepOf(x, c.user))
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(c.w, "event: sweep\ndata: %s\n\n", raw); err != nil {
				return err
			}
			state, told = now, time.Now()
		}
		if err := control.Flush(); err != nil {
			return err
		}
		if x.State != queue.Active && len(lines) == 0 {
			return nil
		}
		if len(lines) == batch {
			continue
		}
		select {
		case <-c.ctx().Done():
			return nil
		case <-s.ended:
			return nil
		case <-time.After(lookEvery):
		}
	}
}
