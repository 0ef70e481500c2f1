package web

import (
	"errors"
	"net/http"

	"gatelodge/app/account"
	"gatelodge/app/fault"
	"gatelodge/app/links"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/app/session"
)

// layout returns what every page needs, for a reader nobody knows.
func (s *Server) layout(r *http.Request) Layout {
	l := Layout{Instance: s.Name, Host: s.Origin.Host, Contact: s.Contact, Now: s.Now().In(s.cookies.zone(r)), Theme: s.cookies.theme(r)}
	l.Begun = l.Now.Unix()
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return l
	}
	if len(r.Header["Cookie"]) == 0 {
		l.Begun = 0 // it was filled wrongly, and the cookie may have been too old
	}
	// The answer to a form has an address of its own only for forms: the
	// language links lead to the page it stands on.
	l.Path = formPage(r.Pattern)
	return l
}

// formPage returns the page that holds the form of a route.
func formPage(pattern string) string {
	switch pattern {
	case "/account/emails/primary", "/account/emails/remove", "/account/emails/cancel":
		return "/account/emails"
	case "/account/profile", "/account/password", "/account/emails", "/account/close", "/account/confirm", "/signin/forgot",
		"/signin/code", "/signin/password", "/signin", "/signup", "/setup", "/account",
		"/admin/invites", "/admin/groups", "/admin/mail/test":
		return pattern
	case "/signin/resend":
		return "/signin/code"
	}
	return "/"
}

// ref returns what a person can quote about this request.
func (s *Server) ref(r *http.Request, f *fault.Fault) Ref {
	return Ref{Reference: reference(r), At: s.Now().UTC(), What: f.Text}
}

// errorPage says a fault in the reader's words and where to go from there.
func (s *Server) errorPage(r *http.Request, f *fault.Fault) ErrorPage {
	p := s.printer(r)
	page := ErrorPage{Layout: s.layout(r), Next: Link{Text: p.Say("error.start"), Href: "/"}, Ref: s.ref(r, f)}
	switch {
	case !s.Lang.Has(f.Text):
		page.Heading, page.Text = s.say(p, f, ".title"), s.say(p, f, ".text")
	case f.Kind == fault.Limited:
		// One sentence, meant for the side of a field: this page has none.
		page.Heading, page.Text = p.Say("error.limited.title"), s.say(p, f, "")
	default:
		page.Heading, page.Text = p.Say("error.refused.title"), s.say(p, f, "")
	}
	switch {
	case errors.Is(f, errHost):
		page.Next = Link{Text: p.Say("error.open_right", "url", s.Origin.String()), Href: s.Origin.String()}
	case errors.Is(f, errInboxKey):
		// A browser that opened the printed address from a page of another site has
		// the cookie, and sends it from here on.
		page.Next = Link{Text: p.Say("devmail.again"), Href: "/dev/mail"}
	case errors.Is(f, login.ErrStateLost), f.Reason == fault.Provider, errors.Is(f, account.ErrEmailFirst), errors.Is(f, people.ErrNotInvited),
		errors.Is(f, people.ErrInviteUsed), errors.Is(f, people.ErrInviteKnown):
		page.Next = Link{Text: p.Say("error.back_to_sign_in"), Href: "/signin"}
	}
	return page
}

// current returns who is signed in, or session.ErrNone.
func (s *Server) current(w http.ResponseWriter, r *http.Request) (session.Current, error) {
	token := s.cookies.sessionToken(r)
	if token == "" {
		return session.Current{}, session.ErrNone
	}
	cur, err := s.Sessions.Resume(r.Context(), token, func() string { return s.Proxies.Client(r).String() })
	if err == nil && cur.Renewed {
		s.cookies.setSession(w, token, cur.Session, s.Now())
	}
	return cur, err
}

// toSignIn sends somebody who is not signed in to the sign-in page, and keeps
// where they wanted to go. Who thought to be signed in is told. A form is not kept: it
// leads back to its page after sign-in, and the sign-in page says that it was not saved.
func (s *Server) toSignIn(w http.ResponseWriter, r *http.Request) error {
	a := s.cookies.readLogin(r)
	if r.Method == http.MethodGet {
		a.Return = links.Local(r.URL.RequestURI())
	}
	switch {
	case r.Method == http.MethodPost:
		a.Notice = "session.unsaved"
		if page := formPage(r.Pattern); page != "/" {
			a.Return = page
		}
	case s.cookies.sessionToken(r) != "":
		// The cookie stays: another tab may have got its new token a moment ago.
		a.Notice = "session.ended"
	}
	if err := s.cookies.saveLogin(w, a); err != nil {
		return err
	}
	return s.redirect(w, r, "/signin")
}

// notice takes the sentence that waits for the next page out of the attempt.
// The caller saves the attempt.
func (s *Server) notice(r *http.Request, a *attempt) string {
	if a.Notice == "" {
		return ""
	}
	text := s.printer(r).Say(a.Notice, "n", a.Count)
	a.Notice, a.Count, a.Warns, a.Form, a.At = "", 0, false, "", ""
	return text
}

func (s *Server) getHome(w http.ResponseWriter, r *http.Request) error {
	_, err := s.current(w, r)
	switch {
	case err == nil:
		return s.redirect(w, r, "/account")
	case !errors.Is(err, session.ErrNone):
		return err
	}
	open, err := s.Users.SetUpOpen(r.Context())
	if err != nil {
		return err
	}
	if open {
		return s.redirect(w, r, "/setup")
	}
	return s.redirect(w, r, "/signin")
}

// getError shows the error page by its own address: for apps that send people
// here. It says nothing that stands in the address.
func (s *Server) getError(http.ResponseWriter, *http.Request) error { return errNotFound }
