package web

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"gatelodge/app/login"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// siteCookie sets a cookie of the session API for as long as the browser is
// open, or for a time.
func (s *Server) siteCookie(w http.ResponseWriter, st site, name, value string, maxAge time.Duration) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: st.secure, SameSite: http.SameSiteLaxMode}
	if maxAge > 0 {
		c.MaxAge, c.Expires = int(maxAge.Seconds()), s.Now().Add(maxAge)
	}
	http.SetCookie(w, c)
}

// dropSiteCookie removes a cookie of the session API.
func (s *Server) dropSiteCookie(w http.ResponseWriter, st site, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", HttpOnly: true, Secure: st.secure, SameSite: http.SameSiteLaxMode, MaxAge: -1})
}

// setAppSession puts an App's token into the App's cookie for as long as the session
// lasts, or, when it is a brief one, until the browser is closed.
func (s *Server) setAppSession(w http.ResponseWriter, st site, name, value string, row store.Session) {
	cookie := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: st.secure, SameSite: http.SameSiteLaxMode}
	if !row.Brief {
		cookie.Expires = row.ExpiresAt
	}
	http.SetCookie(w, cookie)
}

// dropSiteSession removes every cookie of a session at the site.
func (s *Server) dropSiteSession(w http.ResponseWriter, st site, names []string) {
	for _, name := range names {
		s.dropSiteCookie(w, st, name)
	}
	if st.app != nil && st.secure && len(names) > 0 {
		s.dropSiteCookie(w, st, st.private(vouchCookie))
	}
}

// vouchCookie stands beside an App's session cookie on https, where a page of a
// sibling's can plant a session cookie of its own: the prefix __Secure-, which the
// clients look for, does not forbid that. The name of this one does, so a session
// that it does not vouch for came from elsewhere.
const vouchCookie = "gatelodge-own"

// voucher is what vouches for a token, and is no part of it.
func voucher(token string) string {
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
		return secret.Equal([]byte(cookie.Value), []byte(voucher(token)))
	}
	_, ours := secret.Hash(token)
	return !ours || r.Header.Get("Sec-Fetch-Site") == ""
}

// siteDevice returns the token by which people know this browser again at a site.
func (s *Server) siteDevice(r *http.Request, st site) string {
	cookie, err := r.Cookie(st.private(deviceCookie))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// readAttempt returns the attempt this browser is in at the site.
func (s *Server) readAttempt(r *http.Request, st site) attempt {
	if st.app == nil {
		return s.cookies.readLogin(r)
	}
	var a attempt
	cookie, err := r.Cookie(st.names.State)
	if err != nil || s.cookies.open(st.names.State, cookie.Value, &a) != nil {
		a = attempt{}
	}
	a.Device = s.siteDevice(r, st)
	return a
}

// saveAttempt gives the browser the attempt to carry at the site.
func (s *Server) saveAttempt(w http.ResponseWriter, st site, a attempt) error {
	if st.app == nil {
		return s.cookies.saveLogin(w, a)
	}
	entry := a.Entry
	a.Entry = nil // it follows from the site
	value, err := s.cookies.sealAttempt(st.names.State, a)
	if err != nil {
		return err
	}
	a.Entry = entry
	s.siteCookie(w, st, st.names.State, value, login.Lifetime)
	return nil
}

func (s *Server) dropAttempt(w http.ResponseWriter, st site) {
	if st.app == nil {
		s.cookies.dropLogin(w)
		return
	}
	s.dropSiteCookie(w, st, st.names.State)
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

func (s *Server) sealAsk(a ask) (string, error) {
	text, err := s.cookies.seal(askName, a)
	return url.QueryEscape(text), err
}

// readAsk returns the ask in a request's query, if there is one and it is still
// worth something.
func (s *Server) readAsk(r *http.Request) (ask, bool) {
	if !strings.Contains(r.URL.RawQuery, "ask=") {
		return ask{}, false
	}
	var a ask
	if err := s.cookies.open(askName, r.URL.Query().Get("ask"), &a); err != nil {
		return ask{}, false
	}
	app := s.Apps.Named(a.App)
	return a, app != nil && site{app: app}.has(a.Origin)
}

// entry returns the ask as an attempt that is for the App alone.
func (a ask) entry() *login.Entry {
	return &login.Entry{App: a.App, Browser: a.Browser, Origin: a.Origin, Link: a.Link}
}

// seal returns v as text that nobody can read or change, for login.Lifetime.
func (c *Cookies) seal(name string, v any) (string, error) {
	value, err := securecookie.EncodeMulti(name, v, c.logins.Codecs...)
	if err != nil {
		return "", fmt.Errorf("sealing %s: %w", name, err)
	}
	return value, nil
}

func (c *Cookies) open(name, value string, v any) error {
	return securecookie.DecodeMulti(name, value, v, c.logins.Codecs...)
}
