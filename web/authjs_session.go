package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatelodge/app/apps/authjs"
	"gatelodge/app/gate"
	"gatelodge/app/session"
	"gatelodge/store"
	"gatelodge/web/shell"
)

// sessionJSON is the Session of Auth.js: user and expires, with more about the
// user than Auth.js tells.
type sessionJSON struct {
	User    userJSON `json:"user"`
	Expires string   `json:"expires"`
}

type userJSON struct {
	ID            string   `json:"id"`
	Name          string   `json:"name,omitempty"`
	Email         string   `json:"email"`
	Image         string   `json:"image,omitempty"`
	EmailVerified *string  `json:"emailVerified"`
	Groups        []string `json:"groups"`
}

// jsTime is how JavaScript writes a Date in JSON.
const jsTime = "2006-01-02T15:04:05.000Z"

// Shared header values, as in outermost.
var (
	headerSessionCache = []string{"private, no-cache, no-store"}
	headerNoCache      = []string{"no-cache"}
	headerExpired      = []string{"0"}
)

func neverCached(h http.Header) {
	h["Cache-Control"], h["Pragma"], h["Expires"] = headerSessionCache, headerNoCache, headerExpired
}

// getSession answers who is signed in. One prepared lookup, no write.
func (s sessionAPI) getSession(w http.ResponseWriter, r *http.Request, st site) error {
	v, err := s.visitor(r, st)
	if err != nil {
		return err
	}
	body, err := s.describe(w, r, st, v)
	if err != nil {
		return err
	}
	neverCached(w.Header())
	s.writeSession(w, st, http.StatusOK, body)
	return nil
}

func (s sessionAPI) writeSession(w http.ResponseWriter, st site, status int, body []byte) {
	w.Header()["Content-Type"] = []string{st.dialect.JSON}
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked has gone away
}

// visitor is who a request to the session API comes from, by what it shows.
type visitor struct {
	session.Current
	in     bool
	bearer bool   // a program: it keeps no cookies
	token  string // that the store knows
	stale  bool   // the cookie should be set anew
}

// visitor recognises who is signed in at a site; nobody is no error.
func (s sessionAPI) visitor(r *http.Request, st site) (visitor, error) {
	if st.app != nil {
		return s.appVisitor(r, st)
	}
	v := visitor{token: s.Cookies.SessionToken(r)}
	if v.token == "" {
		v.token, v.bearer = bearer(r), true
	}
	if v.token == "" {
		return v, nil
	}
	cur, err := s.Sessions.Resume(r.Context(), v.token, s.ipOf(r))
	if errors.Is(err, session.ErrNone) {
		return v, nil
	}
	v.Current, v.in, v.stale = cur, err == nil, cur.Renewed
	return v, err
}

func (s sessionAPI) ipOf(r *http.Request) func() string {
	return func() string { return s.Proxies.Client(r).String() }
}

// bearer returns the token a program shows.
func bearer(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	if plain, err := url.PathUnescape(token); err == nil {
		return plain
	}
	return token
}

// appVisitor recognises who is signed in at an App. Whatever the cookie says,
// its session is looked up: who knows the App's secret can write any cookie.
func (s sessionAPI) appVisitor(r *http.Request, st site) (visitor, error) {
	cookies := r.Cookies()
	var found visitor
	shown := 0
	for _, d := range st.configured().All() {
		name := d.Names(st.secure).Session
		carried := authjs.Join(cookies, name)
		shown += len(carried.Names)
		if found.in {
			continue
		}
		for _, value := range carried.Values {
			got, err := s.appSession(r, st, d, value)
			if err != nil {
				return visitor{}, err
			}
			if got.in && st.vouched(r, got.token) {
				got.stale = got.stale || carried.Leftovers(name) != nil
				found = got
				break
			}
		}
	}
	if !found.in && !st.secure {
		// Another app at the host has replaced or removed the session cookie.
		if cookie, err := r.Cookie(st.private(vouchCookie)); err == nil {
			if found, err = s.appToken(r, st, cookie.Value); err != nil {
				return visitor{}, err
			}
		}
	}
	if text := bearer(r); !found.in && shown == 0 && text != "" {
		for _, d := range st.configured().All() {
			got, err := s.appSession(r, st, d, text)
			if err != nil || got.in {
				got.bearer = true
				return got, err
			}
		}
	}
	found.stale = found.stale || shown < len(st.writers())
	return found, nil
}

// openCookie reads a cookie's value. Of an opaque token only the SessionID is known;
// current says that the value needs no other encryption.
func (s sessionAPI) openCookie(st site, d *authjs.Dialect, value string) (c authjs.Claims, current bool, err error) {
	sealer := st.app.AuthJS.Sealer(d, st.secure)
	switch {
	case !strings.Contains(value, "."):
		return authjs.Claims{SessionID: value}, sealer == nil, nil
	case sealer == nil:
		return authjs.Claims{}, false, nil
	}
	return sealer.Open(value, s.Now())
}

// appSession looks up the session of a cookie's value.
func (s sessionAPI) appSession(r *http.Request, st site, d *authjs.Dialect, value string) (visitor, error) {
	c, current, err := s.openCookie(st, d, value)
	if err != nil || c.SessionID == "" {
		return visitor{}, nil // not ours: as good as none
	}
	v, err := s.appToken(r, st, c.SessionID)
	sealed := c.SessionID != value
	if !v.in || sealed && c.Subject != v.User.ID {
		return visitor{}, err
	}
	v.stale = v.stale || !current || sealed && (c.Name != v.User.Name || c.Email != v.User.Email)
	return v, nil
}

// appToken looks up the session of an App's token.
func (s sessionAPI) appToken(r *http.Request, st site, token string) (visitor, error) {
	cur, err := s.Sessions.ResumeApp(r.Context(), st.app.ID, token, s.ipOf(r))
	if errors.Is(err, session.ErrNone) {
		return visitor{}, nil
	}
	if err != nil || gate.Decide(st.app, gate.Person{User: cur.User, Groups: cur.User.Groups}) != nil {
		return visitor{}, err
	}
	return visitor{Current: cur, in: true, token: token, stale: cur.Renewed}, nil
}

// describe returns the session as JSON and keeps the cookies right: set anew
// where what they say has changed, removed where they are of this App and open
// nothing.
func (s sessionAPI) describe(w http.ResponseWriter, r *http.Request, st site, v visitor) ([]byte, error) {
	if !v.in {
		if st.app != nil {
			if err := s.dropSiteSession(w, r, st, ""); err != nil {
				return nil, err
			}
		} else if !st.secure && v.token != "" && !v.bearer {
			s.Cookies.DropSession(w) // the port in its name says that it is ours
		}
		return []byte(st.dialect.SignedOut), nil
	}
	if v.stale && !v.bearer {
		if err := s.setSiteSession(w, r, st, v, false); err != nil {
			return nil, err
		}
	}
	body, err := json.Marshal(sessionOf(v.User, v.Session))
	if err != nil {
		return nil, fmt.Errorf("encoding the session: %w", err)
	}
	return body, nil
}

// setSiteSession gives the browser the session's cookie at the site, and takes
// away what is left of others. Only a sign-in replaces the cookie of another app at
// the host.
func (s sessionAPI) setSiteSession(w http.ResponseWriter, r *http.Request, st site, v visitor, signIn bool) error {
	if st.app == nil {
		s.Cookies.SetSession(w, v.token, v.Session, s.Now())
		return nil
	}
	cookies := r.Cookies()
	seen := make(map[string]bool)
	for _, d := range st.writers() {
		name, value := d.Names(st.secure).Session, v.token
		seen[name] = true
		carried := authjs.Join(cookies, name)
		if !signIn && len(carried.Names) > 0 && !s.holds(r, st, d, carried, v.token) {
			continue
		}
		if sealer := st.app.AuthJS.Sealer(d, st.secure); sealer != nil {
			var err error
			value, err = sealer.Seal(authjs.Claims{
				Name: v.User.Name, Email: v.User.Email, Picture: v.User.Image, Subject: v.User.ID, SessionID: v.token,
				IssuedAt: s.Now(), Expires: v.Session.ExpiresAt,
			})
			if err != nil {
				return err
			}
		}
		s.setAppSession(w, st, name, value, v.Session)
		for _, left := range carried.Leftovers(name) {
			s.dropSiteCookie(w, st, left)
		}
	}
	for _, d := range st.configured().All() {
		name := d.Names(st.secure).Session
		carried := authjs.Join(cookies, name)
		if seen[name] || !s.holds(r, st, d, carried, v.token) {
			continue
		}
		for _, old := range carried.Names {
			s.dropSiteCookie(w, st, old)
		}
	}
	s.setAppSession(w, st, st.private(vouchCookie), st.voucher(v.token), v.Session)
	return nil
}

func sessionOf(u store.User, row store.Session) sessionJSON {
	j := sessionJSON{
		User:    userJSON{ID: u.ID, Name: u.Name, Email: u.Email, Image: u.Image, Groups: u.Groups},
		Expires: jsDate(row.ExpiresAt),
	}
	if j.User.Groups == nil {
		j.User.Groups = []string{} // [] to a program, never null
	}
	if !u.EmailVerifiedAt.IsZero() {
		at := jsDate(u.EmailVerifiedAt)
		j.User.EmailVerified = &at
	}
	return j
}

func jsDate(t time.Time) string { return t.UTC().Format(jsTime) }

// updateForm is what update(data) sends. Of the data only what people may change
// about themselves counts: their name.
type updateForm struct {
	CSRFToken string          `json:"csrfToken"`
	Data      json.RawMessage `json:"data"`
}

// name returns the new name in the data, or nil where it has none. Data that is no
// object is the app's own affair. An error means that there is a name that is no text.
func (f updateForm) name() (*string, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(f.Data), []byte("{")) {
		return nil, nil
	}
	// Maps, since a struct would also take "Name", which may be a field of the app's.
	var data, user map[string]json.RawMessage
	if err := json.Unmarshal(f.Data, &data); err != nil {
		return nil, err
	}
	if raw, ok := data["user"]; ok {
		if err := json.Unmarshal(raw, &user); err != nil {
			return nil, err
		}
	}
	name, err := textOf(data["name"])
	userName, userErr := textOf(user["name"])
	return cmp.Or(name, userName), errors.Join(err, userErr)
}

// textOf returns the text of a JSON value, or nil for null and for no value.
func textOf(raw json.RawMessage) (*string, error) {
	if raw == nil {
		return nil, nil
	}
	var text *string
	err := json.Unmarshal(raw, &text)
	return text, err
}

// postSession is update(data): it changes what may be changed and answers with
// the session as it is then.
func (s sessionAPI) postSession(w http.ResponseWriter, r *http.Request, st site) error {
	var form updateForm
	err := shell.ReadJSON(json.NewDecoder(r.Body), &form)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return shell.ErrTooLarge.Because(err)
	}
	var name *string
	if err == nil {
		name, err = form.name()
	}
	if err != nil || !s.ownForm(r, st, form.CSRFToken) {
		s.writeSession(w, st, http.StatusBadRequest, []byte(st.dialect.Unchanged))
		return nil
	}
	v, err := s.visitor(r, st)
	if err != nil {
		return err
	}
	if v.in && name != nil {
		err := s.Users.Rename(r.Context(), s.From(r), v.User, *name)
		if f := shell.InField(err); f != nil {
			s.Refused(r, f)
			s.writeSession(w, st, http.StatusBadRequest, []byte(st.dialect.Unchanged))
			return nil
		}
		if err != nil {
			return err
		}
		if v, err = s.visitor(r, st); err != nil {
			return err
		}
	}
	v.stale = true
	body, err := s.describe(w, r, st, v)
	if err != nil {
		return err
	}
	s.writeSession(w, st, http.StatusOK, body)
	return nil
}

// getCSRF answers the token that forms have to send.
func (s sessionAPI) getCSRF(w http.ResponseWriter, r *http.Request, st site) error {
	neverCached(w.Header())
	return s.authJSON(w, st, http.StatusOK, struct {
		CSRFToken string `json:"csrfToken"`
	}{s.csrfToken(w, r, st)})
}

// postLog takes what the client of v4 logs and keeps nothing: it is written by
// whoever likes to.
func (s sessionAPI) postLog(w http.ResponseWriter, r *http.Request, st site) error {
	if !st.dialect.Logs {
		return noAction(w, r, st)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// getWebAuthnOptions begins the ceremony of a passkey, of which there is none yet:
// it says so in the words that the client expects.
func (s sessionAPI) getWebAuthnOptions(w http.ResponseWriter, r *http.Request, st site) error {
	if !st.dialect.Passkeys {
		return noAction(w, r, st)
	}
	problem := "Invalid request"
	if action := r.URL.Query().Get("action"); action != "" && action != "register" && action != "authenticate" {
		problem = "Invalid action"
	}
	return s.authJSON(w, st, http.StatusBadRequest, struct {
		Error string `json:"error"`
	}{problem})
}
