// Package app decides. It builds the services from a configuration and an open
// store, in the order in which they need each other, and runs what works in the
// background: the mail queue, the sweeping, and the writing of what can wait.
package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatelodge/app/account"
	"gatelodge/app/apps"
	"gatelodge/app/audit"
	"gatelodge/app/backup"
	"gatelodge/app/challenge"
	"gatelodge/app/clock"
	"gatelodge/app/config"
	"gatelodge/app/email"
	"gatelodge/app/factor/password"
	"gatelodge/app/keys"
	"gatelodge/app/lang"
	"gatelodge/app/limit"
	"gatelodge/app/links"
	"gatelodge/app/login"
	"gatelodge/app/mail/check"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/dkim"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/mail/post"
	"gatelodge/app/mail/queue"
	"gatelodge/app/mail/resolve"
	"gatelodge/app/mail/submission"
	"gatelodge/app/people"
	"gatelodge/app/proxy"
	"gatelodge/app/secret"
	"gatelodge/app/session"
	"gatelodge/app/upstream"
	"gatelodge/store"
)

// App is the server: its services on an open store.
type App struct {
	Config     *config.Config
	DB         *store.DB
	Lang       *lang.Catalog
	Audit      *audit.Log
	Recent     *audit.Recent
	Proxies    *proxy.Reader
	Limits     *limit.Limiter
	Keys       *keys.Keys
	Backups    *backup.Backups
	Users      *people.Users
	Sessions   *session.Sessions
	Upstreams  *upstream.Upstreams
	Apps       *apps.Apps
	Login      *login.Flow
	Account    *account.Service
	Invites    *people.Invites
	Applicants *people.Applicants
	Composer   *compose.Composer
	Queue      *queue.Queue
	Post       *post.Service
	Outbox     *outbox.Outbox
	Smarthost  *deliver.Smarthost // nil where there is none
	Direct     *deliver.Direct    // nil unless mail goes to the recipients' own servers
	Resolver   *resolve.Resolver
	DKIM       *dkim.Ring
	Check      *check.Checker
	Roots      *x509.CertPool // nil for the system's
	Clock      *clock.Clock
	Now        func() time.Time // Clock's
	Relay      *submission.Service
	Listener   *submission.Listener // nil: apps hand over mail over HTTP alone
	Passwords  *password.Hasher     // nil: passwords are off
	InboxKey   string               // opens /dev/mail until the server ends; "" where there is none
	Log        *slog.Logger

	standby  *deliver.Fallback // of both, or nil
	counters counters

	refusedReload atomic.Pointer[RefusedReload]
}

// Options are what Open needs besides the configuration.
type Options struct {
	Log *slog.Logger
	Now func() time.Time // nil is time.Now
	// Steady never goes back and is not set by anybody; nil is the system's.
	Steady func() time.Duration
	// Cost is what a password's hash costs; zero is what package config says. Tests
	// that are not about it take less.
	Cost password.Cost
	// Lang is every sentence; nil reads them. Tests that open many servers read them once.
	Lang *lang.Catalog
	// Captured is where a short notice of each captured mail goes; nil discards.
	Captured io.Writer
}

// Open opens the store and builds the services on it. Close it.
func Open(ctx context.Context, c *config.Config, o Options) (*App, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Steady == nil {
		o.Steady = clock.Steady()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	roots, err := rootsOf(c.Mail.CAFile)
	if err != nil {
		return nil, err
	}
	registered, err := apps.New(c.Apps)
	if err != nil {
		return nil, err
	}
	// A start waits for the disk; the sentences are read meanwhile.
	catalog := o.Lang
	var wrong error
	var reading sync.WaitGroup
	if catalog == nil {
		reading.Go(func() { catalog, wrong = lang.Load() })
	}
	db, err := store.Open(ctx, store.Options{Dir: c.DataDir, Database: c.Database.Reveal(), Log: o.Log, Now: o.Now})
	reading.Wait()
	if err != nil {
		return nil, err
	}
	if wrong != nil {
		return nil, errors.Join(fmt.Errorf("loading the sentences: %w", wrong), db.Close())
	}
	if _, err := apps.Rekey(ctx, db, registered.Snapshot()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	trusted, err := clockOf(ctx, db, o)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	o.Now = trusted.Now
	a := &App{
		Clock: trusted, Config: c, DB: db, Lang: catalog, Apps: registered, Roots: roots, Now: o.Now, Log: o.Log,
		Audit: audit.New(db, o.Now, o.Log), Recent: audit.NewRecent(), Limits: limit.NewShared(o.Now, db, o.Log),
	}
	a.Proxies = proxy.New(c.Trusted(), c.Origin().Host, o.Now, o.Log)
	a.counters = newCounters()
	a.Audit.OnEvent = a.counters.countEvent
	a.Keys = keys.New(db, a.Audit, o.Log)
	a.Backups = backup.New(backup.Config{
		DB: db, Audit: a.Audit, Log: o.Log, Now: o.Now, Every: time.Duration(c.Backup.Every), Keep: c.Backup.Keep, Dir: c.Backup.Dir,
	})
	a.build(o)
	return a, nil
}

func (a *App) build(o Options) {
	c, keys := a.Config, a.DB.Keyring()
	a.Users = &people.Users{DB: a.DB, Audit: a.Audit, Limits: a.Limits, Now: a.Now, Policy: people.NewSignupPolicy(c.Signup.Mode, c.Signup.Domains)}
	var starter *session.Starter
	a.Sessions, starter = session.New(a.DB, a.Audit, a.Now, a.Log, session.Lifetime{
		Rolling: time.Duration(c.Session.Lifetime), Refresh: time.Duration(c.Session.Refresh), Max: time.Duration(c.Session.MaxLifetime),
	})
	a.buildTransports()
	from := c.MailFrom()
	a.Composer = &compose.Composer{From: from, ReplyTo: replyTo(c.Contact), Site: c.Name, Host: c.Origin().Host, Hue: c.Theme.Hue, Lang: a.Lang}
	if dir := c.Mail.Templates; dir != "" {
		templates, problems := compose.LoadTemplates(dir, a.Lang)
		for _, err := range problems {
			a.Log.Warn("a message of your own cannot be used; ours is sent instead", "err", err)
		}
		a.Composer.Templates = templates
		a.Composer.Troubled = func(err error) {
			a.Log.Warn("a message of your own could not be used; ours was sent instead", "err", err)
		}
	}
	a.Relay = &submission.Service{
		DB: a.DB, Limits: a.Limits, Lang: a.Lang, From: from, Host: c.EHLOName(), Key: keys.Derive("recipient hash"), Now: a.Now, Log: a.Log,
	}
	a.Queue = queue.New(queue.Config{
		DB: a.DB, Now: a.Now, Log: a.Log, From: from.Address, Transport: a.transport(), Doubtful: a.Clock.Doubtful,
		Relayed: a.Relay.OnReport, Ended: a.counters.countAttempt,
		Captured: func(w store.Work) { a.announce(o.Captured, w) },
	})
	a.Outbox = &outbox.Outbox{DB: a.DB, Audit: a.Audit, Queue: a.Queue, Now: a.Now, Key: keys.Derive("recipient hash"), Capture: c.Mail.Mode == "capture", Composer: a.Composer, Send: a.Send}
	if a.Outbox.Capture && c.Local() {
		a.InboxKey = secret.Token()
	}
	a.Relay.Queue = a.Queue
	a.Listener = a.listener()
	a.Post = &post.Service{Queue: a.Queue, Composer: a.Composer, Key: keys.Derive("recipient hash"), Now: a.Now}
	if c.Password.Enabled {
		cost := o.Cost
		if cost == (password.Cost{}) {
			cost = password.Cost{Memory: config.PasswordMemory, Passes: config.PasswordPasses, Lanes: config.PasswordLanes}
		}
		a.Passwords = password.New(cost, password.Slots(), config.PasswordQueue)
	}
	challenges := &challenge.Maker{Key: keys.Derive("code"), Now: a.Now, LinkFor: time.Duration(c.Link.Lifetime), CodeFor: time.Duration(c.Link.CodeLifetime)}
	public := strings.TrimSuffix(c.Origin().String(), "/")
	a.Upstreams = upstream.New(c.Upstreams, upstream.Options{
		DB: a.DB, Limits: a.Limits, Now: a.Now, Log: a.Log, PublicURL: public, Tokens: func(id string) bool { return a.Apps.Snapshot().MayHaveTokens(id) },
	})
	a.Invites = &people.Invites{
		DB: a.DB, Audit: a.Audit, Users: a.Users, Apps: a.Apps, Post: a.Post, Queue: a.Queue, Now: a.Now, PublicURL: public, Contact: replyTo(c.Contact),
	}
	a.Applicants = &people.Applicants{DB: a.DB, Audit: a.Audit, Users: a.Users, Post: a.Post, Queue: a.Queue, Now: a.Now, PublicURL: public}
	a.Login = login.New(starter, &login.Flow{
		DB: a.DB, Audit: a.Audit, Limits: a.Limits, Users: a.Users, Applicants: a.Applicants, Apps: a.Apps, Sessions: a.Sessions, Queue: a.Queue, Post: a.Post, Now: a.Now,
		Upstreams: a.Upstreams, Passwords: a.Passwords, Log: a.Log,
		Challenges: challenges, PublicURL: public,
	})
	a.Account = &account.Service{
		DB: a.DB, Audit: a.Audit, Limits: a.Limits, Users: a.Users, Challenges: challenges, Post: a.Post, Queue: a.Queue, Upstreams: a.Upstreams,
		Passwords: a.Passwords, Apps: a.Apps,
		Now: a.Now, PublicURL: public, Site: c.Name,
	}
}

// listener is where other apps hand over their mail over SMTP, or nil. It has to
// run.
func (a *App) listener() *submission.Listener {
	s := a.Config.Mail.Submission
	if s.Listen == "" {
		return nil
	}
	return &submission.Listener{Address: s.Listen, Now: a.Now, Log: a.Log, Open: func() (*submission.Server, error) {
		certificate, err := submission.OpenCertificate(s.CertFile, s.KeyFile, a.DB.Dir(), a.Config.EHLOName(), a.Now())
		if err != nil {
			return nil, err
		}
		return submission.Listen(a.Relay, s.Listen, certificate, s.TLS == "implicit")
	}}
}

// replyTo returns the address in who runs this, where there is one.
func replyTo(contact string) string {
	a, err := mail.ParseAddress(contact)
	if err != nil {
		return ""
	}
	if _, err := email.Normal(a.Address); err != nil {
		return ""
	}
	return a.Address
}

// announce prints a captured mail on the terminal.
func (a *App) announce(w io.Writer, m store.Work) {
	if w == nil {
		return
	}
	text, err := outbox.Notice(m)
	if err != nil {
		a.Log.Error("a captured mail could not be shown", "message", m.ID, "err", err)
		return
	}
	read := "by: gatelodge mail show " + m.ID
	if a.InboxKey != "" {
		read = "at " + a.InboxURL(m.ID)
	}
	fmt.Fprintf(w, "%s\n  read it %s\n\n", text, read)
}

// InboxURL returns the address at which a browser opens the captured mail with
// that id, or all of it when id is "". It holds the key, so it is for the
// operator's terminal alone. It returns "" where mail has no such page.
func (a *App) InboxURL(id string) string {
	if a.InboxKey == "" {
		return ""
	}
	return a.Config.Origin().JoinPath(links.Inbox, id).String() + "?key=" + a.InboxKey
}

// Run works in the background until ctx ends. Then it stops claiming mail,
// waits for what is past the final dot, and writes what waited.
func (a *App) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { a.Queue.Run(ctx) })
	running.Go(func() { a.sweep(ctx) })
	running.Go(func() { a.Keys.Run(ctx) })
	running.Go(func() { a.watchForms(ctx) })
	running.Go(func() { a.Backups.Run(ctx) })
	if a.Direct != nil {
		running.Go(func() {
			a.Direct.STS.Run(ctx, func(err error) { a.Log.Error("MTA-STS policies could not be refreshed", "err", err) })
		})
	}
	running.Go(func() { a.Sessions.Run(ctx) })
	running.Go(func() { a.Audit.Run(ctx) })
	running.Wait()
}

// Close closes the store. Run must have returned.
func (a *App) Close() error { return a.DB.Close() }

// CookieKeys returns the keys of the login cookie.
func (a *App) CookieKeys() (sign, seal []byte) {
	keys := a.DB.Keyring()
	return keys.Derive("login cookie signature"), keys.Derive("login cookie")
}

// Operator is who acts on the command line, for the audit log.
func Operator() audit.Origin {
	return audit.Origin{IP: login.OperatorIP, Network: login.OperatorIP, Device: login.OperatorDevice, Reference: secret.Reference()}
}
