//go:build browser

package page_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// The report is read in a browser: a console error or a request to elsewhere
// means that some reader sees less than we do. Widths are a laptop's and a phone's.
// REPORT names another file to open; SCREENSHOTS a folder for pictures.
func TestBrowser(t *testing.T) {
	path := os.Getenv("REPORT")
	if path == "" {
		path = filepath.Join(t.TempDir(), "report.html")
		if err := os.WriteFile(path, []byte(render(t, sample())), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-quic", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	defer cancel()
	address := "file://" + path
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			t.Errorf("console: %s %v", e.Type, e.Args)
		case *runtime.EventExceptionThrown:
			t.Errorf("exception: %s", e.ExceptionDetails.Error())
		case *network.EventRequestWillBeSent:
			if e.Request.URL != address && e.Request.URL != "data:," {
				t.Errorf("requests %s", e.Request.URL)
			}
		}
	})
	for name, width := range map[string]int64{"laptop": 1280, "phone": 390} {
		var overflow bool
		var pictures, rows int
		var shot []byte
		err := chromedp.Run(ctx,
			network.Enable(), runtime.Enable(),
			chromedp.EmulateViewport(width, 900),
			chromedp.Navigate(address),
			chromedp.Evaluate(`document.documentElement.scrollWidth > innerWidth + 1`, &overflow),
			chromedp.Evaluate(`document.querySelectorAll("figure svg").length`, &pictures),
			chromedp.Click(`#cells th:nth-child(7)`),
			chromedp.Evaluate(`document.querySelectorAll("#cells tbody tr").length`, &rows),
			chromedp.FullScreenshot(&shot, 100),
		)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if overflow {
			t.Errorf("%s: the page is wider than the window", name)
		}
		if pictures == 0 || rows == 0 {
			t.Errorf("%s: %d pictures and %d rows", name, pictures, rows)
		}
		if dir := os.Getenv("SCREENSHOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}
