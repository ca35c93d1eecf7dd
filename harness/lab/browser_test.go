//go:build browser

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/seed-c6f48606/harness/harness/queue"
)

// furnish gives a lab what its page shows: boards in every state, sweeps, queues,
// a reservation and a log with text that would be markup.
func furnish(t *testing.T, s *site) Sweep {
	t.Helper()
	ctx := t.Context()
	for _, board := range []string{"orin-nano-2", "rb3", "pixel"} {
		if err := s.queue.AddBoard(ctx, board); err != nil {
			t.Fatal(err)
		}
	}
	for _, board := range []string{"pi5", "nano1", "orin-nano-2", "rb3"} {
		if _, err := s.queue.Acquire(ctx, board, "bench-a.lab.example-4f21aa", time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	mine := s.submit("ada")
	for user, boards := range map[string][]string{"ben": {"pi5", "nano1", "rb3"}, "root": {"orin-nano-2"}} {
		if _, err := s.client(user).Submit(ctx, Submission{ID: queue.NewSweepID(), Title: "clinc150-nano: 16, 8, 4 bits × rank, nightly of <main>", Priority: queue.Low, Plan: plan(boards...)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.client("root").Drain(ctx, "rb3", true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client("ada").Reserve(ctx, "orin-nano-2", time.Time{}, time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		if err := s.queue.Tell(ctx, mine.ID, "pi5", []string{"info", "warning", "error"}[i%3], fmt.Sprintf("16b-r1-p0-t0-n1-c0@pi5 repeat %d: <img src=x onerror=alert(1)> %s", i, strings.Repeat("long ", i))); err != nil {
			t.Fatal(err)
		}
	}
	return mine
}

// The page is used from a desk and beside the board: a console error, a request to
// elsewhere or a page that is wider than the window means that somebody cannot.
// SCREENSHOTS names a folder for pictures.
func TestBrowser(t *testing.T) {
	s := newSite(t, nil)
	mine := furnish(t, s)
	log := fmt.Sprintf(`[...document.querySelectorAll("#sweeps tr")].find((r) => r.textContent.includes(%q)).querySelector("button").click()`, mine.ID)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-quic", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			t.Errorf("console: %s %v", e.Type, e.Args)
		case *runtime.EventExceptionThrown:
			t.Errorf("exception: %s", e.ExceptionDetails.Error())
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, s.server.URL) && e.Request.URL != "data:," {
				t.Errorf("requests %s", e.Request.URL)
			}
		}
	})
	shoot := func(name string, shot []byte) {
		if dir := os.Getenv("SCREENSHOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
	for _, view := range []struct {
		name  string
		width int64
		user  string
	}{{"laptop", 1280, "root"}, {"phone", 390, "ada"}} {
		var wide, lines, images, boards int
		var login, shot []byte
		var who, state string
		err := chromedp.Run(ctx,
			network.Enable(), runtime.Enable(), network.ClearBrowserCookies(),
			chromedp.EmulateViewport(view.width, 900),
			chromedp.Navigate(s.server.URL+"/"),
			chromedp.WaitVisible("#login"),
			chromedp.FullScreenshot(&login, 100),
			chromedp.SendKeys("#token", s.tokens[view.user]),
			chromedp.Submit("#token"),
			chromedp.WaitVisible("#sweeps tbody button"),
			chromedp.Evaluate(log, nil),
			chromedp.WaitVisible("#log li:nth-child(30)"),
			chromedp.Evaluate(`document.querySelectorAll("#log li").length`, &lines),
			chromedp.Evaluate(`document.images.length`, &images),
			chromedp.Evaluate(`document.querySelectorAll("#boards .card").length`, &boards),
			chromedp.Evaluate(`document.documentElement.scrollWidth - innerWidth`, &wide),
			chromedp.Text("#user", &who),
			chromedp.Evaluate(`document.querySelector("#boards .drained h3 span").textContent`, &state),
			chromedp.FullScreenshot(&shot, 100),
		)
		shoot(view.name+"-login", login)
		shoot(view.name, shot)
		if err != nil {
			t.Fatalf("%s: %v", view.name, err)
		}
		if wide > 1 {
			t.Errorf("%s: the page is %d pixels wider than the window", view.name, wide)
		}
		if lines != 30 || boards != 5 || who != view.user || state != "drained" {
			t.Errorf("%s: %d lines, %d boards, user %q, state %q", view.name, lines, boards, who, state)
		}
		if images != 0 {
			t.Errorf("%s: text of the log became %d pictures", view.name, images)
		}
	}
}
