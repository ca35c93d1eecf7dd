package power

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// PlugConfig is a metering plug in the mains lead of a board's supply.
type PlugConfig struct {
	// Kind is tasmota, shelly (any generation), or empty to find out.
	Kind string
	// URL is http://HOST or http://HOST:PORT.
	URL string
	// Channel counts the plug's outlets from 0.
	Channel int
	// Timeout is of one question; 0 is 2 s.
	Timeout time.Duration
}

// plugLimit bounds the answer of a plug; real ones are below 1 KiB.
const plugLimit = 64 << 10

// plugPeriod is how often plugs renew their readings.
const plugPeriod = time.Second

// plugBudget: ±2 % of the reading. Below about 3 W the plug's own threshold and
// the supply's losses leave nothing of use.
var plugBudget = Budget{GainRel: 0.02}

// plugReading is what a plug tells at one moment. Volts, Amps and EnergyJ are
// NaN where it does not tell.
type plugReading struct {
	Watts, Volts, Amps, EnergyJ float64
}

// plugKind is a family of plugs: where to ask, and how to read the answer.
type plugKind struct {
	name    string
	path    string // {} is the channel
	parse   func(body []byte, channel int) (plugReading, error)
	stepW   float64 // of the power told
	energyJ float64 // a step of the energy told
}

var plugKinds = []plugKind{
	{"tasmota", "/cm?cmnd=Status%208", parseTasmota, 1, 3600},
	{"shelly-gen2", "/rpc/Switch.GetStatus?id={}", parseShelly2, 0.1, 3.6},
	{"shelly-gen1", "/meter/{}", parseShelly1, 0.01, 60},
}

// Plug reads a metering plug over HTTP. It measures alternating current at the
// wall: the supply's losses are in it.
type Plug struct {
	what    Description
	kind    plugKind
	url     string
	channel int
	client  *http.Client
	first   float64 // J told at opening
	lastJ   float64
}

// OpenPlug asks a plug for a first reading. The rails are outlet, in the total,
// and, where the plug counts energy, counter beside it.
func OpenPlug(ctx context.Context, c PlugConfig) (Meter, error) {
	base, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("opening plug: %w", err)
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Path != "" && base.Path != "/":
		return nil, fmt.Errorf("opening plug: address %q: give http://HOST or http://HOST:PORT", c.URL)
	case base.User != nil:
		return nil, errors.New("opening plug: an address with a password in it is not taken: switch the plug's web password off")
	case c.Channel < 0 || c.Channel > 31:
		return nil, fmt.Errorf("opening plug: channel %d: give 0 to 31", c.Channel)
	}
	if c.Timeout <= 0 {
		c.Timeout = 2 * time.Second
	}
	client := &http.Client{
		Timeout: c.Timeout,
		// A plug stands in the laboratory's own network; no proxy reaches it.
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: c.Timeout}).DialContext,
			ResponseHeaderTimeout:  c.Timeout,
			MaxResponseHeaderBytes: 16 << 10,
			MaxConnsPerHost:        1,
			IdleConnTimeout:        time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var problems error
	known := false
	for _, kind := range plugKinds {
		if c.Kind != "" && kind.name != c.Kind && !(c.Kind == "shelly" && kind.name != "tasmota") {
			continue
		}
		known = true
		p := &Plug{kind: kind, url: base.Scheme + "://" + base.Host + kind.address(c.Channel), channel: c.Channel, client: client}
		r, err := p.ask(ctx)
		if err == nil {
			p.describe(r)
			return pace(p, plugPeriod), nil
		}
		problems = errors.Join(problems, fmt.Errorf("as %s: %w", kind.name, err))
	}
	client.CloseIdleConnections()
	if !known {
		return nil, fmt.Errorf("opening plug: kind %q: give tasmota or shelly", c.Kind)
	}
	return nil, fmt.Errorf("opening plug at %s: %w", base.Host, problems)
}

func (k plugKind) address(channel int) string {
	return strings.ReplaceAll(k.path, "{}", strconv.Itoa(channel))
}

func (p *Plug) describe(r plugReading) {
	budget := plugBudget
	budget.LSBW = p.kind.stepW
	p.what = Description{
		Source: p.kind.name, Scope: "wall", TotalRule: "the outlet, with the losses of the board's supply",
		Total: Total{Gain: 1}, Cycle: plugPeriod, Averaged: plugPeriod,
		Rails:    []Rail{{Name: "outlet", InTotal: true, Budget: budget}},
		Settings: map[string]string{"address": p.url, "outlet": strconv.Itoa(p.channel + 1)},
	}
	if !math.IsNaN(r.EnergyJ) {
		p.first, p.lastJ = r.EnergyJ, r.EnergyJ
		p.what.Rails = append(p.what.Rails, Rail{Name: "counter", Counter: true, Budget: plugBudget})
		p.what.Settings["counter_step_j"] = fmt.Sprint(p.kind.energyJ)
	}
}

// ask takes one reading.
func (p *Plug) ask(ctx context.Context) (plugReading, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return plugReading{}, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return plugReading{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, plugLimit+1))
	switch {
	case err != nil:
		return plugReading{}, fmt.Errorf("reading the answer of %s: %w", p.url, err)
	case len(body) > plugLimit:
		return plugReading{}, fmt.Errorf("%s answers with more than %d bytes", p.url, plugLimit)
	case response.StatusCode == http.StatusUnauthorized:
		return plugReading{}, fmt.Errorf("%s wants a password: switch the plug's web password off", p.url)
	case response.StatusCode != http.StatusOK:
		return plugReading{}, fmt.Errorf("%s answers %s", p.url, response.Status)
	}
	r, err := p.kind.parse(body, p.channel)
	if err != nil {
		return plugReading{}, fmt.Errorf("%s: %w", p.url, err)
	}
	return r, nil
}

// Describe says what is measured and how.
func (p *Plug) Describe() Description { return p.what }

// Close ends the connection.
func (p *Plug) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// Read asks the plug. Wi-Fi drops answers: a reading that does not come is
// missing, no error.
func (p *Plug) Read(dst []Value) error {
	if len(dst) != len(p.what.Rails) {
		return fmt.Errorf("reading %s: %d values for %d rails", p.what.Source, len(dst), len(p.what.Rails))
	}
	for i := range dst {
		dst[i] = missing
	}
	r, err := p.ask(context.Background())
	if netErr := net.Error(nil); errors.As(err, &netErr) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", p.what.Source, err)
	}
	dst[0] = Value{Watts: r.Watts, Joules: math.NaN(), Volts: r.Volts, Amps: r.Amps}
	if len(dst) == 2 && !math.IsNaN(r.EnergyJ) {
		if r.EnergyJ < p.lastJ {
			return fmt.Errorf("reading %s: its counter went back from %g to %g J: the plug was reset", p.what.Source, p.lastJ, r.EnergyJ)
		}
		dst[1] = Value{Joules: r.EnergyJ - p.first, Watts: math.NaN(), Volts: math.NaN(), Amps: math.NaN()}
		if r.EnergyJ == p.lastJ {
			dst[1].Flags |= Stale
		}
		p.lastJ = r.EnergyJ
	}
	return nil
}
