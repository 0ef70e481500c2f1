package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"gatelodge/app/lang"
	"gatelodge/app/login"
	"gatelodge/app/proxy"
	"gatelodge/store"
)

// Cookies knows every cookie of ours. On https their names begin with __Host-,
// so that no sibling subdomain can set them (RFC 6265bis, 4.1.3.2). On http their
// names end with the port: browsers send a cookie to every port of a host.
//
// The login cookie is sealed: the browser carries an attempt to sign in but can
// neither read nor change it. It never holds a session.
type Cookies struct {
	appID  func(idOrName string) string // see Server.appID
	secure bool
	host   string // with the port
	logins *sessions.CookieStore
	hints  []securecookie.Codec
}

const (
	sessionCookie  = "gatelodge"
	loginCookie    = "gatelodge-login"
	languageCookie = "gatelodge-lang"
	themeCookie    = "gatelodge-theme"
	zoneCookie     = "gatelodge-zone"
	ownZoneCookie  = "gatelodge-own-zone" // set by our script: the browser's own, the same at every port
	deviceCookie   = "gatelodge-device"
	hintCookie     = "gatelodge-hint"
	inboxCookie    = "gatelodge-inbox"
	loginValue     = "login"
	noticeValue    = "notice"
)

// NewCookies returns the cookies for an origin. The keys are 32 bytes each.
func NewCookies(origin *url.URL, signKey, sealKey []byte) *Cookies {
	secure := origin.Scheme == "https"
	store := sessions.NewCookieStore(signKey, sealKey)
	store.Options = &sessions.Options{Path: "/", MaxAge: int(login.Lifetime.Seconds()), HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode}
	for _, codec := range store.Codecs {
		if c, ok := codec.(*securecookie.SecureCookie); ok {
			c.SetSerializer(plainJSON{})
			c.MaxLength(maxSealed)
			c.MaxAge(store.Options.MaxAge)
		}
	}
	hints := securecookie.CodecsFromPairs(signKey, sealKey)
	for _, codec := range hints {
		if c, ok := codec.(*securecookie.SecureCookie); ok {
			c.SetSerializer(plainJSON{})
			c.MaxLength(maxSealed)
			c.MaxAge(int(login.DeviceLifetime.Seconds()))
		}
	}
	return &Cookies{appID: func(id string) string { return id }, secure: secure, host: origin.Host, logins: store, hints: hints}
}

func (c *Cookies) name(base string) string { return privateName(c.secure, c.host, base) }

// plainName is the name of a cookie that needs no protection.
func (c *Cookies) plainName(base string) string {
	if c.secure {
		return base
	}
	return portName(c.host, base)
}

// privateName returns the name of a cookie that only one server at the host sets.
func privateName(secure bool, host, base string) string {
	if secure {
		return "__Host-" + base
	}
	return portName(host, base)
}

// portName returns a cookie name that no server at another port of the host uses.
func portName(host, base string) string {
	if _, port := proxy.SplitHost(host); port != "" {
		return base + "-" + port
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

// setSession keeps the browser signed in for as long as the session lasts, or, when
// it is a brief one, until it is closed.
func (c *Cookies) setSession(w http.ResponseWriter, token string, row store.Session, now time.Time) {
	cookie := &http.Cookie{Name: c.name(sessionCookie), Value: token, Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode}
	if !row.Brief {
		cookie.Expires, cookie.MaxAge = row.ExpiresAt, int(row.ExpiresAt.Sub(now).Seconds())
	}
	http.SetCookie(w, cookie)
}

// dropSession removes the session cookie.
func (c *Cookies) dropSession(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: c.name(sessionCookie), Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode, MaxAge: -1})
}

// inbox returns the key of the captured mail that this browser has, or "".
func (c *Cookies) inbox(r *http.Request) string {
	cookie, err := r.Cookie(c.name(inboxCookie))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// setInbox keeps the key of the captured mail until the browser is closed. No
// link or form of another site takes the cookie along.
func (c *Cookies) setInbox(w http.ResponseWriter, key string) {
	http.SetCookie(w, &http.Cookie{Name: c.name(inboxCookie), Value: key, Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteStrictMode})
}

// attempt is what the login cookie holds.
type attempt struct {
	login.Login
	// Notice is a sentence for the next page, by key, and its number.
	Notice string `json:"n,omitempty"`
	Count  int    `json:"m,omitempty"`
	// Form is what somebody sent who had to confirm first that it was them, At the
	// path they sent it to. It fills the page again; it holds no secret.
	Form string `json:"f,omitempty"`
	At   string `json:"at,omitempty"`
	// Warns says that the sentence tells of something that was refused or removed.
	Warns bool `json:"w,omitempty"`
}

// readLogin returns the attempt this browser is in; a cookie that is missing,
// too old, or not ours is a new attempt.
func (c *Cookies) readLogin(r *http.Request) attempt {
	var a attempt
	cookie, err := r.Cookie(c.name(loginCookie))
	if err == nil {
		if err := securecookie.DecodeMulti(c.name(loginCookie), cookie.Value, &a, c.logins.Codecs...); err != nil {
			a = attempt{}
		}
		a.KeyApps(c.appID)
	}
	if cookie, err := r.Cookie(c.name(deviceCookie)); err == nil {
		a.Device = cookie.Value
	}
	return a
}

// saveLogin gives the browser the attempt to carry, for login.Lifetime from now.
func (c *Cookies) saveLogin(w http.ResponseWriter, a attempt) error {
	value, err := c.sealAttempt(c.name(loginCookie), a)
	if err != nil {
		return err
	}
	http.SetCookie(w, sessions.NewCookie(c.name(loginCookie), value, c.logins.Options))
	return nil
}

// sealAttempt seals an attempt for a cookie. What a visitor wrote can be longer than
// browsers keep: then the form goes, the place to return to, and what was typed, and
// the attempt itself stays. Without that a single address of ours with a long query
// would end every sign-in of a browser until the cookie expires.
func (c *Cookies) sealAttempt(name string, a attempt) (string, error) {
	value, err := c.seal(name, a)
	if err != nil {
		a.Form, a.At = "", ""
		value, err = c.seal(name, a)
	}
	for err != nil && len(a.Sent) > 1 { // older tabs wait in vain
		a.Sent = a.Sent[1:]
		value, err = c.seal(name, a)
	}
	for _, lighten := range []func(){
		func() { a.Return = "" },
		func() { a.Identifier = "" },
		func() {
			if a.Joining != nil {
				less := *a.Joining
				less.Name, a.Joining = "", &less
			}
		},
		func() { a.Sent = nil },
	} {
		if err == nil {
			return value, nil
		}
		lighten()
		value, err = c.seal(name, a)
	}
	return value, err
}

// plainJSON writes JSON without escaping what HTML would mind: "&" would take six
// bytes in a cookie.
type plainJSON struct{}

func (plainJSON) Serialize(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

func (plainJSON) Deserialize(b []byte, v any) error { return json.Unmarshal(b, v) }

// maxSealed is the longest value of a sealed cookie: browsers drop a cookie whose
// name and value are longer than 4096 bytes together (RFC 6265bis, 5.5).
const maxSealed = 4096 - 100

// dropLogin ends the attempt.
func (c *Cookies) dropLogin(w http.ResponseWriter) {
	o := *c.logins.Options
	o.MaxAge = -1
	http.SetCookie(w, sessions.NewCookie(c.name(loginCookie), "", &o))
}

// language returns the language this browser chose, or "".
func (c *Cookies) language(r *http.Request) string {
	cookie, err := r.Cookie(c.plainName(languageCookie))
	if errors.Is(err, http.ErrNoCookie) || len(cookie.Value) > 20 {
		return ""
	}
	return cookie.Value
}

func (c *Cookies) setLanguage(w http.ResponseWriter, tag string) {
	c.setLasting(w, c.plainName(languageCookie), tag)
}

// theme returns the theme this browser chose, "light", "dark" or "".
func (c *Cookies) theme(r *http.Request) string {
	cookie, err := r.Cookie(c.plainName(themeCookie))
	if err != nil || cookie.Value != "light" && cookie.Value != "dark" {
		return ""
	}
	return cookie.Value
}

func (c *Cookies) setTheme(w http.ResponseWriter, theme string) {
	c.setLasting(w, c.plainName(themeCookie), theme)
}

// zone returns the time zone this browser chose, or its own as our script reported it,
// or lang.NoZone.
func (c *Cookies) zone(r *http.Request) *time.Location {
	if zone, ok := lang.ZoneOf(c.zoneName(r)); ok {
		return zone
	}
	return lang.NoZone
}

// zoneName returns the name of the browser's time zone, "Europe/Berlin", or "". The
// first form that a browser sends has it: our script sets the cookie before.
func (c *Cookies) zoneName(r *http.Request) string {
	for _, name := range []string{c.plainName(zoneCookie), ownZoneCookie} {
		if cookie, err := r.Cookie(name); err == nil {
			if _, ok := lang.ZoneOf(cookie.Value); ok {
				return cookie.Value
			}
		}
	}
	return ""
}

// setZone keeps the time zone that was chosen, or forgets it when it is "".
func (c *Cookies) setZone(w http.ResponseWriter, zone string) {
	c.setLasting(w, c.plainName(zoneCookie), zone)
}

// setDevice gives the browser the token by which users know it again.
func (c *Cookies) setDevice(w http.ResponseWriter, token string) {
	c.setLasting(w, c.name(deviceCookie), token)
}

// setLasting gives the browser a value to keep as long as browsers keep any, or
// takes it away when it is "".
func (c *Cookies) setLasting(w http.ResponseWriter, name, value string) {
	age := int(login.DeviceLifetime.Seconds())
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode, MaxAge: age,
	})
}
