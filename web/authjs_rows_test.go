package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/store"
)

// place is an address at which the session API is spoken, and by what client.
type place struct {
	name, version string // of the client
	own           bool   // our own address
	learned       bool   // the client has posted before: the server found out what it is
}

var places = []place{
	{"v4 at an App", "v4", false, false},
	{"v5 at an App", "v5", false, false},
	{"v4 at an App of auto", "v4", false, true},
	{"v5 at an App of auto", "v5", false, true},
	{"v4 at our own", "v4", true, true},
	{"v5 at our own", "v5", true, true},
}

// want is an answer. {o} is the origin of the place. Cookies are told by what they
// are for, "-" before those that are removed.
type want struct {
	status  int
	to      string // an address in JSON for POST, else the Location; below the base when it has no scheme
	body    string // exact, unless it begins with "…"
	cookies string
}

// row is a line of the contract: what is asked and what is answered to each
// generation, and, where that differs, at our own address.
type row struct {
	name   string
	ask    func(c *authClient) reply
	v4, v5 want
	own    *want
}

const noAction4, noAction5 = "Bad request.", `"Bad request."`

var (
	bad4, bad5 = want{400, "", noAction4, ""}, want{400, "", noAction5, ""}
	page200    = want{200, "", "…<html", ""}
)

func asking(path string) func(*authClient) reply {
	return func(c *authClient) reply { return c.get("/api/auth/" + path) }
}

func posting(path string, pairs ...string) func(*authClient) reply {
	return func(c *authClient) reply { return c.post("/api/auth/"+path, pairs...) }
}

// in has somebody signed in ask.
func in(ask func(*authClient) reply) func(*authClient) reply {
	return func(c *authClient) reply { c.enter("mara@home.example"); return ask(c) }
}

func showing(cookie string) func(*authClient) reply {
	return func(c *authClient) reply {
		return c.get("/api/auth/session", "Cookie", strings.ReplaceAll(cookie, "{s}", c.sessionCookie()))
	}
}

func alike(name string, ask func(*authClient) reply, w want) row { return row{name, ask, w, w, nil} }

// ownSets is alike, with other cookies at our own address.
func ownSets(name string, ask func(*authClient) reply, w want, cookies string) row {
	own := w
	own.cookies = cookies
	return row{name, ask, w, w, &own}
}

// rows are sections 3 and 9 of the contract, but for upstreams.
func rows() []row {
	signedIn := want{200, "", `{"user":{"id":"{id}","name":"Mara","email":"mara@home.example","emailVerified":null,"groups":[]},"expires":"{expires}"}`, ""}
	password := []string{"email", "mara@home.example", "password", goodPassword, "callbackUrl", "{o}/page"}
	wrong := []string{"email", "mara@home.example", "password", "not the password at all"}
	inside := want{200, "{o}/page", "", "-state callback device own session"}
	insideOwn := want{200, "{o}/page", "", "-state callback device hint session"}
	mismatch4, mismatch5 := want{401, "error?error=CredentialsSignin&provider=credentials", "", "callback"}, want{200, "signin?error=CredentialsSignin&code=credentials", "", "callback"}
	foreign4, foreign5 := want{200, "signin?csrf=true", "", "callback csrf"}, want{200, "signin?error=MissingCSRF", "", "callback csrf"}
	noProvider := want{200, "error?error=Configuration", "", "callback"}
	out := func(cookies string) want { return want{200, "{o}/bye", "", cookies} }
	list := []row{
		{"session, signed out", asking("session"), want{200, "", "{}", ""}, want{200, "", "null", ""}, nil},
		alike("session, signed in", in(asking("session")), signedIn),
		{"session, a cookie that opens nothing", showing("{s}=" + strings.Repeat("A", 43)), want{200, "", "{}", ""}, want{200, "", "null", ""}, &want{200, "", "{nobody}", "-session"}},
		{"session, garbage", showing("{s}=%00garbage"), want{200, "", "{}", ""}, want{200, "", "null", ""}, &want{200, "", "{nobody}", "-session"}},
		{"session, garbage in pieces", showing("{s}.0=x; {s}.1=y"), want{200, "", "{}", ""}, want{200, "", "null", ""}, nil},
		alike("csrf", asking("csrf"), want{200, "", `…{"csrfToken":"`, "csrf"}),
		alike("providers", asking("providers"), want{200, "", `…{"credentials":{"id":"credentials","name":"Password","type":"credentials","signinUrl":"{o}/api/auth/signin/credentials","callbackUrl":"{o}/api/auth/callback/credentials"},"email":{"id":"email","name":"Email","type":"email",`, ""}),
		{"sign-in page", asking("signin"), want{302, "*", "", "callback csrf state"}, want{302, "*", "", "callback csrf state"}, nil},
		{"a page of one provider", asking("signin/email"), want{302, "*", "", "callback csrf state"}, want{302, "error?error=Configuration", "", ""}, nil},
		alike("sign-out page", asking("signout"), want{200, "", "…<form", "callback csrf"}),
		{"verify-request, asked elsewhere", asking("verify-request?provider=email&type=email"), page200, page200, &want{302, "{o}/signin/code", "", ""}},
		alike("error page", asking("error"), page200),
		alike("error page, unknown", asking("error?error=Whatever"), page200),
		alike("error page, Configuration", asking("error?error=Configuration"), want{500, "", "…<html", ""}),
		alike("error page, AccessDenied", asking("error?error=AccessDenied"), want{403, "", "…<html", ""}),
		alike("error page, Verification", asking("error?error=Verification"), want{403, "", "…<html", ""}),
		{"an unknown action", asking("nothing"), bad4, bad5, nil},
		{"an unknown action deeper", asking("nothing/deep/er"), bad4, bad5, nil},
		{"an unknown action, posted", posting("nothing"), bad4, bad5, nil},

		{"password", posting("callback/credentials", password...), inside, inside, &insideOwn},
		{"password, wrong", posting("callback/credentials", wrong...), mismatch4, mismatch5, nil},
		{"password, nobody", posting("callback/credentials", "email", "nobody@home.example", "password", goodPassword), mismatch4, mismatch5, nil},
		{"password, empty", posting("callback/credentials", "email", "mara@home.example", "password", ""), mismatch4, mismatch5, nil},
		{"password, nothing sent", posting("callback/credentials"), mismatch4, mismatch5, nil},
		{"password, foreign", posting("callback/credentials", append([]string{"csrfToken", "x"}, password[:4]...)...), foreign4, foreign5, nil},
		{"password, foreign target", posting("callback/credentials", "username", "mara@home.example", "password", goodPassword, "callbackUrl", "https://evil.example/"), want{200, "{o}", "", inside.cookies}, want{200, "{o}", "", inside.cookies}, &want{200, "{o}", "", insideOwn.cookies}},
		{"password, closed account", posting("callback/credentials", "email", "gone@home.example", "password", goodPassword), want{403, "error?error=account_disabled", "", "callback"}, want{200, "signin?error=CredentialsSignin&code=account_disabled", "", "callback"}, nil},
		{"password, may not use the App", posting("callback/credentials", "email", "guest@home.example", "password", goodPassword), want{403, "error?error=AccessDenied", "", "callback"}, want{200, "error?error=AccessDenied", "", "callback"}, &want{200, "{o}", "", insideOwn.cookies}},
		{"password, too often", func(c *authClient) reply {
			for range 5 {
				c.post("/api/auth/callback/credentials", wrong...)
			}
			return c.post("/api/auth/callback/credentials", wrong...)
		}, want{429, "error?error=rate_limited", "", ""}, want{200, "signin?error=CredentialsSignin&code=rate_limited", "", ""}, nil},

		alike("email", posting("signin/email", "email", "nobody@home.example"), want{200, "verify-request?provider=email&type=email", "", "callback state"}),
		alike("email by another id", posting("signin/nodemailer", "email", "some@home.example"), want{200, "verify-request?provider=nodemailer&type=email", "", "callback state"}),
		alike("email by a third id", posting("signin/resend?", "email", "one@home.example"), want{200, "verify-request?provider=resend&type=email", "", "callback state"}),
		alike("email by a fourth id", posting("signin/magic-link", "email", "else@home.example"), want{200, "verify-request?provider=magic-link&type=email", "", "callback state"}),
		{"email, no address", posting("signin/email", "email", ""), want{200, "error?error=EmailSignin", "", "callback"}, noProvider, nil},
		{"email, bad address", posting("signin/email", "email", "a@b@c.example"), want{200, "error?error=EmailSignin", "", "callback"}, noProvider, nil},
		{"email, foreign", posting("signin/email", "csrfToken", "x", "email", "mara@home.example"), foreign4, foreign5, nil},
		alike("an unknown provider", posting("signin/nobody"), noProvider),
		alike("no provider", posting("signin"), want{200, "signin", "", "callback"}),

		{"link without a token", asking("callback/email"), want{302, "error?error=configuration", "", ""}, want{302, "error?error=Configuration", "", ""}, nil},
		{"link unknown", asking("callback/email?token=" + strings.Repeat("A", 43)), want{302, "error?error=Verification", "", "callback"}, want{302, "error?error=Verification", "", "callback"}, &want{303, "/signin/link/" + strings.Repeat("A", 43), "", ""}},
		{"upstream, nobody awaited", asking("callback/nobody?code=x&state=y"), want{302, "error?error=OAuthCallback", "", ""}, want{302, "error?error=Configuration", "", ""}, nil},
		{"hand-off of nobody", asking("callback/gatelodge?code=" + strings.Repeat("A", 43)), want{302, "error?error=OAuthCallback", "", ""}, want{302, "error?error=Configuration", "", ""}, nil},

		ownSets("update", in(func(c *authClient) reply {
			return c.update(`{"csrfToken":"` + c.token() + `","data":{"name":"Mara","email":"boss@home.example","admin":true}}`)
		}), want{200, "", signedIn.body, "own session"}, "session"),
		ownSets("update of nothing", in(func(c *authClient) reply { return c.update(`{"csrfToken":"` + c.token() + `"}`) }), want{200, "", signedIn.body, "own session"}, "session"),
		{"update, foreign", in(func(c *authClient) reply { return c.update(`{"csrfToken":"x","data":{"name":"Evil"}}`) }), want{400, "", "{}", ""}, want{400, "", "null", ""}, nil},
		{"update, no JSON", func(c *authClient) reply { return c.update(`name=x`) }, want{400, "", "{}", ""}, want{400, "", "null", ""}, nil},
		{"update, signed out", func(c *authClient) reply { return c.update(`{"csrfToken":"` + c.token() + `","data":{"name":"X"}}`) }, want{200, "", "{}", ""}, want{200, "", "null", ""}, nil},

		ownSets("sign-out", in(posting("signout", "callbackUrl", "{o}/bye")), out("-own -session callback"), "-session callback"),
		{"sign-out, already out", posting("signout", "callbackUrl", "{o}/bye"), out("callback"), out("callback"), nil},
		{"sign-out, foreign target", posting("signout", "callbackUrl", "https://evil.example/"), want{200, "{o}", "", "callback"}, want{200, "{o}", "", "callback"}, nil},
		{"sign-out, foreign", in(posting("signout", "csrfToken", "x")), want{200, "signout?csrf=true", "", "callback csrf"}, foreign5, nil},

		{"log", posting("_log"), want{200, "", "", ""}, bad5, nil},
		{"passkey options", asking("webauthn-options/passkey"), bad4, want{400, "", `{"error":"Invalid request"}`, ""}, nil},
		{"passkey options, nonsense", asking("webauthn-options/passkey?action=x"), bad4, want{400, "", `{"error":"Invalid action"}`, ""}, nil},
	}
	for _, name := range []string{"Signin", "OAuthSignin", "OAuthCallback", "OAuthCreateAccount", "EmailCreateAccount", "Callback", "OAuthAccountNotLinked", "EmailSignin", "CredentialsSignin", "SessionRequired"} {
		list = append(list, row{"error page, " + name, asking("error?error=" + name), want{302, "signin?error=" + name, "", ""}, page200, nil})
	}
	for _, name := range []string{"rate_limited", "account_disabled", "totp_required"} {
		list = append(list, alike("error page, "+name, asking("error?error="+name), page200))
	}
	for _, method := range []string{http.MethodPut, http.MethodHead, http.MethodOptions, http.MethodDelete, http.MethodPatch} {
		v4, v5 := bad4, bad5
		if method == http.MethodHead {
			v4.body, v5.body = "", ""
		}
		list = append(list, row{method, func(c *authClient) reply { return c.at(method, "/api/auth/session", nil) }, v4, v5, nil})
	}
	return list
}

// TestEveryRow holds every answer of the session API, its status, headers, cookies
// and body, to what the two generations of clients expect of it.
func TestEveryRow(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			version := p.version
			if p.learned {
				version = "auto"
			}
			h := open(t, func(c *config.Config) {
				c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"localhost:3000\"]\nallow = [\"user:mara@home.example\", \"user:gone@home.example\"]\n[app.authjs]\nversion = \""+version+"\"\n")
			})
			mara, gone := h.withPassword("mara@home.example", goodPassword), h.withPassword("gone@home.example", goodPassword)
			h.withPassword("guest@home.example", goodPassword)
			if err := h.app.Users.Rename(t.Context(), app.Operator(), mara, "Mara"); err != nil {
				t.Fatal(err)
			}
			if err := h.app.Users.Disable(t.Context(), app.Operator(), gone); err != nil {
				t.Fatal(err)
			}
			for _, r := range rows() {
				w := r.v5
				if p.version == "v4" {
					w = r.v4
				}
				if p.own && r.own != nil {
					w = *r.own
				}
				t.Run(r.name, func(t *testing.T) {
					h.pass(25 * time.Hour) // limits are forgotten
					c := h.client(t, p)
					a := r.ask(c)
					c.compare(a, w)
					// The same by a plain form is a redirect.
					if w.to != "" && a.Request.Method == http.MethodPost && !p.learned {
						h.pass(25 * time.Hour)
						c := h.client(t, p)
						c.form = true
						c.compare(r.ask(c), w)
					}
				})
			}
		})
	}
}

// client is a new client at a place.
func (h *testServer) client(t testing.TB, p place) *authClient {
	c := h.browser().authjs(p.version)
	c.t, c.origin = t, wikiOrigin
	if p.own {
		c.origin, c.own = h.url, true
		c.host = strings.TrimPrefix(h.url, "http://")
	}
	if p.learned {
		known := c.post("/api/auth/signout").cookie("gatelodge-client")
		if known == nil || known.Value != p.version {
			t.Fatalf("the client is taken for %v", known)
		}
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		jar.SetCookies(mustURL(t, c.origin), []*http.Cookie{known})
		c.client.Jar = jar
	}
	return c
}

// sessionCookie is the name of the session's cookie at the place.
func (c *authClient) sessionCookie() string {
	switch {
	case c.own:
		return c.h.named("gatelodge")
	case c.version == "v4":
		return "next-auth.session-token"
	}
	return "authjs.session-token"
}

// enter gives the browser a session at the place, as if it had signed in.
func (c *authClient) enter(email string) {
	c.t.Helper()
	u, err := c.h.app.Users.Find(c.t.Context(), email)
	if err != nil {
		c.t.Fatal(err)
	}
	var token string
	err = c.h.app.DB.Update(c.t.Context(), func(tx *store.Tx) error {
		app := "wiki"
		if c.own {
			app = ""
		}
		own, share, _, err := c.h.begin(tx, u.ID, app)
		if token = share; c.own {
			token = own
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.client.Jar.SetCookies(mustURL(c.t, c.origin), []*http.Cookie{{Name: c.sessionCookie(), Value: token, Path: "/"}})
	c.user, c.expires = u.ID, c.h.Now().Add(30*24*time.Hour)
}

// purpose tells what a cookie is for.
func (c *authClient) purpose(name string) string {
	port := "-" + mustURL(c.t, c.origin).Port() // behind the names of ours
	for prefix, what := range map[string]string{
		strings.TrimSuffix(c.sessionCookie(), port): "session", "gatelodge-own": "own", "gatelodge-login": "state", "gatelodge-device": "device", "gatelodge-hint": "hint", "gatelodge-client": "client",
	} {
		if name == prefix || name == prefix+port || prefix == c.sessionCookie() && strings.HasPrefix(name, prefix+".") {
			return what + strings.TrimSuffix(strings.TrimPrefix(name, prefix), port)
		}
	}
	prefix := map[string]string{"v4": "next-auth.", "v5": "authjs."}[c.version]
	switch strings.TrimSuffix(strings.TrimPrefix(name, prefix), port) {
	case "csrf-token":
		return "csrf"
	case "callback-url":
		return "callback"
	case "state":
		return "state"
	}
	return name
}

var longBody = regexp.MustCompile(`(?s)^(.{400}).*`)

// compare holds an answer to what is wanted of it.
func (c *authClient) compare(a reply, w want) {
	t := c.t
	t.Helper()
	fill := strings.NewReplacer("{o}", c.origin, "{id}", c.user, "{expires}", c.expires.UTC().Format("2006-01-02T15:04:05.000Z"),
		"{nobody}", map[string]string{"v4": "{}", "v5": "null"}[c.version]).Replace
	w.to, w.body = fill(w.to), fill(w.body)
	if w.to != "" && w.to != "*" && !strings.HasPrefix(w.to, "/") && !strings.Contains(w.to, "://") {
		w.to = c.origin + "/api/auth/" + w.to
	}
	post := a.Request.Method == http.MethodPost
	if post && c.form && w.to != "" {
		w.status = http.StatusFound
	}
	location := a.Header.Get("Location")
	switch {
	case a.StatusCode != w.status:
		t.Errorf("got %d, want %d\n%s", a.StatusCode, w.status, longBody.ReplaceAllString(a.body, "$1…"))
	case w.to == "*":
		if to := strings.TrimSuffix(c.h.app.Config.Origin().String(), "/"); c.own && location != c.origin+"/signin" || !c.own && !strings.HasPrefix(location, to+"/signin/app/wiki?ask=") {
			t.Errorf("led to %q", location)
		}
	case w.to != "" && post && !c.form:
		a.leads(t, w.status, w.to)
		if c.version == "v5" && location != w.to {
			t.Errorf("the Location is %q", location)
		}
	case w.to != location:
		t.Errorf("led to %q, want %q", location, w.to)
	case strings.HasPrefix(w.body, "…"):
		if !strings.Contains(a.body, strings.TrimPrefix(w.body, "…")) {
			t.Errorf("lacks %s:\n%s", w.body, a.body)
		}
	case w.to == "" && a.body != w.body:
		t.Errorf("got %s\nwant %s", longBody.ReplaceAllString(a.body, "$1…"), w.body)
	}
	c.compareHeaders(a, w)
	var got []string
	for _, cookie := range a.Cookies() {
		what := c.purpose(cookie.Name)
		if cookie.MaxAge < 0 {
			what = "-" + what
		}
		if cookie.Path != "/" || cookie.SameSite != http.SameSiteLaxMode || !cookie.HttpOnly || cookie.Domain != "" || len(cookie.Value) > 900 {
			t.Errorf("the cookie %s", cookie.Raw)
		}
		got = append(got, what)
	}
	slices.Sort(got)
	if text := strings.Join(got, " "); text != w.cookies {
		t.Errorf("got the cookies %q, want %q", text, w.cookies)
	}
}

// compareHeaders holds what says how an answer is read and kept.
func (c *authClient) compareHeaders(a reply, w want) {
	t := c.t
	t.Helper()
	kind := a.Header.Get("Content-Type")
	switch {
	case w.body == noAction4 || a.Request.Method == http.MethodHead:
		// As in the originals, for nobody to read.
	case json.Valid([]byte(a.body)) && kind != map[string]string{"v4": "application/json; charset=utf-8", "v5": "application/json"}[c.version]:
		t.Errorf("the JSON is %q", kind)
	case strings.Contains(a.body, "<html") && kind != "text/html; charset=utf-8":
		t.Errorf("the page is %q", kind)
	}
	cache := "no-store"
	if a.Request.Method == http.MethodGet && w.status == 200 && (strings.HasSuffix(a.Request.URL.Path, "/session") || strings.HasSuffix(a.Request.URL.Path, "/csrf")) {
		cache = "private, no-cache, no-store"
		if a.Header.Get("Pragma") != "no-cache" || a.Header.Get("Expires") != "0" {
			t.Errorf("old caches may keep it: %v", a.Header)
		}
	}
	if got := a.Header.Get("Cache-Control"); got != cache {
		t.Errorf("caches are told %q", got)
	}
	for name := range a.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("other origins are told %s", name)
		}
	}
}

// Before it has heard its client, a server that finds out by itself answers what
// both generations read rightly.
func TestRowsBeforeTheClientIsKnown(t *testing.T) {
	h := wiki(t, "auto", "")
	for path, w := range map[string]want{
		"session":                 {200, "", "false", ""},
		"signin/email":            {302, "*", "", "callback csrf state"},
		"error?error=EmailSignin": page200,
		"callback/email":          {302, "error?error=Configuration", "", ""},
	} {
		c := h.browser().authjs("v5")
		c.compare(c.get("/api/auth/"+path), w)
	}
	c := h.browser().authjs("v5")
	c.compare(c.at(http.MethodPost, "/api/auth/_log", url.Values{}), want{200, "", "", ""})
}
