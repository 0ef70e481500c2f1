// Gatelodge is the sign-in for everything you host, in one file.
//
// This file wires: it loads the configuration, opens the services, and serves it
// until it is stopped. Every other command is in package command.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"gatelodge/app"
	"gatelodge/app/command"
	"gatelodge/app/config"
	"gatelodge/web"
)

//go:embed config.toml.example
var example string

func main() {
	stops := []os.Signal{os.Interrupt, syscall.SIGTERM}
	reload := make(chan os.Signal, 1)
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		stops = append(stops, surviveSignals(reload)...)
	}
	ctx, stop := signal.NotifyContext(context.Background(), stops...)
	defer stop()
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gatelodge:", err)
		os.Exit(command.ExitFailed)
	}
	os.Exit(run(ctx, command.Process{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ(), Dir: dir, Example: example, Reload: reload}, os.Args[1:]))
}

// surviveSignals ignores SIGPIPE of a log that nothing reads any more, and has SIGHUP
// reload the Apps, unless a terminal is there to hang up. It returns the signals that
// stop a server besides. systemd takes an end by either for a clean one and does not
// start the server again.
func surviveSignals(reload chan<- os.Signal) []os.Signal {
	signal.Ignore(syscall.SIGPIPE)
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && !isNull(info) {
		return []os.Signal{syscall.SIGHUP}
	}
	signal.Notify(reload, syscall.SIGHUP)
	return nil
}

// isNull reports whether a file is /dev/null, which is a character device too.
func isNull(info os.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}

// run is main for tests: everything it touches is passed in.
func run(ctx context.Context, p command.Process, args []string) int {
	p = p.Cleaned()
	if len(args) == 0 {
		io.WriteString(p.Err, command.Usage())
		return command.ExitUsage
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		io.WriteString(p.Out, command.Usage())
		return 0
	case "serve":
		err := serve(ctx, p, args[1:])
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil // stopped while it was starting
		}
		if err != nil && !errors.Is(err, command.ErrUsage) {
			io.WriteString(p.Err, command.Explain(err))
		}
		return command.ExitCode(err)
	}
	return command.Run(ctx, p, args)
}

const serveUsage = `usage: gatelodge serve [flags]

Starts the server. Without a configuration it listens on http://localhost:8080,
keeps its data in ./gatelodge-data, and shows mail instead of sending it.

`

func serve(ctx context.Context, p command.Process, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.String("config", "", "the configuration `file` (default ./config.toml where there is one)")
	flags.String("data", "", "the data `directory` (default ./gatelodge-data)")
	flags.String("listen", "", "the `address` to listen on (default 127.0.0.1:8080)")
	wait := flags.Duration("wait", command.StartWithin, "how long to wait for the database server and the address to listen on")
	dev := flags.Bool("dev", false, "try it out: a fresh data directory, an admin, and a link that signs you in")
	help := func(w io.Writer) {
		io.WriteString(w, serveUsage)
		flags.SetOutput(w)
		flags.PrintDefaults()
	}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		help(p.Out)
		return nil
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("serve takes no argument, got %q", flags.Arg(0))
		fallthrough
	case err != nil:
		fmt.Fprintf(p.Err, "gatelodge: %v\n\n", err)
		help(p.Err)
		return command.ErrUsage
	}
	if *dev {
		return serveDev(ctx, p, flags, *wait)
	}
	return serveServer(ctx, p, flags, *wait, nil)
}

// serveDev serves a data directory that is thrown away afterwards, unless -data names
// one, with an admin in it.
func serveDev(ctx context.Context, p command.Process, flags *flag.FlagSet, wait time.Duration) error {
	if flags.Lookup("data").Value.String() == "" {
		dir, err := os.MkdirTemp("", "gatelodge-dev-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := flags.Set("data", filepath.Join(dir, "data")); err != nil {
			return err
		}
	}
	return serveServer(ctx, p, flags, wait, func(a *app.App) (string, error) {
		const email = "admin@localhost"
		u, err := a.Users.Add(ctx, app.Operator(), email, "Dev Admin", true)
		if err != nil {
			u, err = a.Users.Find(ctx, email)
		}
		if err != nil {
			return "", err
		}
		link, _, err := a.Login.LinkFor(ctx, app.Operator(), u)
		return fmt.Sprintf("\nSign in as %s here:\n  %s\n", email, link), err
	})
}

// serveServer opens the server that flags name and serves it until ctx ends. prepare,
// unless nil, is called before, and what it returns stands below the greeting.
func serveServer(ctx context.Context, p command.Process, flags *flag.FlagSet, wait time.Duration, prepare func(*app.App) (string, error)) error {
	read := func() (*config.Loaded, error) { return command.LoadConfig(p, flags) }
	loaded, err := read()
	if err != nil {
		return err
	}
	out, errs := command.NewOutput(p.Out), command.NewOutput(p.Err)
	defer out.Close()
	defer errs.Close()
	p.Out, p.Err = out, errs
	log := newLog(p.Err, &loaded.Config)
	for _, w := range loaded.Warnings {
		log.Warn(w)
	}
	// The port first: it is what most often cannot be had, and asking for it
	// touches nothing.
	mode, _ := loaded.SocketPerm()
	last := time.Now().Add(wait)
	var listener net.Listener
	err = command.Await(ctx, log, last, func() (err error) {
		listener, err = listen(loaded.Listen, mode)
		return err
	})
	if err != nil {
		return err
	}
	defer listener.Close()
	loaded.SetPort(listener.Addr())

	var a *app.App
	err = command.Await(ctx, log, last, func() (err error) {
		a, err = app.Open(ctx, &loaded.Config, app.Options{Log: log, Captured: p.Out})
		return err
	})
	if err != nil {
		return err
	}
	work, stop := context.WithCancel(ctx)
	var reloading sync.WaitGroup
	reloading.Go(func() {
		for {
			select {
			case <-work.Done():
				return
			case <-p.Reload:
				a.ReloadApps(work, read)
			}
		}
	})
	err = serveApp(ctx, p, a, listener, prepare)
	stop()
	reloading.Wait()
	return errors.Join(err, a.Close())
}

func serveApp(ctx context.Context, p command.Process, a *app.App, listener net.Listener, prepare func(*app.App) (string, error)) error {
	// Who hashes holds one of Go's processors all the time: those who ask who is signed
	// in have the others.
	processors := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(processors + a.Passwords.Slots())
	defer runtime.GOMAXPROCS(processors)
	pages, err := web.New(a)
	if err != nil {
		return err
	}
	admin, err := command.ListenAdmin(a.DB.Dir())
	if err != nil {
		return err
	}
	all := []served{{newServer(pages, a.Log), listener}, {newServer(command.Handler(a), a.Log), admin}}
	if at := a.Config.MetricsListen(); at != "" {
		l, err := net.Listen("tcp", at)
		if err != nil {
			return errors.Join(&noPort{at, "metrics.listen", err}, admin.Close())
		}
		defer l.Close()
		all = append(all, served{newServer(web.Metrics(a.WriteMetrics, a.Log), a.Log), l})
	}
	more := ""
	if prepare != nil {
		if more, err = prepare(a); err != nil {
			return errors.Join(err, admin.Close())
		}
	}
	if len(all) > 2 {
		more = fmt.Sprintf("  metrics: http://%s/metrics\n", all[2].listener.Addr()) + more
	}
	if a.Listener != nil {
		// What is wrong with it is in the log, in "gatelodge doctor" and before admins:
		// no reason for people not to sign in.
		if at := a.Listener.Listen(); at != "" {
			more = fmt.Sprintf("  relay:   apps hand over mail at %s\n", at) + more
		}
	}
	if err := greet(ctx, p, a, listener, more); err != nil {
		return errors.Join(err, admin.Close())
	}

	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var background sync.WaitGroup
	background.Go(func() { a.Run(work) })
	if a.Listener != nil {
		background.Go(func() { a.Listener.Run(ctx) })
	}
	err = serveAll(ctx, a.Log, all)
	// Requests have ended: what they asked for is in the store. Now the mail.
	stopWork()
	background.Wait()
	return err
}

// Limits of the servers. A form or an answer of ours is small; who needs longer
// than this holds a connection for its own sake.
const (
	headerWithin = 10 * time.Second
	readWithin   = 30 * time.Second
	writeWithin  = 60 * time.Second
	idleWithin   = 2 * time.Minute
	maxHeader    = 32 << 10
	stopWithin   = 15 * time.Second
)

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerWithin, ReadTimeout: readWithin, WriteTimeout: writeWithin, IdleTimeout: idleWithin,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// served is a server and where it listens.
type served struct {
	server   *http.Server
	listener net.Listener
}

// serveAll serves the pages, the admin socket and what else there is until ctx ends
// or one of them fails, then finishes the requests that are under way.
func serveAll(ctx context.Context, log *slog.Logger, all []served) error {
	failed := make(chan error, len(all))
	for _, s := range all {
		go func() { failed <- s.server.Serve(s.listener) }()
	}
	var err error
	select {
	case <-ctx.Done():
		log.Info("stopping")
	case err = <-failed:
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	for _, s := range all {
		if stopped := s.server.Shutdown(within); stopped != nil {
			err = errors.Join(err, fmt.Errorf("requests that did not end in time: %w", stopped), s.server.Close())
		}
	}
	return err
}

func listen(setting string, mode os.FileMode) (net.Listener, error) {
	network, address := command.ListenAddress(setting)
	if network == "unix" {
		// One that a killed server left is in the way; a living one is not ours to take.
		if conn, err := net.Dial(network, address); err == nil {
			conn.Close()
			return nil, &noPort{setting, "", errors.New("another process is listening there")}
		}
		if info, err := os.Lstat(address); err == nil && info.Mode()&os.ModeSocket != 0 {
			if err := os.Remove(address); err != nil {
				return nil, &noPort{setting, "", err}
			}
		}
	}
	if network == "unix" {
		// From its first moment: nothing else runs yet that creates files.
		defer syscall.Umask(syscall.Umask(0o177))
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, &noPort{setting, "", err}
	}
	if network == "unix" {
		if err := os.Chmod(address, mode); err != nil {
			return nil, errors.Join(&noPort{setting, "", err}, l.Close())
		}
	}
	return l, nil
}

// noPort means the address to listen on cannot be had.
type noPort struct {
	setting string
	key     string // "" for the address of the pages, which -listen sets too
	cause   error
}

func (e *noPort) Error() string {
	why := e.cause.Error()
	errno, ok := errors.AsType[syscall.Errno](e.cause)
	switch {
	case errno == syscall.EADDRINUSE:
		why = "another program is using it"
	case errno == syscall.EADDRNOTAVAIL:
		why = "it is not an address of this machine"
	case ok:
		why = errno.Error() // without the address a second time
	}
	return "cannot listen on " + e.setting + ": " + why
}

func (e *noPort) Unwrap() []error { return []error{command.ErrPort, e.cause} }

// Hint says what to try.
func (e *noPort) Hint() string {
	switch errno, ok := errors.AsType[syscall.Errno](e.cause); {
	case e.key != "":
		return "choose another address of this machine, and a port that is free, in " + e.key
	case errno == syscall.EACCES && !strings.HasPrefix(e.setting, "unix:"):
		return "ports below 1024 need a privilege; choose a higher one with -listen, and let a proxy take the low one"
	case !ok || errno == syscall.EADDRINUSE:
		return "stop the other one, or choose another address with -listen 127.0.0.1:8081"
	case strings.HasPrefix(e.setting, "unix:"):
		return "name a socket in a directory that exists and that the user who runs Gatelodge may write to"
	}
	return "choose another address with -listen 127.0.0.1:8080"
}

// greet says where the server is and, until it was used, the set-up link, and
// more.
func greet(ctx context.Context, p command.Process, a *app.App, listener net.Listener, more string) error {
	version, _ := command.Version()
	origin := strings.TrimSuffix(a.Config.Origin().String(), "/")
	fmt.Fprintf(p.Out, "Gatelodge %s\n  address: %s\n", version, origin)
	if at := listener.Addr().String(); !strings.Contains(origin, at) {
		fmt.Fprintf(p.Out, "  listens: %s\n", at)
	}
	fmt.Fprintf(p.Out, "  data:    %s\n", a.DB.Dir())
	if a.Outbox.Capture {
		also := "by \"gatelodge mail show\""
		if at := a.InboxURL(""); at != "" {
			also = "at " + at
		}
		fmt.Fprintf(p.Out, "  mail:    captured, shown here and %s\n", also)
	}
	link, err := command.SetUpLink(ctx, a)
	if err != nil {
		return err
	}
	if link != "" {
		fmt.Fprintf(p.Out, "\nMake the first admin here:\n  %s\n", link)
	}
	fmt.Fprintln(p.Out, more)
	return nil
}

func newLog(w io.Writer, c *config.Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.Log.Level}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
