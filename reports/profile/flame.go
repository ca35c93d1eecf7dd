package profile

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/google/pprof/profile"
)

// Flame says how a flame graph is drawn.
type Flame struct {
	Title string
	// Note is a line below the title.
	Note string
	// Module is the path whose prefix names and ours are told by.
	Module string
	// From begins the name of a function at which stacks start that hold it:
	// what lies between main and there is left out.
	From string
}

// Measures in pixels.
const (
	width     = 1200
	margin    = 10
	rowHeight = 18
	head      = 78   // title, note and legend
	letter    = 6.1  // width of a letter of 11 pixels, a little more than the mean
	thinnest  = 0.35 // narrower boxes are not drawn
)

// colours of the classes.
var colours = [classes]string{"#f2a65a", "#7fb3d9", "#b9b9b9", "#d7c98d"}

// Write draws p.
func (o Flame) Write(w io.Writer, p *profile.Profile) error {
	if len(p.SampleType) == 0 {
		return errors.New("drawing a flame graph: the profile has no values")
	}
	root := stacks(p, o.Module, o.From)
	if root.total == 0 {
		return errors.New("drawing a flame graph: the profile has no samples; profile for longer")
	}
	least := int64(thinnest / (width - 2*margin) * float64(root.total))
	rows := 1 + root.depth(least)
	height := head + rows*rowHeight + margin
	d := drawing{flame: o, total: root.total, base: height - margin - rowHeight}
	fmt.Fprintf(&d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(o.Title))
	d.WriteString("<style>text{font:11px ui-sans-serif,system-ui,sans-serif;fill:#222;pointer-events:none}" +
		".t{font-size:15px;font-weight:600}.n{fill:#555}rect{stroke:#fff;stroke-width:.6}g:hover>rect{stroke:#222}</style>\n")
	fmt.Fprintf(&d, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&d, `<text class="t" x="%d" y="22">%s</text>`+"\n", margin, html.EscapeString(o.Title))
	fmt.Fprintf(&d, `<text class="n" x="%d" y="40">%s</text>`+"\n", margin, html.EscapeString(o.Note))
	d.legend(root)
	d.box("all", other, root.total, margin, 0, float64(width-2*margin))
	d.callees(root, margin, 1)
	d.WriteString("</svg>\n")
	_, err := w.Write(d.Bytes())
	return err
}

// drawing is an SVG in the making.
type drawing struct {
	bytes.Buffer
	flame Flame
	total int64
	base  int // y of the lowest row
}

// legend tells the classes' colours and their shares of the time.
func (d *drawing) legend(root *frame) {
	var selves [classes]int64
	root.selves(&selves)
	x := margin
	for c, v := range selves {
		if v == 0 {
			continue
		}
		label := fmt.Sprintf("%v %s", class(c), d.share(v))
		fmt.Fprintf(d, `<rect x="%d" y="50" width="12" height="12" fill="%s"/><text x="%d" y="60">%s</text>`+"\n", x, colours[c], x+17, label)
		x += 17 + int(letter*float64(len(label))) + 20
	}
}

// callees draws what f called above it, from x on.
func (d *drawing) callees(f *frame, x float64, row int) {
	for _, c := range f.sorted() {
		w := float64(c.total) / float64(d.total) * (width - 2*margin)
		if w >= thinnest {
			d.box(d.short(c.name), c.class, c.total, x, row, w)
			d.callees(c, x, row+1)
		}
		x += w
	}
}

// box draws one function with its name, as far as there is room, and the whole
// of it as the tip of the mouse.
func (d *drawing) box(name string, c class, v int64, x float64, row int, w float64) {
	y := d.base - row*rowHeight
	share := d.share(v)
	fmt.Fprintf(d, `<g><title>%s, %s</title><rect x="%.2f" y="%d" width="%.2f" height="%d" fill="%s"/>`,
		html.EscapeString(name), share, x, y, w, rowHeight, colours[c])
	if label := fit(name+" "+share, name, w-6); label != "" {
		fmt.Fprintf(d, `<text x="%.2f" y="%d">%s</text>`, x+3, y+13, html.EscapeString(label))
	}
	d.WriteString("</g>\n")
}

func (d *drawing) share(v int64) string {
	return fmt.Sprintf("%.1f %%", 100*float64(v)/float64(d.total))
}

// short leaves away where in the module a package is.
func (d *drawing) short(name string) string {
	if d.flame.Module == "" || !strings.HasPrefix(name, d.flame.Module+"/") {
		return name
	}
	// The path ends at the last slash before the first dot of the name, which
	// comes after the dots of the module's host.
	rest := name[len(d.flame.Module)+1:]
	path, _, _ := strings.Cut(rest, ".")
	return rest[strings.LastIndexByte(path, '/')+1:]
}

// fit returns the longest of the texts that fits, else what fits of the last.
func fit(long, short string, pixels float64) string {
	room := int(pixels / letter)
	letters := []rune(short)
	switch {
	case len([]rune(long)) <= room:
		return long
	case len(letters) <= room:
		return short
	case room >= 4:
		return string(letters[:room-1]) + "…"
	}
	return ""
}
