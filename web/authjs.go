package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatelodge/app/apps"
	"gatelodge/app/apps/authjs"
	"gatelodge/app/fault"
	"gatelodge/app/proxy"
	"gatelodge/app/secret"
	"gatelodge/web/shell"
)

// authBase is where the session API is: the clients of next-auth have it
// hard-coded in places.
const authBase = "/api/auth/"

// site is whom a request to the session API is for: an App at one of its own
// addresses, or our own pages.
type site struct {
	app      *apps.App // nil: our own pages
	origin   string    // scheme and host, as the browser has them
	secure   bool
	dialect  *authjs.Dialect
	names    authjs.Names
	provider string // the rest of the path, or ""
}

// base returns the address of an action.
func (st site) base(action string) string { return st.origin + authBase + action }

// authFunc answers a request to the session API, or returns an error and has
// written nothing.
type authFunc func(w http.ResponseWriter, r *http.Request, st site) error

// authAPI serves everything below authBase, beside the router.
func (s sessionAPI) authAPI(routes []shell.Route) http.Handler {
	gets, posts := make(map[string]http.Handler), make(map[string]http.Handler)
	for _, rt := range routes {
		if rt.Action == nil {
			continue
		}
		h, action := rt.Action, strings.TrimPrefix(rt.Path, authBase)
		if rt.Method == http.MethodPost {
			posts[action] = h
		} else {
			gets[action] = h
		}
	}
	none := s.Handle(authBase+"*", s.atSite(noAction), s.failAuth)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		action, provider, _ := strings.Cut(r.URL.Path[len(authBase):], "/")
		if provider != "" {
			action += "/:"
		}
		var h http.Handler
		switch r.Method {
		case http.MethodGet:
			h = gets[action]
		case http.MethodPost:
			h = posts[action]
		}
		if h == nil {
			h = none
		}
		h.ServeHTTP(w, r)
	})
}

// noAction answers what there is not, other methods among it: HEAD spends
// nothing and shows nothing.
func noAction(w http.ResponseWriter, r *http.Request, st site) error {
	w.Header().Set("Content-Type", st.dialect.BadRequestType)
	w.WriteHeader(http.StatusBadRequest)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(st.dialect.BadRequest)) // whoever asked has gone away
	}
	return nil
}

// atSite finds the site of a request. One for no host of ours is refused, and one for
// an App that does not use the session API.
func (s sessionAPI) atSite(h authFunc) shell.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		st, err := s.siteOf(r)
		if err != nil {
			return err
		}
		_, st.provider, _ = strings.Cut(r.URL.Path[len(authBase):], "/")
		return h(w, r, st)
	}
}

// siteOf tells by the host a request was sent to whom it is for. A proxy in
// front of an App may have put its own host in the place of the one people see:
// then X-Forwarded-Host counts, from trusted proxies alone and only when it is
// one that stands in the configuration.
func (s sessionAPI) siteOf(r *http.Request) (site, error) {
	if all := s.Apps.Snapshot(); len(all.All()) > 0 {
		for _, host := range s.Proxies.Hosts(r) {
			place, ok := all.At(host)
			switch {
			case ok && place.App.AuthJS == nil:
				return site{}, shell.ErrNoSessionAPI.With("app", place.App.Name)
			case ok:
				return s.appSite(r, place), nil
			}
		}
	}
	if !s.RightHost(r) {
		return site{}, shell.ErrHost
	}
	st := s.own
	if sent := proxy.NormalHost(r.Host); sent != s.Origin.Host {
		host, _ := proxy.SplitHost(sent)
		if want, _ := proxy.SplitHost(s.Origin.Host); shell.LoopbackName(want) && host != want {
			st.origin = s.Origin.Scheme + "://" + authjs.WithoutUsualPort(s.Origin.Scheme, sent)
		}
	}
	return st.learned(r), nil
}

// ownSite is the site of our own pages.
func (s *pages) ownSite() site {
	secure := s.Origin.Scheme == "https"
	return site{origin: s.Origin.Scheme + "://" + s.Origin.Host, secure: secure, dialect: authjs.Own, names: authjs.Own.Names(secure)}
}

func (s sessionAPI) appSite(r *http.Request, place apps.Place) site {
	st := site{app: place.App, origin: place.Origin, secure: strings.HasPrefix(place.Origin, "https:"), dialect: place.App.AuthJS.Dialect}
	st.names = st.dialect.Names(st.secure)
	return st.learned(r)
}

// dialectCookie remembers what a site's client speaks, where the configuration
// leaves it open.
const dialectCookie = "gatelodge-client"

// learned is the site in the dialect that its client was heard to speak.
func (st site) learned(r *http.Request) site {
	if !st.dialect.Learns || !shows(r, dialectCookie) {
		return st
	}
	if c, err := r.Cookie(st.private(dialectCookie)); err == nil {
		if d := authjs.ByVersion(c.Value); d != nil && !d.Learns {
			st.dialect, st.names = d, d.Names(st.secure)
		}
	}
	return st
}

// shows reports whether a request may have a cookie of that name: a look that costs
// less than reading them.
func shows(r *http.Request, name string) bool {
	for _, line := range r.Header["Cookie"] {
		if strings.Contains(line, name) {
			return true
		}
	}
	return false
}

// learn tells the dialect of a client by how it posts, and remembers it.
func (s sessionAPI) learn(w http.ResponseWriter, r *http.Request, st site) site {
	if !st.configured().Learns {
		return st
	}
	var d *authjs.Dialect
	switch {
	case r.Header.Get("X-Auth-Return-Redirect") != "":
		d = authjs.V5
	case r.PostForm.Get("json") == "true":
		d = authjs.V4
	default:
		return st
	}
	if d != st.dialect {
		st.dialect, st.names = d, d.Names(st.secure)
		s.siteCookie(w, st, st.private(dialectCookie), d.Version, 0)
	}
	return st
}

// configured is the dialect before anything was learned.
func (st site) configured() *authjs.Dialect {
	if st.app == nil {
		return authjs.Own
	}
	return st.app.AuthJS.Dialect
}

// private is the name of a cookie of ours at a site: no sibling can set one of that
// name on https, and no app at another port of the host uses it on http.
func (st site) private(name string) string {
	_, host, _ := strings.Cut(st.origin, "://")
	return shell.PrivateName(st.secure, host, name)
}

// state is the name of the cookie that holds the attempt. No client looks at it.
func (st site) state() string {
	if st.secure {
		return st.names.State
	}
	return st.private(st.names.State)
}

// writers are the dialects whose session cookie is set: both generations' while
// nobody knows which one an App with a secret will read.
func (st site) writers() []*authjs.Dialect {
	if len(st.app.AuthJS.Secrets) == 0 {
		return []*authjs.Dialect{st.dialect}
	}
	return st.dialect.All()
}

// csrf is the double-submit cookie of a dialect at the site. An App that shares
// secrets makes the same one itself.
func (s sessionAPI) csrf(st site, d *authjs.Dialect) authjs.CSRF {
	switch {
	case st.app == nil:
		return authjs.CSRF{Secret: s.csrfSecret("")}
	case len(st.app.AuthJS.Secrets) == 0:
		return authjs.CSRF{Secret: s.csrfSecret(st.app.ID)}
	case d.AllSecrets:
		return authjs.CSRF{Secret: strings.Join(st.app.AuthJS.Secrets, ",")}
	}
	return authjs.CSRF{Secret: st.app.AuthJS.Secrets[0]}
}

func (s sessionAPI) csrfSecret(app string) string { return string(secret.MAC(s.signKey, "csrf", app)) }

// ownForm reports whether a POST comes from a page of the site itself: browsers
// say so, and where they do not the token has to prove it. So a token that went
// stale in an open tab does no harm, and another site's form none either. A
// program that shows its token in a header has no cookies to be misused.
func (s sessionAPI) ownForm(r *http.Request, st site, token string) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
		return true
	case "same-site", "cross-site":
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "null" {
		return st.has(origin)
	}
	if bearer(r) != "" {
		return true
	}
	if token == "" {
		return false
	}
	for _, d := range st.configured().All() {
		if known := s.csrfCookie(r, st, d); known != "" && secret.Equal([]byte(token), []byte(known)) {
			return true
		}
	}
	return false
}

// csrfCookie returns the token in a dialect's cookie, or "" when there is none of
// ours.
func (s sessionAPI) csrfCookie(r *http.Request, st site, d *authjs.Dialect) string {
	cookie, err := r.Cookie(d.Names(st.secure).CSRF)
	if err != nil {
		return ""
	}
	value, err := url.QueryUnescape(cookie.Value)
	if err != nil {
		return ""
	}
	return s.csrf(st, d).Token(value)
}

// has reports whether an origin is one of the site's.
func (st site) has(origin string) bool {
	return authjs.SameOrigin(origin, st.origin) ||
		st.app != nil && slices.ContainsFunc(st.app.Origins, func(o string) bool { return authjs.SameOrigin(o, origin) })
}

// csrfToken returns the token of the site's cookie. A cookie that is missing or
// not ours is made anew.
func (s sessionAPI) csrfToken(w http.ResponseWriter, r *http.Request, st site) string {
	if token := s.csrfCookie(r, st, st.dialect); token != "" {
		return token
	}
	token, value := s.csrf(st, st.dialect).New()
	s.siteCookie(w, st, st.names.CSRF, url.QueryEscape(value), 0)
	return token
}

// landing returns where the sign-in or sign-out of a request leads: what it asks
// for, else what was asked for before, else the site's front page; and remembers
// it for the way back.
func (s sessionAPI) landing(w http.ResponseWriter, r *http.Request, st site) string {
	asked := r.PostForm.Get("callbackUrl")
	if asked == "" {
		asked = r.URL.Query().Get("callbackUrl")
	}
	was := ""
	if cookie, err := r.Cookie(st.names.CallbackURL); err == nil {
		was, _ = url.QueryUnescape(cookie.Value) // what cannot be read is nothing
	}
	if asked == "" {
		asked = was
	}
	to := authjs.Landing(st.origin, asked)
	if to != was {
		value := url.QueryEscape(to)
		if len(value) > shell.MaxSealed {
			value = url.QueryEscape(st.origin) // browsers would drop it and keep the older one
		}
		s.siteCookie(w, st, st.names.CallbackURL, value, 0)
	}
	return to
}

// wantsJSON reports whether the client reads the address out of the answer
// instead of being led there.
func wantsJSON(r *http.Request) bool {
	return r.Header.Get("X-Auth-Return-Redirect") != "" || r.PostForm.Get("json") == "true"
}

// ofProgram reports whether a POST is a program's: JSON instead of a form. No page
// of another site can send that without asking first, and we do not allow it.
func ofProgram(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return r.Method == http.MethodPost && strings.EqualFold(strings.TrimSpace(kind), "application/json")
}

// addressJSON is the answer to a POST: clients read the address, programs also the
// error.
type addressJSON struct {
	URL   string `json:"url"`
	Error string `json:"error,omitempty"`
}

// lead answers a POST with an address: as JSON to a client, else by leading
// there. The address is absolute: clients take it apart.
func (s sessionAPI) lead(w http.ResponseWriter, r *http.Request, st site, status int, to string) error {
	switch {
	case r.Method == http.MethodPost && wantsJSON(r):
		if st.dialect.Located {
			w.Header().Set("Location", to)
		}
		return s.authJSON(w, st, status, addressJSON{URL: to})
	case ofProgram(r):
		return s.authJSON(w, st, status, addressJSON{URL: to})
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
	return nil
}

func (s sessionAPI) authJSON(w http.ResponseWriter, st site, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header()["Content-Type"] = []string{st.dialect.JSON}
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever asked has gone away
	return nil
}

// tell answers with an outcome, in the words of the site's dialect.
func (s sessionAPI) tell(w http.ResponseWriter, r *http.Request, st site, o authjs.Outcome, code string) error {
	a := st.dialect.Answers[o]
	to := st.base(a.Page)
	if st.app != nil && st.dialect.Direct {
		switch {
		case a.Page == "signin" && st.app.AuthJS.Pages.SignIn != "":
			to = st.origin + st.app.AuthJS.Pages.SignIn
		case a.Page == "error" && st.app.AuthJS.Pages.Error != "":
			to = st.origin + st.app.AuthJS.Pages.Error
		}
	}
	to += "?" + a.Query(st.provider, code)
	if ofProgram(r) && !wantsJSON(r) {
		return s.authJSON(w, st, authjs.Programs[o], addressJSON{URL: to, Error: authjs.V5.Answers[o].Word(code)})
	}
	return s.lead(w, r, st, a.Status, to)
}

// failAuth answers what went wrong here or cannot be had: a client must be able
// to read an address from every answer to a POST, and people must be able to read
// a page.
func (s sessionAPI) failAuth(w http.ResponseWriter, r *http.Request, f *fault.Fault) {
	shell.SetRetry(w, f)
	st, err := s.siteOf(r)
	if err != nil || f.Is(shell.ErrHost) {
		s.FailAPI(w, r, f)
		return
	}
	action, provider, _ := strings.Cut(r.URL.Path[len(authBase):], "/")
	st.provider = provider
	switch {
	case st.app == nil && action == "callback" && s.Upstreams.Named(provider) != nil:
		s.FailPage(s.Request(w, r), f) // somebody comes back from an upstream
	case slices.Contains([]string{"session", "csrf", "providers", "_log", "webauthn-options", "access-token"}, action):
		err = s.authJSON(w, st, shell.StatusOf(f), struct {
			Message   string `json:"message"`
			Reference string `json:"reference"`
		}{s.Say(s.Printer(r), f, ".text"), shell.Reference(r)})
	case r.Method == http.MethodPost && (wantsJSON(r) || ofProgram(r) || r.Header.Get("Sec-Fetch-Mode") == "cors"):
		st = s.learn(w, r, st)
		a := st.dialect.Answers[authjs.Broken]
		err = s.authJSON(w, st, shell.StatusOf(f), addressJSON{URL: st.base(a.Page) + "?" + a.Query(provider, ""), Error: f.Text})
	case st.app != nil && st.app.AuthJS.Pages.Error != "":
		err = s.lead(w, r, st, http.StatusFound, st.origin+st.app.AuthJS.Pages.Error+"?error=Configuration")
	default:
		p := s.Printer(r)
		err = s.renderSite(w, r, st, shell.StatusOf(f), "error.html", ErrorPage{
			Layout: s.siteLayout(r, st), Heading: s.Say(p, f, ".title"), Text: s.Say(p, f, ".text"),
			Next: Link{Text: p.Say("error.back_to_sign_in"), Href: authBase + "signin"}, Ref: s.Ref(r, f),
		})
	}
	if err != nil {
		s.Log.ErrorContext(r.Context(), "the error answer failed", "ref", shell.Reference(r), "err", err)
	}
}

// readAuthForm reads a POST to the session API and reports whether it comes from
// the site's own page, or from a program.
func (s sessionAPI) readAuthForm(w http.ResponseWriter, r *http.Request, st site) (site, bool, error) {
	own := false
	if ofProgram(r) {
		if err := readJSONForm(r); err != nil {
			return st, false, err
		}
		own = r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == ""
	} else if err := r.ParseForm(); err != nil {
		return st, false, shell.BadForm(err)
	}
	st = s.learn(w, r, st)
	return st, own || s.ownForm(r, st, r.PostForm.Get("csrfToken")), nil
}

// readJSONForm reads a JSON object as the form it stands for.
func readJSONForm(r *http.Request) error {
	var fields map[string]any
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	if err := shell.ReadJSON(d, &fields); err != nil {
		return shell.BadForm(err)
	}
	r.PostForm = make(url.Values)
	for name, value := range fields {
		switch v := value.(type) {
		case string:
			r.PostForm.Set(name, v)
		case bool, json.Number:
			r.PostForm.Set(name, fmt.Sprint(v))
		case nil:
		default:
			return shell.BadForm(fmt.Errorf("the field %q holds a list or an object", name))
		}
	}
	return nil
}
