// Package web speaks HTTP: the sign-in and account pages, and the JSON that
// programs read.
//
// A handler reads a form, asks package app once for the decision, and turns
// the outcome into a page or a redirect. It returns an error and has written
// nothing when it does; one wrapper turns errors into pages, log lines and
// audit rows that share one Reference.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/julienschmidt/httprouter"

	"gatelodge/app"
	"gatelodge/app/account"
	"gatelodge/app/apps"
	"gatelodge/app/audit"
	"gatelodge/app/lang"
	"gatelodge/app/limit"
	"gatelodge/app/login"
	"gatelodge/app/mail/check"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/mail/submission"
	"gatelodge/app/people"
	"gatelodge/app/proxy"
	"gatelodge/app/secret"
	"gatelodge/app/session"
	"gatelodge/app/upstream"
)

// Services are what the pages call.
type Services struct {
	Users      *people.Users
	Sessions   *session.Sessions
	Login      *login.Flow
	Upstreams  *upstream.Upstreams
	Apps       *apps.Apps
	Account    *account.Service
	Invites    *people.Invites
	Applicants *people.Applicants
	Outbox     *outbox.Outbox
	Check      *check.Checker
	Relay      *submission.Service
	Listener   *submission.Listener // nil: there is none
	Audit      *audit.Log
	Recent     *audit.Recent
	Proxies    *proxy.Reader
	Limits     *limit.Limiter
	Lang       *lang.Catalog
	Ready      func(context.Context) error // whether the store takes writes
	Now        func() time.Time
	Log        *slog.Logger
}

// Options are what an operator can set about the pages.
type Options struct {
	Origin      *url.URL      // the one origin people see
	Name        string        // of the instance
	Contact     string        // who runs it, or ""
	MailFrom    string        // the address our mail comes from
	ConfirmCode bool          // a link from another browser asks for the code
	Passwords   bool          // people may sign in with one
	KeepFor     time.Duration // how long a session lasts that nobody uses
	Hue         int
	InboxKey    string // opens the pages of captured mail; "" where there are none
	SignKey     []byte // of the login cookie; 32 bytes each
	SealKey     []byte
}

// Server answers requests. Make it with New.
type Server struct {
	Services
	Options
	cookies   *Cookies
	templates *Templates
	assets    *Assets
	handler   http.Handler
	readiness readiness
	own       site
	cross     *http.CrossOriginProtection
	returning oneByOne            // from upstreams, by the state
	steps     map[login.Need]step // the pages of what an attempt can need
}

// maxForm is more than any form of ours holds.
const maxForm = 64 << 10

// New returns the server of an instance's pages.
func New(a *app.App) (*Server, error) {
	c := a.Config
	sign, seal := a.CookieKeys()
	return build(Services{
		Users: a.Users, Sessions: a.Sessions, Login: a.Login, Upstreams: a.Upstreams, Apps: a.Apps, Account: a.Account, Invites: a.Invites, Applicants: a.Applicants,
		Outbox: a.Outbox, Check: a.Check, Relay: a.Relay, Listener: a.Listener, Audit: a.Audit, Recent: a.Recent, Proxies: a.Proxies,
		Limits: a.Limits, Lang: a.Lang, Ready: a.DB.Ready, Now: a.Now, Log: a.Log,
	}, Options{
		Origin: c.Origin(), Name: c.Name, Contact: c.Contact, MailFrom: a.Composer.From.Address,
		ConfirmCode: c.Link.Confirm == "code", Passwords: c.Password.Enabled, KeepFor: time.Duration(c.Session.Lifetime),
		Hue: c.Theme.Hue, InboxKey: a.InboxKey, SignKey: sign, SealKey: seal,
	})
}

func build(services Services, o Options) (*Server, error) {
	assets, err := LoadAssets(o.Hue)
	if err != nil {
		return nil, err
	}
	templates, err := ParseTemplates(services.Lang, assets)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Services: services, Options: o, assets: assets, templates: templates,
		cookies: NewCookies(o.Origin, o.SignKey, o.SealKey), cross: http.NewCrossOriginProtection(),
	}
	if err := s.cross.AddTrustedOrigin(o.Origin.Scheme + "://" + o.Origin.Host); err != nil {
		return nil, err
	}
	s.own, s.cookies.appID = s.ownSite(), s.appID
	routes := s.routes()
	pages, api := s.router(routes), s.authAPI(routes)
	s.handler = s.outermost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, authBase) {
			api.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	}))
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Header values that every answer has. They are shared: nobody may append.
var (
	headerNosniff    = []string{"nosniff"}
	headerNoReferrer = []string{"no-referrer"}
	headerNoStore    = []string{"no-store"}
	headerDeny       = []string{"DENY"}
	headerOpener     = []string{"same-origin"}
	headerHSTS       = []string{"max-age=31536000"}
	headerNothing    = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"}
)

// outermost gives each request its Reference and each answer its headers, and
// keeps a panic from ending more than its own request.
func (s *Server) outermost(next http.Handler) http.Handler {
	secure := s.Origin.Scheme == "https"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ref := []string{secret.Reference()}
		r.Header[referenceHeader] = ref
		h := w.Header()
		h[referenceHeader] = ref
		h["X-Content-Type-Options"] = headerNosniff
		h["Referrer-Policy"] = headerNoReferrer // pages have a policy of their own, see render
		h["Cache-Control"] = headerNoStore
		h["X-Frame-Options"] = headerDeny
		h["Cross-Origin-Opener-Policy"] = headerOpener
		h["Cross-Origin-Resource-Policy"] = headerOpener
		h["Content-Security-Policy"] = headerNothing
		if secure {
			h["Strict-Transport-Security"] = headerHSTS
		}
		next.ServeHTTP(w, r)
	})
}

// router returns the routes with what happens outside them. The session API is not
// among them: a pattern for what there is not would cost every session check a copy of
// its request.
func (s *Server) router(routes []Route) http.Handler {
	router := httprouter.New()
	router.RedirectTrailingSlash, router.RedirectFixedPath = false, false
	router.HandleOPTIONS = false
	router.NotFound = s.routeHandler(&Route{Guard: Anyone, Page: func(*Request) error { return errNotFound }})
	router.MethodNotAllowed = s.routeHandler(&Route{Guard: Anyone, Page: func(*Request) error { return errMethod }})
	for i := range routes {
		rt := &routes[i]
		if rt.Action != nil {
			continue
		}
		for _, method := range rt.methods() {
			router.Handler(method, rt.Path, s.routeHandler(rt))
		}
	}
	return router
}

// rightHost reports whether a request was sent to the host people see. On a
// loopback origin every loopback name is that; anything else is a page of
// another site that points its name here, or somebody who came by an address
// where neither cookies nor links will work. Ports are not compared: proxies
// lose them.
func (s *Server) rightHost(r *http.Request) bool {
	host, _ := proxy.SplitHost(proxy.NormalHost(r.Host))
	want, _ := proxy.SplitHost(s.Origin.Host)
	return strings.EqualFold(host, want) || loopbackName(host) && loopbackName(want)
}

func loopbackName(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// readiness remembers for a moment whether the store takes writes, so that
// asking often does not write often.
type readiness struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

const readyFor = time.Second

func (s *Server) ready(ctx context.Context) error {
	s.readiness.mu.Lock()
	defer s.readiness.mu.Unlock()
	if now := s.Now(); s.readiness.at.IsZero() || now.Sub(s.readiness.at) > readyFor {
		err := s.Ready(ctx)
		if errors.Is(err, context.Canceled) {
			return err // the asker went away; that says nothing about the store
		}
		s.readiness.at, s.readiness.err = now, err
	}
	return s.readiness.err
}
