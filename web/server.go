// Package web speaks HTTP: the sign-in and account pages, and the JSON that
// programs read.
//
// A handler reads a form, asks package app once for the decision, and turns
// the outcome into a page or a redirect. It returns an error and has written
// nothing when it does; one wrapper turns errors into pages, log lines and
// audit rows that share one Reference.
package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"gatelodge/app"
	"gatelodge/app/apps"
	"gatelodge/app/login"
	"gatelodge/app/mail/check"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/mail/submission"
	"gatelodge/app/people"
	"gatelodge/app/upstream"
	"gatelodge/web/shell"
)

// pages are what all pages have: the shell, the services that they call, and what an
// operator can set about them.
type pages struct {
	*shell.Shell

	Users      *people.Users
	Login      *login.Flow
	Upstreams  *upstream.Upstreams
	Apps       *apps.Apps
	Invites    *people.Invites
	Applicants *people.Applicants
	Outbox     *outbox.Outbox
	Check      *check.Checker
	Listener   *submission.Listener // nil: there is none

	MailFrom    string        // the address our mail comes from
	ConfirmCode bool          // a link from another browser asks for the code
	Passwords   bool          // people may sign in with one
	KeepFor     time.Duration // how long a session lasts that nobody uses

	own       site
	signKey   []byte // of cookies and of the session API's tokens
	assets    *Assets
	returning oneByOne            // from upstreams, by the state
	steps     map[login.Need]step // the pages of what an attempt can need
}

// The pages, by what they are for. Each has what those before it have.
type (
	signInPages  struct{ *pages }
	accountPages struct{ signInPages }
	adminPages   struct{ accountPages }
	inboxPages   struct{ *pages }
	sessionAPI   struct{ signInPages }
)

// Server answers requests. Make it with New.
type Server struct {
	sessionAPI
	account accountPages
	admin   adminPages
	inbox   inboxPages
	probes  probes

	handler http.Handler
}

// New returns the server of an instance's pages.
func New(a *app.App) (*Server, error) {
	c := a.Config
	assets, err := LoadAssets(c.Theme.Hue)
	if err != nil {
		return nil, err
	}
	templates, err := ParseTemplates(a.Lang, assets)
	if err != nil {
		return nil, err
	}
	sign, seal := a.CookieKeys()
	p := &pages{
		Users: a.Users, Login: a.Login, Upstreams: a.Upstreams, Apps: a.Apps, Invites: a.Invites, Applicants: a.Applicants,
		Outbox: a.Outbox, Check: a.Check, Listener: a.Listener,
		assets: assets, signKey: sign, MailFrom: a.Composer.From.Address, ConfirmCode: c.Link.Confirm == "code", Passwords: c.Password.Enabled, KeepFor: time.Duration(c.Session.Lifetime),
	}
	p.Shell, err = shell.New(shell.Config{
		Origin: c.Origin(), Name: c.Name, Contact: c.Contact, InboxKey: a.InboxKey,
		Sessions: a.Sessions, Account: a.Account, Relay: a.Relay, Audit: a.Audit, Recent: a.Recent, Proxies: a.Proxies, Limits: a.Limits,
		Lang: a.Lang, Cookies: shell.NewCookies(c.Origin(), sign, seal), Templates: templates, Now: a.Now, Log: a.Log,
		Entered: p.takeAsk, ErrorPage: p.errorPage,
	})
	if err != nil {
		return nil, err
	}
	p.own, p.Cookies.AppID = p.ownSite(), p.appID
	signIn := signInPages{p}
	s := &Server{sessionAPI: sessionAPI{signIn}, account: accountPages{signIn}, inbox: inboxPages{p}, probes: probes{pages: p, write: a.DB.Ready}}
	s.admin = adminPages{s.account}
	routes := s.routes()
	pages, api := s.router(routes), s.authAPI(routes)
	s.handler = s.Outermost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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

// router returns the routes with what happens outside them. The session API is not
// among them: a pattern for what there is not would cost every session check a copy of
// its request.
func (s *Server) router(routes []shell.Route) http.Handler {
	router := httprouter.New()
	router.RedirectTrailingSlash, router.RedirectFixedPath = false, false
	router.HandleOPTIONS = false
	router.NotFound = s.Handler(&shell.Route{Guard: shell.Anyone, Page: func(*shell.Request) error { return shell.ErrNotFound }})
	router.MethodNotAllowed = s.Handler(&shell.Route{Guard: shell.Anyone, Page: func(*shell.Request) error { return shell.ErrMethod }})
	for i := range routes {
		rt := &routes[i]
		if rt.Action != nil {
			continue
		}
		for _, method := range rt.Methods() {
			router.Handler(method, rt.Path, s.Handler(rt))
		}
	}
	return router
}
