package shell

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	AppID  func(idOrName string) string // finds the id in what an earlier version wrote
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
	ZoneCookie     = "gatelodge-zone"
	ownZoneCookie  = "gatelodge-own-zone" // set by our script: the browser's own, the same at every port
	DeviceCookie   = "gatelodge-device"
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
			c.MaxLength(MaxSealed)
			c.MaxAge(store.Options.MaxAge)
		}
	}
	hints := securecookie.CodecsFromPairs(signKey, sealKey)
	for _, codec := range hints {
		if c, ok := codec.(*securecookie.SecureCookie); ok {
			c.SetSerializer(plainJSON{})
			c.MaxLength(MaxSealed)
			c.MaxAge(int(login.DeviceLifetime.Seconds()))
		}
	}
	return &Cookies{AppID: func(id string) string { return id }, secure: secure, host: origin.Host, logins: store, hints: hints}
}

func (c *Cookies) Name(base string) string { return PrivateName(c.secure, c.host, base) }

// plainName is the name of a cookie that needs no protection.
func (c *Cookies) PlainName(base string) string {
	if c.secure {
		return base
	}
	return portName(c.host, base)
}

// privateName returns the name of a cookie that only one server at the host sets.
func PrivateName(secure bool, host, base string) string {
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
func (c *Cookies) SessionToken(r *http.Request) string {
	cookie, err := r.Cookie(c.Name(sessionCookie))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// setSession keeps the browser signed in for as long as the session lasts, or, when
// it is a brief one, until it is closed.
func (c *Cookies) SetSession(w http.ResponseWriter, token string, row store.Session, now time.Time) {
	cookie := &http.Cookie{Name: c.Name(sessionCookie), Value: token, Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode}
	if !row.Ephemeral {
		cookie.Expires, cookie.MaxAge = row.ExpiresAt, int(row.ExpiresAt.Sub(now).Seconds())
	}
	http.SetCookie(w, cookie)
}

// dropSession removes the session cookie.
func (c *Cookies) DropSession(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: c.Name(sessionCookie), Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode, MaxAge: -1})
}

// inbox returns the key of the captured mail that this browser has, or "".
func (c *Cookies) Inbox(r *http.Request) string {
	cookie, err := r.Cookie(c.Name(inboxCookie))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// setInbox keeps the key of the captured mail until the browser is closed. No
// link or form of another site takes the cookie along.
func (c *Cookies) SetInbox(w http.ResponseWriter, key string) {
	http.SetCookie(w, &http.Cookie{Name: c.Name(inboxCookie), Value: key, Path: "/", HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteStrictMode})
}

// Attempt is what the login cookie holds.
type Attempt struct {
	login.Login
	// Notice is a sentence for the next page, by key, and its number.
	Notice string `json:"n,omitempty"`
	Count  int    `json:"m,omitempty"`
	// Form is a form that waits until its user has confirmed that it is them, At the
	// path they sent it to. It fills the page again; it holds no secret.
	Form string `json:"f,omitempty"`
	At   string `json:"at,omitempty"`
	// Warns says that the sentence is about something that was refused or removed.
	Warns bool `json:"w,omitempty"`
}

// readLogin returns the attempt this browser is in; a cookie that is missing,
// too old, or not ours is a new attempt.
func (c *Cookies) ReadLogin(r *http.Request) Attempt {
	var a Attempt
	cookie, err := r.Cookie(c.Name(loginCookie))
	if err == nil {
		if err := securecookie.DecodeMulti(c.Name(loginCookie), cookie.Value, &a, c.logins.Codecs...); err != nil {
			a = Attempt{}
		}
		a.KeyApps(c.AppID)
	}
	if cookie, err := r.Cookie(c.Name(DeviceCookie)); err == nil {
		a.Device = cookie.Value
	}
	return a
}

// saveLogin gives the browser the attempt to carry, for login.Lifetime from now.
func (c *Cookies) SaveLogin(w http.ResponseWriter, a Attempt) error {
	value, err := c.SealAttempt(c.Name(loginCookie), a)
	if err != nil {
		return err
	}
	http.SetCookie(w, sessions.NewCookie(c.Name(loginCookie), value, c.logins.Options))
	return nil
}

// sealAttempt seals an attempt for a cookie. What a visitor wrote can be longer than
// browsers keep: then the form goes, the place to return to, and what was typed, and
// the attempt itself stays. Without that a single address of ours with a long query
// would end every sign-in of a browser until the cookie expires.
func (c *Cookies) SealAttempt(name string, a Attempt) (string, error) {
	value, err := c.Seal(name, a)
	if err != nil {
		a.Form, a.At = "", ""
		value, err = c.Seal(name, a)
	}
	for err != nil && len(a.Sent) > 1 { // older tabs wait in vain
		a.Sent = a.Sent[1:]
		value, err = c.Seal(name, a)
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
		value, err = c.Seal(name, a)
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

// Seal returns v as text that its holder can neither read nor change, for login.Lifetime.
func (c *Cookies) Seal(name string, v any) (string, error) {
	value, err := securecookie.EncodeMulti(name, v, c.logins.Codecs...)
	if err != nil {
		return "", fmt.Errorf("sealing %s: %w", name, err)
	}
	return value, nil
}

// Open reads what Seal wrote under the name.
func (c *Cookies) Open(name, value string, v any) error {
	return securecookie.DecodeMulti(name, value, v, c.logins.Codecs...)
}

// MaxSealed is the longest value of a sealed cookie: browsers drop a cookie whose
// name and value are longer than 4096 bytes together (RFC 6265bis, 5.5).
const MaxSealed = 4096 - 100

// dropLogin ends the attempt.
func (c *Cookies) DropLogin(w http.ResponseWriter) {
	o := *c.logins.Options
	o.MaxAge = -1
	http.SetCookie(w, sessions.NewCookie(c.Name(loginCookie), "", &o))
}

// language returns the language this browser chose, or "".
func (c *Cookies) Language(r *http.Request) string {
	cookie, err := r.Cookie(c.PlainName(languageCookie))
	if errors.Is(err, http.ErrNoCookie) || len(cookie.Value) > 20 {
		return ""
	}
	return cookie.Value
}

func (c *Cookies) SetLanguage(w http.ResponseWriter, tag string) {
	c.setLasting(w, c.PlainName(languageCookie), tag)
}

// theme returns the theme this browser chose, "light", "dark" or "".
func (c *Cookies) Theme(r *http.Request) string {
	cookie, err := r.Cookie(c.PlainName(themeCookie))
	if err != nil || cookie.Value != "light" && cookie.Value != "dark" {
		return ""
	}
	return cookie.Value
}

func (c *Cookies) SetTheme(w http.ResponseWriter, theme string) {
	c.setLasting(w, c.PlainName(themeCookie), theme)
}

// zone returns the time zone this browser chose, or its own as our script reported it,
// or lang.NoZone.
func (c *Cookies) Zone(r *http.Request) *time.Location {
	if zone, ok := lang.ZoneOf(c.ZoneName(r)); ok {
		return zone
	}
	return lang.NoZone
}

// zoneName returns the name of the browser's time zone, "Europe/Berlin", or "". The
// first form that a browser sends has it: our script sets the cookie before.
func (c *Cookies) ZoneName(r *http.Request) string {
	for _, name := range []string{c.PlainName(ZoneCookie), ownZoneCookie} {
		if cookie, err := r.Cookie(name); err == nil {
			if _, ok := lang.ZoneOf(cookie.Value); ok {
				return cookie.Value
			}
		}
	}
	return ""
}

// setZone keeps the time zone that was chosen, or forgets it when it is "".
func (c *Cookies) SetZone(w http.ResponseWriter, zone string) {
	c.setLasting(w, c.PlainName(ZoneCookie), zone)
}

// setDevice gives the browser the token by which users know it again.
func (c *Cookies) SetDevice(w http.ResponseWriter, token string) {
	c.setLasting(w, c.Name(DeviceCookie), token)
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
