package web

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"gatelodge/app/login"
)

// Cookies knows every cookie of ours. On https their names begin with __Host-,
// so that no sibling subdomain can set them (RFC 6265bis, 4.1.3.2).
//
// The login cookie is sealed: the browser carries an attempt to sign in but can
// neither read nor change it. It never holds a session.
type Cookies struct {
	secure bool
	logins *sessions.CookieStore
}

const (
	sessionCookie  = "gatelodge"
	loginCookie    = "gatelodge-login"
	languageCookie = "gatelodge-lang"
	loginValue     = "login"
	noticeValue    = "notice"
)

// NewCookies returns the cookies for an origin. The keys are 32 bytes each.
func NewCookies(secure bool, signKey, sealKey []byte) *Cookies {
	store := sessions.NewCookieStore(signKey, sealKey)
	store.Options = &sessions.Options{Path: "/", MaxAge: int(login.Lifetime.Seconds()), HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode}
	for _, codec := range store.Codecs {
		if c, ok := codec.(*securecookie.SecureCookie); ok {
			c.SetSerializer(securecookie.JSONEncoder{})
			c.MaxAge(store.Options.MaxAge)
		}
	}
	return &Cookies{secure: secure, logins: store}
}

func (c *Cookies) name(base string) string {
	if c.secure {
		return "__Host-" + base
	}
	return base
}

// sessionToken returns the token in the session cookie, or "".
func (c *Cookies) sessionToken(r *http.Request) string {
	cookie, err := r.Cookie(c.name(sessionCookie))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// setSession keeps the browser signed in until expires.
func (c *Cookies) setSession(w http.ResponseWriter, token string, expires, now time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: c.name(sessionCookie), Value: token, Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode,
		Expires: expires, MaxAge: int(expires.Sub(now).Seconds()),
	})
}

// dropSession removes the session cookie.
func (c *Cookies) dropSession(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: c.name(sessionCookie), Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode, MaxAge: -1})
}

// attempt is what the login cookie holds.
type attempt struct {
	login.Login
	// Notice is a sentence for the next page, by key, and its number.
	Notice string `json:"n,omitempty"`
	Count  int    `json:"m,omitempty"`
}

// readLogin returns the attempt this browser is in; a cookie that is missing,
// too old, or not ours is a new attempt.
func (c *Cookies) readLogin(r *http.Request) attempt {
	var a attempt
	cookie, err := r.Cookie(c.name(loginCookie))
	if err != nil {
		return a
	}
	if err := securecookie.DecodeMulti(c.name(loginCookie), cookie.Value, &a, c.logins.Codecs...); err != nil {
		return attempt{}
	}
	return a
}

// saveLogin gives the browser the attempt to carry, for login.Lifetime from now.
func (c *Cookies) saveLogin(w http.ResponseWriter, a attempt) error {
	value, err := securecookie.EncodeMulti(c.name(loginCookie), a, c.logins.Codecs...)
	if err != nil {
		return fmt.Errorf("sealing the login cookie: %w", err)
	}
	http.SetCookie(w, sessions.NewCookie(c.name(loginCookie), value, c.logins.Options))
	return nil
}

// dropLogin ends the attempt.
func (c *Cookies) dropLogin(w http.ResponseWriter) {
	o := *c.logins.Options
	o.MaxAge = -1
	http.SetCookie(w, sessions.NewCookie(c.name(loginCookie), "", &o))
}

// language returns the language this browser chose, or "".
func (c *Cookies) language(r *http.Request) string {
	cookie, err := r.Cookie(languageCookie)
	if errors.Is(err, http.ErrNoCookie) || len(cookie.Value) > 20 {
		return ""
	}
	return cookie.Value
}

func (c *Cookies) setLanguage(w http.ResponseWriter, tag string) {
	http.SetCookie(w, &http.Cookie{
		Name: languageCookie, Value: tag, Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode,
		MaxAge: int((400 * 24 * time.Hour).Seconds()),
	})
}
