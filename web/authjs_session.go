package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatelodge/app/apps/authjs"
	"gatelodge/app/fault"
	"gatelodge/app/gate"
	"gatelodge/app/session"
	"gatelodge/store"
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
func (s *Server) getSession(w http.ResponseWriter, r *http.Request, st site) error {
	v, err := s.visitor(r, st)
	if err != nil {
		return err
	}
	body, err := s.describe(w, st, v)
	if err != nil {
		return err
	}
	neverCached(w.Header())
	s.writeSession(w, st, http.StatusOK, body)
	return nil
}

func (s *Server) writeSession(w http.ResponseWriter, st site, status int, body []byte) {
	w.Header()["Content-Type"] = []string{st.dialect.JSON}
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked has gone away
}

// visitor is who a request to the session API comes from, by what it shows.
type visitor struct {
	session.Current
	in      bool
	bearer  bool   // a program: it keeps no cookies
	token   string // that the store knows
	stale   bool   // the cookie should be set anew
	showing []string
}

// visitor recognises who is signed in at a site; nobody is no error.
func (s *Server) visitor(r *http.Request, st site) (visitor, error) {
	if st.app != nil {
		return s.appVisitor(r, st)
	}
	v := visitor{token: s.cookies.sessionToken(r)}
	if v.token != "" {
		v.showing = s.ownCookies
	} else {
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

func (s *Server) ipOf(r *http.Request) func() string {
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
func (s *Server) appVisitor(r *http.Request, st site) (visitor, error) {
	var v visitor
	cookies := r.Cookies()
	var found visitor
	for _, d := range st.configured().All() {
		name := d.Names(st.secure).Session
		carried := authjs.Join(cookies, name)
		v.showing = append(v.showing, carried.Names...)
		if found.in {
			continue
		}
		for _, value := range carried.Values {
			got, err := s.appSession(r, st, d, value)
			if err != nil {
				return v, err
			}
			if got.in && st.vouched(r, got.token) {
				got.stale = got.stale || carried.Leftovers(name) != nil
				found = got
				break
			}
		}
	}
	if text := bearer(r); len(v.showing) == 0 && text != "" {
		for _, d := range st.configured().All() {
			got, err := s.appSession(r, st, d, text)
			if err != nil || got.in {
				got.bearer = true
				return got, err
			}
		}
	}
	if found.in {
		found.stale = found.stale || len(v.showing) < len(st.writers())
		found.showing = v.showing
		return found, nil
	}
	return v, nil
}

// appSession looks up the session of a cookie's value.
func (s *Server) appSession(r *http.Request, st site, d *authjs.Dialect, value string) (visitor, error) {
	v := visitor{token: value}
	var c authjs.Claims
	sealer := st.app.Sealer(d, st.secure)
	sealed := strings.Contains(value, ".")
	switch {
	case sealed && sealer == nil:
		return v, nil
	case sealed:
		var err error
		var current bool
		if c, current, err = sealer.Open(value, s.Now()); err != nil {
			return v, nil // not ours: as good as none
		}
		v.token, v.stale = c.SessionID, !current
	}
	cur, err := s.Sessions.ResumeApp(r.Context(), st.app.Name, v.token, s.ipOf(r))
	if errors.Is(err, session.ErrNone) {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	if sealed && c.Subject != cur.User.ID || gate.Decide(st.app, gate.Person{User: cur.User, Groups: cur.User.Groups}) != nil {
		return v, nil
	}
	v.Current, v.in = cur, true
	v.stale = v.stale || cur.Renewed || sealed != (sealer != nil) || sealed && (c.Name != cur.User.Name || c.Email != cur.User.Email)
	return v, nil
}

// describe returns the session as JSON and keeps the cookies right: set anew
// where what they say has changed, removed where they open nothing.
func (s *Server) describe(w http.ResponseWriter, st site, v visitor) ([]byte, error) {
	if !v.in {
		s.dropSiteSession(w, st, v.showing)
		return []byte(st.dialect.SignedOut), nil
	}
	if v.stale && !v.bearer {
		if err := s.setSiteSession(w, st, v); err != nil {
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
// away what is left of others.
func (s *Server) setSiteSession(w http.ResponseWriter, st site, v visitor) error {
	if st.app == nil {
		s.cookies.setSession(w, v.token, v.Session, s.Now())
		return nil
	}
	kept := make(map[string]bool)
	for _, d := range st.writers() {
		name, value := d.Names(st.secure).Session, v.token
		if sealer := st.app.Sealer(d, st.secure); sealer != nil {
			var err error
			value, err = sealer.Seal(authjs.Claims{
				Name: v.User.Name, Email: v.User.Email, Picture: v.User.Image, Subject: v.User.ID, SessionID: v.token,
				IssuedAt: s.Now(), Expires: v.Session.ExpiresAt,
			})
			if err != nil {
				return err
			}
		}
		kept[name] = true
		s.setAppSession(w, st, name, value, v.Session)
	}
	if st.secure {
		s.setAppSession(w, st, st.private(vouchCookie), voucher(v.token), v.Session)
	}
	for _, name := range v.showing {
		if !kept[name] {
			s.dropSiteCookie(w, st, name)
		}
	}
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
	var data struct {
		Name *string `json:"name"`
		User struct {
			Name *string `json:"name"`
		} `json:"user"`
	}
	if err := json.Unmarshal(f.Data, &data); err != nil {
		return nil, err
	}
	if data.Name != nil {
		return data.Name, nil
	}
	return data.User.Name, nil
}

// postSession is update(data): it changes what may be changed and answers with
// the session as it is then.
func (s *Server) postSession(w http.ResponseWriter, r *http.Request, st site) error {
	var form updateForm
	err := readJSON(json.NewDecoder(r.Body), &form)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge.Because(err)
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
		err := s.Users.Rename(r.Context(), s.from(r), v.User, *name)
		if f, ok := errors.AsType[*fault.Fault](err); ok && f.Field != "" {
			s.refused(r, f)
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
	body, err := s.describe(w, st, v)
	if err != nil {
		return err
	}
	s.writeSession(w, st, http.StatusOK, body)
	return nil
}

// getCSRF answers the token that forms have to send.
func (s *Server) getCSRF(w http.ResponseWriter, r *http.Request, st site) error {
	neverCached(w.Header())
	return s.authJSON(w, st, http.StatusOK, struct {
		CSRFToken string `json:"csrfToken"`
	}{s.csrfToken(w, r, st)})
}

// postLog takes what the client of v4 logs and keeps nothing: it is written by
// whoever likes to.
func (s *Server) postLog(w http.ResponseWriter, r *http.Request, st site) error {
	if !st.dialect.Logs {
		return noAction(w, r, st)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// getWebAuthnOptions begins the ceremony of a passkey, of which there is none yet:
// it says so in the words that the client expects.
func (s *Server) getWebAuthnOptions(w http.ResponseWriter, r *http.Request, st site) error {
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
