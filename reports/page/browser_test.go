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

// choose shows the last target alone, counts its rows of cells and opens one by
// its address, where the report has several targets; then it shows all again.
const choose = `(() => {
  const rows = () => [...document.querySelectorAll("#cells tbody tr")].filter((r) => !r.hidden);
  const filter = document.getElementById("filter");
  if (!filter) return rows().length;
  filter.value = filter.options[filter.options.length - 1].value;
  filter.dispatchEvent(new Event("change"));
  const n = rows().length;
  location.hash = rows()[0].querySelector("a").getAttribute("href");
  filter.value = "";
  filter.dispatchEvent(new Event("change"));
  window.dispatchEvent(new Event("hashchange"));
  return n < rows().length && document.querySelector("details[open]") ? n : 0;
})()`

// The report is read in a browser: a console error or a request to elsewhere
// means that some reader sees less than we do. Widths are a laptop's and a phone's.
// REPORT names another file to open; SCREENSHOTS a folder for pictures.
func TestBrowser(t *testing.T) {
	path := os.Getenv("REPORT")
	if path == "" {
		path = filepath.Join(t.TempDir(), "report.html")
		if err := os.WriteFile(path, []byte(render(t, boards())), 0o644); err != nil {
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
		var pictures, rows, shown int
		var shot []byte
		err := chromedp.Run(ctx,
			network.Enable(), runtime.Enable(),
			chromedp.EmulateViewport(width, 900),
			chromedp.Navigate(address),
			chromedp.Evaluate(`document.documentElement.scrollWidth > innerWidth + 1`, &overflow),
			chromedp.Evaluate(`document.querySelectorAll("figure svg").length`, &pictures),
			chromedp.Click(`#cells th:nth-child(7)`),
			chromedp.Evaluate(`document.querySelectorAll("#cells tbody tr").length`, &rows),
			chromedp.Evaluate(choose, &shown),
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
		if shown == 0 || shown > rows {
			t.Errorf("%s: %d of %d rows are of the last target", name, shown, rows)
		}
		if dir := os.Getenv("SCREENSHOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}
