package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"gatelodge/app/apps/authjs"
	"gatelodge/app/fault"
	"gatelodge/app/gate"
	"gatelodge/app/links"
	"gatelodge/app/login"
	"gatelodge/app/secret"
	"gatelodge/app/session"
	"gatelodge/store"
	"gatelodge/web/shell"
)

// providerJSON is a way to sign in as clients list it.
type providerJSON struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Type        string `json:"type"`
	SigninURL   string `json:"signinUrl"`
	CallbackURL string `json:"callbackUrl"`
}

// passwordID is the way to sign in by a password.
const passwordID = "credentials"

// methods lists every sign-in method at a site.
func (s sessionAPI) methods(st site) []providerJSON {
	var list []providerJSON
	add := func(id, name, kind string) {
		list = append(list, providerJSON{ID: id, Name: name, Type: kind, SigninURL: st.base("signin/" + id), CallbackURL: st.base("callback/" + id)})
	}
	if s.Passwords {
		add(passwordID, "Password", "credentials")
	}
	for _, id := range authjs.Emails {
		add(id, "Email", "email")
	}
	for _, up := range s.Upstreams.All() {
		kind := up.Type()
		if !st.dialect.OIDC {
			kind = "oauth"
		}
		add(up.ID, up.Name, kind)
	}
	return list
}

// providers lists the sign-in methods at a site that its clients get: those an
// App names, in its order, else all, mail by the names its generation uses.
func (s sessionAPI) providers(st site) []providerJSON {
	all := s.methods(st)
	var list []providerJSON
	if st.app != nil && len(st.app.AuthJS.Providers) > 0 {
		for _, id := range st.app.AuthJS.Providers {
			if n := slices.IndexFunc(all, func(p providerJSON) bool { return p.ID == id }); n >= 0 {
				list = append(list, all[n])
			}
		}
		return list
	}
	for _, p := range all {
		if p.Type != "email" || slices.Contains(st.dialect.Emails, p.ID) {
			list = append(list, p)
		}
	}
	return list
}

// offers reports whether one may sign in by a way at a site. An App that names one
// name of mail means all of them.
func (s sessionAPI) offers(st site, id string) bool {
	all := s.methods(st)
	n := slices.IndexFunc(all, func(p providerJSON) bool { return p.ID == id })
	if n < 0 || st.app == nil || len(st.app.AuthJS.Providers) == 0 {
		return n >= 0
	}
	return slices.ContainsFunc(st.app.AuthJS.Providers, func(named string) bool {
		return named == id || all[n].Type == "email" && slices.Contains(authjs.Emails, named)
	})
}

// getProviders answers the sign-in methods, by id and in order: apps make a row of
// buttons of them.
func (s sessionAPI) getProviders(w http.ResponseWriter, _ *http.Request, st site) error {
	var b bytes.Buffer
	for i, p := range s.providers(st) {
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", p.ID, text)
	}
	return s.authJSON(w, st, http.StatusOK, json.RawMessage("{"+b.String()+"}"))
}

// postSignInProvider begins to sign in by the way that the path names.
func (s sessionAPI) postSignInProvider(w http.ResponseWriter, r *http.Request, st site) error {
	st, own, err := s.readAuthForm(w, r, st)
	if err != nil {
		return err
	}
	to := s.landing(w, r, st)
	s.csrfToken(w, r, st)
	switch {
	case !own:
		return s.tell(w, r, st, authjs.BadForm, "")
	case !s.offers(st, st.provider):
		return s.tell(w, r, st, authjs.NoProvider, "")
	case slices.Contains(authjs.Emails, st.provider):
		return s.postSignInEmail(w, r, st, to)
	}
	if up := s.Upstreams.Named(st.provider); up != nil {
		return s.signInWith(w, r, st, up, to)
	}
	return s.tell(w, r, st, authjs.NoProvider, "")
}

// postSignInNowhere leads a form that names no way to where there are some.
func (s sessionAPI) postSignInNowhere(w http.ResponseWriter, r *http.Request, st site) error {
	st, own, err := s.readAuthForm(w, r, st)
	if err != nil {
		return err
	}
	s.landing(w, r, st)
	if !own {
		return s.tell(w, r, st, authjs.BadForm, "")
	}
	return s.lead(w, r, st, http.StatusOK, st.base("signin"))
}

// postCredentials signs in with a password. What an app's own form calls the field
// for the name, we take.
func (s sessionAPI) postCredentials(w http.ResponseWriter, r *http.Request, st site, to string) error {
	name := ""
	for _, field := range []string{"email", "username", "identifier", "login", "name"} {
		if name = r.PostForm.Get(field); name != "" {
			break
		}
	}
	a := s.entering(s.readAttempt(r, st), st, to)
	out, err := s.Login.WithPassword(r.Context(), s.From(r), &a.Login, name, r.PostForm.Get("password"), s.ownToken(r, st))
	return s.entered(w, r, st, a, out, err, to)
}

// postSignInEmail mails a link, or takes the code of one that was mailed.
func (s sessionAPI) postSignInEmail(w http.ResponseWriter, r *http.Request, st site, to string) error {
	a := s.entering(s.readAttempt(r, st), st, to)
	if code := r.PostForm.Get("code"); code != "" {
		out, err := s.Login.EnterCode(r.Context(), s.From(r), &a.Login, code, s.ownToken(r, st))
		return s.entered(w, r, st, a, out, err, to)
	}
	a.Return = links.Local(localOf(st, to))
	err := s.Login.SendLink(r.Context(), s.From(r), &a.Login, r.PostForm.Get("email"), s.Printer(r).Tag())
	if f := shell.InField(err); f != nil {
		s.Refused(r, f)
		shell.SetRetry(w, f)
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
func (s sessionAPI) entering(a shell.Attempt, st site, to string) shell.Attempt {
	a.OnlySignIn()
	a.Confirms = "" // a client that signs in wants a session
	if st.app == nil {
		a.AppLogin = nil
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
	a.AppLogin = &login.AppLogin{
		App: st.app.ID, Browser: hash, Origin: st.origin, Here: true,
		Link: st.base("callback/" + provider + "?callbackUrl=" + url.QueryEscape(to)),
	}
	return a
}

// ownToken returns the token of a session on our own pages that a new one
// replaces; an App's address never has it.
func (s sessionAPI) ownToken(r *http.Request, st site) string {
	if st.app != nil {
		return ""
	}
	return s.Cookies.SessionToken(r)
}

// entered answers a proof at a site: the session's cookie and the way on, or in
// what it failed.
func (s sessionAPI) entered(w http.ResponseWriter, r *http.Request, st site, a shell.Attempt, out login.Outcome, err error, to string) error {
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Kind != fault.Internal && f.Kind != fault.Unavailable {
		s.Refused(r, f)
		shell.SetRetry(w, f)
		switch {
		case errors.Is(f, gate.ErrSuspended), errors.Is(f, gate.ErrClosing):
			return s.tell(w, r, st, authjs.Closed, "account_disabled")
		case f.Kind == fault.Denied: // the App is not for them, or they may not come at all
			return s.tell(w, r, st, authjs.Denied, "")
		case f.Kind == fault.Limited:
			return s.tell(w, r, st, authjs.Limited, "rate_limited")
		}
		return s.tell(w, r, st, authjs.WrongPassword, "")
	}
	if err != nil {
		return err
	}
	if out.Need != "" {
		return s.needsMore(w, r, st, a)
	}
	if err := s.signInSite(w, r, st, out); err != nil {
		return err
	}
	return s.lead(w, r, st, http.StatusOK, st.onward(out.User, out.Session, to))
}

// firstFor is how close together an address was proven and the session began, of
// somebody who signs in for the first time: it is one transaction.
const firstFor = 2 * time.Second

// onward is where somebody who signed in goes: the first time to the App's page
// for new people, where it has one.
func (st site) onward(u store.User, row store.Session, to string) string {
	if st.app == nil || st.app.AuthJS.Pages.NewUser == "" || u.EmailVerifiedAt.IsZero() || row.CreatedAt.Sub(u.EmailVerifiedAt).Abs() > firstFor {
		return to
	}
	return st.origin + st.app.AuthJS.Pages.NewUser + "?callbackUrl=" + url.QueryEscape(to)
}

// signInSite gives the browser the cookies of the session that began.
func (s sessionAPI) signInSite(w http.ResponseWriter, r *http.Request, st site, out login.Outcome) error {
	s.dropAttempt(w, st)
	if st.app == nil {
		return s.signInHere(w, r, out)
	}
	v := visitor{token: out.AppToken, Current: session.Current{Session: out.Session, User: out.User}}
	if out.Device != "" {
		s.siteCookie(w, st, st.private(shell.DeviceCookie), out.Device, login.DeviceLifetime)
	}
	return s.setSiteSession(w, r, st, v, true)
}

// postAuthSignOut ends the session: everywhere it reaches, not at this site
// alone.
func (s sessionAPI) postAuthSignOut(w http.ResponseWriter, r *http.Request, st site) error {
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
			err = s.Sessions.SignOut(r.Context(), s.From(r), v.token)
		} else {
			err = s.Sessions.SignOutApp(r.Context(), s.From(r), st.app.ID, v.token)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case st.app != nil:
		if err := s.dropSiteSession(w, r, st, v.token); err != nil {
			return err
		}
	case v.in && !v.bearer:
		s.Cookies.DropSession(w)
	}
	return s.lead(w, r, st, http.StatusOK, to)
}
