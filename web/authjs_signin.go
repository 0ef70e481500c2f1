package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"gatelodge/app/account"
	"gatelodge/app/apps"
	"gatelodge/app/apps/authjs"
	"gatelodge/app/fault"
	"gatelodge/app/login"
	"gatelodge/app/secret"
)

// providerJSON is a way to sign in as clients list it.
type providerJSON struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Type        string `json:"type"`
	SigninURL   string `json:"signinUrl"`
	CallbackURL string `json:"callbackUrl"`
}

// providers lists the ways to sign in at a site.
func (s *Server) providers(st site) []providerJSON {
	var list []providerJSON
	add := func(id, name, kind string) {
		if st.app != nil && len(st.app.Providers) > 0 && !slices.Contains(st.app.Providers, id) {
			return
		}
		list = append(list, providerJSON{ID: id, Name: name, Type: kind, SigninURL: st.base("signin/" + id), CallbackURL: st.base("callback/" + id)})
	}
	emails := st.dialect.Emails
	if st.app != nil && len(st.app.Providers) > 0 {
		emails = authjs.Emails
	}
	for _, id := range emails {
		add(id, "Email", "email")
	}
	return list
}

// getProviders answers the ways to sign in, by id.
func (s *Server) getProviders(w http.ResponseWriter, _ *http.Request, st site) error {
	byID := make(map[string]providerJSON)
	for _, p := range s.providers(st) {
		byID[p.ID] = p
	}
	return s.authJSON(w, st, http.StatusOK, byID)
}

// postSignInProvider begins to sign in by the way that the path names.
func (s *Server) postSignInProvider(w http.ResponseWriter, r *http.Request, st site) error {
	st, own, err := s.readAuthForm(w, r, st)
	if err != nil {
		return err
	}
	to := s.landing(w, r, st)
	s.csrfToken(w, r, st)
	switch {
	case !own:
		return s.tell(w, r, st, authjs.BadForm, "")
	case slices.Contains(authjs.Emails, st.provider):
		return s.postSignInEmail(w, r, st, to)
	}
	return s.tell(w, r, st, authjs.NoProvider, "")
}

// postSignInEmail mails a link, or takes the code of one that was mailed.
func (s *Server) postSignInEmail(w http.ResponseWriter, r *http.Request, st site, to string) error {
	a := s.entering(s.readAttempt(r, st), st, to)
	if code := r.PostForm.Get("code"); code != "" {
		out, err := s.Login.EnterCode(r.Context(), s.from(r), &a.Login, code, s.ownToken(r, st))
		return s.entered(w, r, st, a, out, err, to)
	}
	a.Return = login.LocalPath(localOf(st, to))
	err := s.Login.SendLink(r.Context(), s.from(r), &a.Login, r.PostForm.Get("email"), s.printer(r).Tag())
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Field != "" {
		s.refused(r, f)
		setRetry(w, f)
		if f.Kind == fault.Limited {
			return s.tell(w, r, st, authjs.Limited, "rate_limited")
		}
		return s.tell(w, r, st, authjs.BadAddress, "")
	}
	if err != nil {
		return err
	}
	if err := s.saveAttempt(w, st, a); err != nil {
		return err
	}
	return s.lead(w, r, st, http.StatusOK, st.base("verify-request?provider="+url.QueryEscape(st.provider)+"&type=email"))
}

// localOf returns a landing on our own pages as a path.
func localOf(st site, to string) string {
	if st.app != nil {
		return "/"
	}
	if rest := to[len(st.origin):]; rest != "" {
		return rest
	}
	return "/"
}

// maxMailedURL bounds what a mailed link, and the cookie that remembers it, tells
// of where to land.
const maxMailedURL = 600

// entering makes an attempt at an App's own address one for that App alone.
func (s *Server) entering(a attempt, st site, to string) attempt {
	if st.app == nil {
		a.Entry = nil
		return a
	}
	a.Begin()
	hash, _ := secret.Hash(a.Browser)
	if len(to) > maxMailedURL {
		to = st.origin
	}
	provider := st.provider
	if provider == "" {
		provider = "email"
	}
	a.Entry = &login.Entry{
		App: st.app.Name, Browser: hash, Origin: st.origin, Here: true,
		Link: st.base("callback/" + provider + "?callbackUrl=" + url.QueryEscape(to)),
	}
	return a
}

// ownToken returns the token of a session on our own pages that a new one
// replaces; an App's address never has it.
func (s *Server) ownToken(r *http.Request, st site) string {
	if st.app != nil {
		return ""
	}
	return s.cookies.sessionToken(r)
}

// entered answers a proof at a site: the session's cookie and the way on, or in
// what it failed.
func (s *Server) entered(w http.ResponseWriter, r *http.Request, st site, a attempt, out login.Outcome, err error, to string) error {
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind != fault.Internal && f.Kind != fault.Unavailable {
		s.refused(r, f)
		setRetry(w, f)
		if err := s.saveAttempt(w, st, a); err != nil {
			return err
		}
		switch {
		case errors.Is(f, apps.ErrNotAllowed):
			return s.tell(w, r, st, authjs.Denied, "")
		case errors.Is(f, account.ErrAccessClosed):
			return s.tell(w, r, st, authjs.NeedsMore, "account_disabled")
		case f.Kind == fault.Limited:
			return s.tell(w, r, st, authjs.Limited, "rate_limited")
		}
		return s.tell(w, r, st, authjs.WrongPassword, "")
	}
	if err != nil {
		return err
	}
	if out.Need != "" {
		if err := s.saveAttempt(w, st, a); err != nil {
			return err
		}
		return s.tell(w, r, st, authjs.NeedsMore, "totp_required")
	}
	if err := s.signInSite(w, r, st, out); err != nil {
		return err
	}
	return s.lead(w, r, st, http.StatusOK, to)
}

// signInSite gives the browser the cookie of the session that began.
func (s *Server) signInSite(w http.ResponseWriter, r *http.Request, st site, out login.Outcome) error {
	v := visitor{token: out.Token}
	if st.app != nil {
		v.token = out.AppToken
		for _, d := range st.readers() {
			v.showing = append(v.showing, authjs.Join(r.Cookies(), d.Names(st.secure).Session).Names...)
		}
	}
	v.Session, v.User = out.Session, out.User
	s.dropAttempt(w, st)
	return s.setSiteSession(w, st, v)
}

// postAuthSignOut ends the session: everywhere it reaches, not at this site
// alone.
func (s *Server) postAuthSignOut(w http.ResponseWriter, r *http.Request, st site) error {
	st, own, err := s.readAuthForm(w, r, st)
	if err != nil {
		return err
	}
	to := s.landing(w, r, st)
	s.csrfToken(w, r, st)
	if !own {
		return s.tell(w, r, st, authjs.BadSignOut, "")
	}
	v, err := s.visitor(r, st)
	if err != nil {
		return err
	}
	if v.in {
		if st.app == nil {
			err = s.Sessions.SignOut(r.Context(), s.from(r), v.token)
		} else {
			err = s.Sessions.SignOutApp(r.Context(), s.from(r), st.app.Name, v.token)
		}
		if err != nil {
			return err
		}
	}
	if st.app == nil {
		s.cookies.dropSession(w)
	}
	for _, name := range v.showing {
		s.dropSiteCookie(w, st, name)
	}
	return s.lead(w, r, st, http.StatusOK, to)
}
