package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-c6f48606/harness/harness/lab"
	"github.com/seed-c6f48606/harness/harness/queue"
	"github.com/seed-c6f48606/harness/harness/store"
	"github.com/seed-c6f48606/harness/harness/sweep"
	"github.com/seed-c6f48606/harness/runners/wire"
	"github.com/seed-c6f48606/harness/targets/remote"
)

// serviceFlags are those of the lab's services.
type serviceFlags struct {
	database string
	trace    string
	log      string
}

func (f *serviceFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.database, "database", queue.Default, "the lab's database: a postgres:// address, or a SQLite file on one machine")
	c.Flags().StringVar(&f.trace, "trace", "", "record OpenTelemetry traces: stdout, or otlp (default as the OTEL_ variables say, else none)")
	c.Flags().StringVar(&f.log, "log", "text", "how to log: text or json")
	complete(c, "trace", "stdout", "otlp")
	complete(c, "log", "text", "json")
}

// begin sets up logs and traces; the function ends the traces.
func (f *serviceFlags) begin(ctx context.Context, a *app, service string) (*slog.Logger, func(), error) {
	var h slog.Handler
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if a.quiet {
		o.Level = slog.LevelWarn
	}
	switch f.log {
	case "text":
		h = slog.NewTextHandler(a.err, o)
	case "json":
		h = slog.NewJSONHandler(a.err, o)
	default:
		return nil, nil, fmt.Errorf("--log %q: must be text or json", f.log)
	}
	version, _ := wire.Build()
	end, err := lab.Trace(ctx, f.trace, service, version, a.out)
	if err != nil {
		return nil, nil, err
	}
	log := slog.New(h)
	return log, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := end(last); err != nil {
			log.Warn("the last traces could not be sent", "error", err)
		}
	}, nil
}

func (a *app) labServeCommand() *cobra.Command {
	f := &serviceFlags{}
	var listen, tokensPath, cert, key, header, filesDir string
	var proxies, admins []string
	c := &cobra.Command{
		Use: "serve", Short: "Answer the lab's users: HTTP interface and page", Args: cobra.NoArgs,
		Long: `Users log in with tokens (harness lab token). Behind a proxy that authenticates,
by OpenID Connect say, --proxy-header names the header with the user and --proxy
the only addresses from which it is believed. It is listened to other machines
by TLS only. Metrics for Prometheus are at /metrics, with a token too.`,
		Example: `  harness lab serve
  harness lab serve --database postgres://harness@db/lab --listen :8747 --tls-cert lab.crt --tls-key lab.key
  harness lab serve --proxy-header X-Forwarded-User --proxy 127.0.0.1/32 --admin ada@example.org`,
		RunE: func(c *cobra.Command, _ []string) error {
			auth := lab.Auth{Header: header, Admins: admins}
			for _, text := range proxies {
				p, err := netip.ParsePrefix(text)
				if err != nil {
					return fmt.Errorf("--proxy %q: write it as 192.168.1.7/32", text)
				}
				auth.Proxies = append(auth.Proxies, p)
			}
			var err error
			if auth.Tokens, err = tokens(tokensPath, header == ""); err != nil {
				return err
			}
			if err := auth.Validate(); err != nil {
				return err
			}
			if (cert == "") != (key == "") {
				return errors.New("--tls-cert and --tls-key: name both")
			}
			if err := localOnly(listen, cert != ""); err != nil {
				return err
			}
			files, err := lab.NewFiles(filesDir)
			if err != nil {
				return err
			}
			return a.serveLab(c.Context(), f, listen, cert, key, tokensPath, auth, files)
		},
	}
	f.add(c)
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:"+labPort, "address to listen on")
	c.Flags().StringVar(&tokensPath, "tokens", "lab-tokens.yaml", "file of users and the hashes of their tokens, read again when it changes")
	c.Flags().StringVar(&filesDir, "files", "", "folder below which plans may name models and data by absolute paths (default none)")
	c.Flags().StringVar(&cert, "tls-cert", "", "PEM file of the certificate")
	c.Flags().StringVar(&key, "tls-key", "", "PEM file of its key")
	c.Flags().StringVar(&header, "proxy-header", "", "header in which a proxy names the user, such as X-Forwarded-User")
	c.Flags().StringSliceVar(&proxies, "proxy", nil, "networks from which that header is believed")
	c.Flags().StringSliceVar(&admins, "admin", nil, "users of the proxy who are admins")
	return c
}

// localOnly refuses to send tokens over a network in the clear.
func localOnly(listen string, secure bool) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("--listen %q: write it as 127.0.0.1:%s", listen, labPort)
	}
	if ip := net.ParseIP(host); secure || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("--listen %s: tokens would go over the network in the clear; name --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy", listen)
}

func (a *app) serveLab(ctx context.Context, f *serviceFlags, listen, cert, key, tokensPath string, auth lab.Auth, files lab.Files) error {
	log, end, err := f.begin(ctx, a, "harness-lab")
	if err != nil {
		return err
	}
	defer end()
	stop, ctx, release := interrupts(ctx, &lines{w: io.Discard, quiet: true})
	defer release()
	q, err := queue.Open(ctx, f.database, log)
	if err != nil {
		return err
	}
	defer q.Close() //nolint:errcheck // the program ends
	open, closeAll := context.WithCancel(ctx)
	defer closeAll()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("--listen %s: %w", listen, err)
	}
	auth.File = lab.NewTokensFile(tokensPath, auth.Tokens, log)
	s := &lab.Server{Queue: q, Auth: auth, Files: files, Log: log, TLS: cert != ""}
	server := &http.Server{
		Handler: s.Handler(open), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() {
		if cert != "" {
			ended <- server.ServeTLS(l, cert, key)
			return
		}
		ended <- server.Serve(l)
	}()
	scheme := "http"
	if cert != "" {
		scheme = "https"
	}
	a.say("lab at %s://%s", scheme, l.Addr())
	select {
	case err := <-ended:
		return fmt.Errorf("serving the lab: %w", err)
	case <-stop:
	case <-ctx.Done():
	}
	closeAll() // logs that are followed
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return server.Shutdown(last)
}

func (a *app) labWorkCommand() *cobra.Command {
	f := &serviceFlags{}
	var boards []string
	var inventory, runnerDir, here, name, metrics, filesDir string
	var ttl time.Duration
	c := &cobra.Command{
		Use: "work", Short: "Drive boards: measure the trials of the lab's queue on them", Args: cobra.NoArgs,
		Long: `Takes the leases of its boards, as far as no other controller has them, and
measures one trial after the other on each. Several controllers may have the same
boards: when one ends or dies, another goes on. Ctrl-C finishes the running trials.`,
		Example: `  harness lab work --board pi5,nano1
  harness lab work --database postgres://harness@db/lab --board label=edge
  harness lab work --this-machine bench1`,
		RunE: func(c *cobra.Command, _ []string) error {
			fl := &fleet{path: inventory, finder: remote.Finder{Dir: runnerDir}}
			var names []string
			if len(boards) > 0 {
				v, err := readInventory(inventory)
				if err != nil {
					return err
				}
				chosen, err := v.Select(boards...)
				if err != nil {
					return fmt.Errorf("--board: %w", err)
				}
				for _, t := range chosen {
					if t.Name == sweep.Local {
						return errors.New("--board local: give this machine a name in the lab with --this-machine NAME")
					}
					names = append(names, t.Name)
				}
			}
			if here != "" {
				names = append(names, here)
			}
			if len(names) == 0 {
				return errors.New("name boards of the inventory with --board, or this machine with --this-machine NAME")
			}
			if name == "" {
				host, err := os.Hostname()
				if err != nil {
					return fmt.Errorf("naming the controller: %w; use --name", err)
				}
				name = host
			}
			files, err := lab.NewFiles(filesDir)
			if err != nil {
				return err
			}
			return a.workLab(c.Context(), f, fl, here, metrics, files, queue.Controller{Name: name + "-" + queue.Token(3), Boards: names, TTL: ttl})
		},
	}
	f.add(c)
	c.Flags().StringSliceVar(&boards, "board", nil, "names of the inventory or label=NAME")
	c.Flags().StringVar(&here, "this-machine", "", "name under which this machine is a board itself")
	c.Flags().StringVar(&inventory, "targets", "", "inventory file (default ./targets.yaml, else the user's)")
	c.Flags().StringVar(&runnerDir, "runner-dir", "", "folder of built runners, runner-GOOS-GOARCH (default: built from source for the target)")
	c.Flags().StringVar(&name, "name", "", "name of this controller (default the host's)")
	c.Flags().DurationVar(&ttl, "lease", queue.DefaultTTL, "how long a board waits for a controller that is gone")
	c.Flags().StringVar(&filesDir, "files", "", "folder below which plans may name models and data by absolute paths, as lab serve has it (default none)")
	c.Flags().StringVar(&metrics, "metrics", "", "address for Prometheus, such as 127.0.0.1:9747 (default none)")
	return c
}

func (a *app) workLab(ctx context.Context, f *serviceFlags, fl *fleet, here, metrics string, files lab.Files, control queue.Controller) error {
	if control.TTL < 2*time.Second || control.TTL > time.Hour {
		return fmt.Errorf("--lease %v: must be from 2s to 1h", control.TTL)
	}
	log, end, err := f.begin(ctx, a, "harness-controller")
	if err != nil {
		return err
	}
	defer end()
	fl.log = log
	cache, err := sweep.UserCache()
	if err != nil {
		return err
	}
	launch, err := sweep.Self()
	if err != nil {
		return err
	}
	bar := &lines{w: a.err}
	stop, ctx, release := interrupts(ctx, bar)
	defer release()
	q, err := queue.Open(ctx, f.database, log)
	if err != nil {
		return err
	}
	defer q.Close() //nolint:errcheck // the program ends
	defer func() {
		if err := fl.close(); err != nil {
			fmt.Fprintln(a.err, note(store.Warning, err.Error()))
		}
	}()
	meter := lab.NewMeter()
	if metrics != "" {
		l, err := net.Listen("tcp", metrics)
		if err != nil {
			return fmt.Errorf("--metrics %s: %w", metrics, err)
		}
		server := &http.Server{Handler: meter.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10}
		go server.Serve(l)   //nolint:errcheck // it ends with the program
		defer server.Close() //nolint:errcheck // it ends with the program
	}
	control.Queue, control.Log, control.Hooks = q, log.With("controller", control.Name), meter.Hooks()
	control.Open = benches(fl, &lab.Shelf{Cache: cache, Files: files, Log: control.Log}, launch, here)
	a.say("controller %s of %d boards", control.Name, len(control.Boards))
	return control.Run(ctx, stop)
}

// benches measures on the targets of a fleet, of which here is this machine.
func benches(fl *fleet, shelf *lab.Shelf, launch sweep.Launch, here string) func(board string) queue.Bench {
	return func(board string) queue.Bench {
		return &lab.Bench{Shelf: shelf, Single: &sweep.Single{Name: board, Here: board == here && here != "", Launch: launch, Open: fl.open}}
	}
}
