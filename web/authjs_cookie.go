package web

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatelodge/app/apps/authjs"
	"gatelodge/app/login"
	"gatelodge/app/secret"
	"gatelodge/app/session"
	"gatelodge/store"
	"gatelodge/web/shell"
)

// siteCookie sets a cookie of the session API for as long as the browser is
// open, or for a time.
func (s *pages) siteCookie(w http.ResponseWriter, st site, name, value string, maxAge time.Duration) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: st.secure, SameSite: http.SameSiteLaxMode}
	if maxAge > 0 {
		c.MaxAge, c.Expires = int(maxAge.Seconds()), s.Now().Add(maxAge)
	}
	http.SetCookie(w, c)
}

// dropSiteCookie removes a cookie of the session API.
func (s *pages) dropSiteCookie(w http.ResponseWriter, st site, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", HttpOnly: true, Secure: st.secure, SameSite: http.SameSiteLaxMode, MaxAge: -1})
}

// setAppSession puts an App's token into the App's cookie for as long as the session
// lasts, or, when it is a brief one, until the browser is closed.
func (s sessionAPI) setAppSession(w http.ResponseWriter, st site, name, value string, row store.Session) {
	cookie := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: st.secure, SameSite: http.SameSiteLaxMode}
	if !row.Ephemeral {
		cookie.Expires = row.ExpiresAt
	}
	http.SetCookie(w, cookie)
}

// dropSiteSession removes the cookies of an App's session that are known to be of
// this App: those that hold the token, if there is one, those that the cookie beside
// them vouches for, and those that were encrypted for the App and open nothing. All
// others may belong to another app at the host.
func (s sessionAPI) dropSiteSession(w http.ResponseWriter, r *http.Request, st site, token string) error {
	found := false
	for _, d := range st.configured().All() {
		carried := authjs.Join(r.Cookies(), d.Names(st.secure).Session)
		ours := s.holds(r, st, d, carried, token)
		if !ours {
			var err error
			if ours, err = s.dead(r, st, d, carried); err != nil {
				return err
			}
		}
		if !ours {
			continue
		}
		found = true
		for _, name := range carried.Names {
			s.dropSiteCookie(w, st, name)
		}
	}
	if _, err := r.Cookie(st.private(vouchCookie)); found || err == nil && !st.secure {
		s.dropSiteCookie(w, st, st.private(vouchCookie))
	}
	return nil
}

// dead reports whether session cookies hold a token that was encrypted for the App
// and is of no session at any App: another one may have the same secret.
func (s sessionAPI) dead(r *http.Request, st site, d *authjs.Dialect, carried authjs.Carried) (bool, error) {
	dead := false
	for _, value := range carried.Values {
		c, _, err := s.openCookie(st, d, value)
		if err != nil || c.SessionID == "" || c.SessionID == value {
			continue
		}
		for _, app := range s.Apps.Snapshot().All() {
			_, err := s.Sessions.ResumeApp(r.Context(), app.ID, c.SessionID, s.ipOf(r))
			if !errors.Is(err, session.ErrNone) {
				return false, err
			}
		}
		dead = true
	}
	return dead, nil
}

// holds reports whether session cookies hold the token of an App's session, or one
// that is known to be of this App.
func (s sessionAPI) holds(r *http.Request, st site, d *authjs.Dialect, carried authjs.Carried, token string) bool {
	return slices.ContainsFunc(carried.Values, func(value string) bool {
		held, _, err := s.openCookie(st, d, value)
		if err != nil || held.SessionID == "" {
			return false
		}
		if held.SessionID == token {
			return true
		}
		cookie, err := r.Cookie(st.private(vouchCookie))
		return err == nil && secret.Equal([]byte(cookie.Value), []byte(st.voucher(held.SessionID)))
	})
}

// vouchCookie stands beside an App's session cookie, whose name the clients choose:
// others can set one of that name too, but not one of this.
//
// On https a page of a sibling's can plant a session cookie of its own: the prefix
// __Secure- does not forbid that. A session that this cookie does not vouch for came
// from elsewhere.
//
// On http all ports of a host share the session cookie. This cookie holds the token
// itself, so a sign-in to another app there ends no session at this one.
const vouchCookie = "gatelodge-own"

// voucher is what vouches for a token. On https it is no part of it.
func (st site) voucher(token string) string {
	if !st.secure {
		return token
	}
	return base64.RawURLEncoding.EncodeToString(secret.MAC([]byte(token), "vouch")[:15])
}

// vouched reports whether a session cookie that a browser shows at an App's
// address was set there by us. Only browsers are tricked so: of programs, which say
// nothing of where they are, and of tokens that were made before we took over, no
// more is asked than the token.
func (st site) vouched(r *http.Request, token string) bool {
	if !st.secure {
		return true
	}
	if cookie, err := r.Cookie(st.private(vouchCookie)); err == nil {
		return secret.Equal([]byte(cookie.Value), []byte(st.voucher(token)))
	}
	_, ours := secret.Hash(token)
	return !ours || r.Header.Get("Sec-Fetch-Site") == ""
}

// siteDevice returns the token by which people know this browser again at a site.
func (s *pages) siteDevice(r *http.Request, st site) string {
	cookie, err := r.Cookie(st.private(shell.DeviceCookie))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// readAttempt returns the attempt this browser is in at the site.
func (s *pages) readAttempt(r *http.Request, st site) shell.Attempt {
	if st.app == nil {
		return s.Cookies.ReadLogin(r)
	}
	var a shell.Attempt
	cookie, err := r.Cookie(st.state())
	if err != nil || s.Cookies.Open(st.sealedFor(), cookie.Value, &a) != nil && s.Cookies.Open(st.onceSealedFor(), cookie.Value, &a) != nil {
		a = shell.Attempt{}
	}
	a.KeyApps(s.appID)
	a.Device = s.siteDevice(r, st)
	return a
}

// saveAttempt gives the browser the attempt to carry at the site.
func (s *pages) saveAttempt(w http.ResponseWriter, st site, a shell.Attempt) error {
	if st.app == nil {
		return s.Cookies.SaveLogin(w, a)
	}
	entry := a.AppLogin
	a.AppLogin = nil // it follows from the site
	value, err := s.Cookies.SealAttempt(st.sealedFor(), a)
	if err != nil {
		return err
	}
	a.AppLogin = entry
	s.siteCookie(w, st, st.state(), value, login.Lifetime)
	return nil
}

// sealedFor is the name under which an attempt is sealed at an App: no other App opens
// it, though the cookies of all have one name on https.
func (st site) sealedFor() string { return st.state() + " " + st.app.ID }

// onceSealedFor is sealedFor in an earlier version, whose attempts are still under way.
func (st site) onceSealedFor() string { return st.state() + " " + st.app.Name }

func (s sessionAPI) dropAttempt(w http.ResponseWriter, st site) {
	if st.app == nil {
		s.Cookies.DropLogin(w)
		return
	}
	s.dropSiteCookie(w, st, st.state())
}

// ask is what an App's own address tells our address by way of a browser, sealed:
// whom it asks us to sign in, and into which browser.
type ask struct {
	App       string `json:"a"`
	Origin    string `json:"o"`
	Browser   []byte `json:"b"`
	Link      string `json:"l,omitempty"`
	Email     string `json:"e,omitempty"`
	Challenge string `json:"c,omitempty"`
	// Proofs are of an attempt that goes on at our address; it needs more.
	Proofs []login.Proof `json:"p,omitempty"`
}

const askName = "ask"

func (s *pages) sealAsk(a ask) (string, error) {
	text, err := s.Cookies.Seal(askName, a)
	return url.QueryEscape(text), err
}

// readAsk returns the ask in a request's query, if there is one and it is still
// worth something.
func (s *pages) readAsk(r *http.Request) (ask, bool) {
	if !strings.Contains(r.URL.RawQuery, "ask=") {
		return ask{}, false
	}
	var a ask
	if err := s.Cookies.Open(askName, r.URL.Query().Get("ask"), &a); err != nil {
		return ask{}, false
	}
	a.App = s.appID(a.App)
	app := s.Apps.Snapshot().ByID(a.App)
	return a, app != nil && app.AuthJS != nil && site{app: app}.has(a.Origin)
}

// entry returns the ask as an attempt that is for the App alone.
func (a ask) entry() *login.AppLogin {
	return &login.AppLogin{App: a.App, Browser: a.Browser, Origin: a.Origin, Link: a.Link}
}
