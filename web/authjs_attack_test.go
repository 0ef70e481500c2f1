package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/apps/authjs"
	"gatelodge/app/config"
)

// secureWiki opens a server with the App "Wiki" at https://wiki.home.example, which
// has a sibling that nobody trusts.
func secureWiki(t testing.TB, more string) *testServer {
	t.Helper()
	h := open(t, func(c *config.Config) {
		c.PublicURL = "https://auth.home.example"
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"wiki.home.example\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \"v5\"\n"+more)
	})
	h.withPassword("mara@home.example", goodPassword)
	h.withPassword("mallory@home.example", goodPassword)
	return h
}

// held are cookies by name, as a browser keeps them.
type held map[string]string

func (c held) keep(a reply) held {
	for _, cookie := range a.Cookies() {
		c[cookie.Name] = cookie.Value
		if cookie.MaxAge < 0 {
			delete(c, cookie.Name)
		}
	}
	return c
}

func (c held) only(names ...string) held {
	some := held{}
	for _, name := range names {
		some[name] = c[name]
	}
	return some
}

func (c held) String() string {
	var pairs []string
	for name, value := range c {
		pairs = append(pairs, name+"="+value)
	}
	return strings.Join(pairs, "; ")
}

// secureClient is the client at that App, in a browser that says where it is.
func (h *testServer) secureClient() *authClient {
	c := h.browser().authjs("v5")
	c.host, c.origin = "wiki.home.example", "https://wiki.home.example"
	c.headers["Sec-Fetch-Site"] = "same-origin"
	return c
}

// secureSignIn signs in at the App and returns the cookies.
func (h *testServer) secureSignIn(t testing.TB, email string) held {
	t.Helper()
	h.pass(time.Hour)
	c := h.secureClient()
	a := c.post("/api/auth/callback/credentials", "email", email, "password", goodPassword, "csrfToken", "-")
	a.leads(t, 200, "https://wiki.home.example")
	return held{}.keep(a)
}

const (
	secureSession = "__Secure-authjs.session-token"
	secureOwn     = "__Host-gatelodge-own"
)

// A page at a sibling's address can plant cookies for the whole domain, but none
// whose name begins with __Host-.
func TestCookieTossing(t *testing.T) {
	for carrier, more := range map[string]string{"opaque": "", "encrypted": "secret = \"" + appSecret + "\"\n"} {
		t.Run(carrier, func(t *testing.T) {
			h := secureWiki(t, more)
			mara, mallory := h.secureSignIn(t, "mara@home.example"), h.secureSignIn(t, "mallory@home.example")
			mine, planted := mara.only(secureSession).String(), mallory.only(secureSession).String()
			own := mara.only(secureOwn).String()
			as := func(cookies string) string { return h.secureClient().get("/api/auth/session", "Cookie", cookies).body }
			for name, tt := range map[string]struct{ cookies, email string }{
				"nothing planted":        {mine + "; " + own, "mara@"},
				"before hers":            {planted + "; " + mine + "; " + own, "mara@"},
				"behind hers":            {mine + "; " + planted + "; " + own, "mara@"},
				"in place of hers":       {planted + "; " + own, ""},
				"where nobody was in":    {planted, ""},
				"with a made-up voucher": {planted + "; " + secureOwn + "=AAAAAAAAAAAAAAAAAAAA", ""},
			} {
				got := as(tt.cookies)
				if tt.email == "" && got != "null" || !strings.Contains(got, tt.email) {
					t.Errorf("%s: got %s", name, got)
				}
			}
			// A program passes on the one cookie it knows, and says nothing of where it is.
			if got := h.secureClient().browser.get("/api/auth/session", "Host", "wiki.home.example", "Cookie", mine, "Sec-Fetch-Site", "").body; !strings.Contains(got, "mara@") {
				t.Errorf("a program gets %s", got)
			}
			// Signing out with both ends her own session, and not the planted one.
			h.secureClient().at(http.MethodPost, "/api/auth/signout", url.Values{}, "Cookie", planted+"; "+mine+"; "+own, "X-Auth-Return-Redirect", "1").leads(t, 200, "https://wiki.home.example")
			if got := as(mara.String()); got != "null" {
				t.Errorf("she is still in: %s", got)
			}
			if got := as(mallory.String()); !strings.Contains(got, "mallory@") {
				t.Errorf("he got %s", got)
			}
		})
	}
}

// A half-done sign-in that a sibling plants would make the attacker's mailed link
// open at once in the victim's browser.
func TestTossedAttempt(t *testing.T) {
	h := secureWiki(t, "")
	mallory := h.secureClient()
	state := held{}.keep(mallory.post("/api/auth/signin/email", "email", "mallory@home.example", "csrfToken", "-"))["__Host-authjs.state"]
	if state == "" {
		t.Fatal("there is no state")
	}
	link := relative(t, h.letter("signin").Link)
	victim := h.secureClient()
	for _, name := range []string{"__Secure-authjs.state", "authjs.state", "state"} {
		a := victim.get(link, "Cookie", name+"="+state, "Sec-Fetch-Site", "cross-site")
		if to := a.Header.Get("Location"); !strings.HasPrefix(to, "https://auth.home.example/signin/link/") || a.cookie(secureSession) != nil {
			t.Errorf("%s: led to %s", name, to)
		}
	}
	// Nor does a planted word on what the client is change the answers.
	if got := victim.get("/api/auth/session", "Cookie", "gatelodge-client=v4; gatelodge-client-3000=v4").body; got != "null" {
		t.Errorf("got %s", got)
	}
	// A planted callback-url leads nowhere else.
	a := victim.post("/api/auth/signout", "csrfToken", "-")
	a.leads(t, 200, "https://wiki.home.example")
	victim.at(http.MethodPost, "/api/auth/signout", url.Values{}, "X-Auth-Return-Redirect", "1", "Cookie", "__Secure-authjs.callback-url=https%3A%2F%2Fevil.home.example%2F").
		leads(t, 200, "https://wiki.home.example")
}

// Two Apps that were given the same secret still have sessions of their own.
func TestAnotherAppsCookie(t *testing.T) {
	h := open(t, func(c *config.Config) {
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"localhost:3000\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \"v5\"\nsecret = \""+appSecret+"\"\n"+
			"[[app]]\nname = \"Else\"\nhosts = [\"localhost:4000\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \"v5\"\nsecret = \""+appSecret+"\"\n")
	})
	h.user("mara@home.example")
	cookie := "authjs.session-token=" + h.browser().authjs("v5").signInByMail("mara@home.example").cookie("authjs.session-token").Value
	thief := h.browser().authjs("v5")
	thief.get("/api/auth/session", "Cookie", cookie).is(t, 200, "mara@")
	thief.host = "localhost:4000"
	if got := thief.get("/api/auth/session", "Cookie", cookie).body; got != "null" {
		t.Errorf("the other App knows %s", got)
	}
	if got := thief.get("/api/auth/session", "Authorization", "Bearer "+strings.TrimPrefix(cookie, "authjs.session-token=")).body; got != "null" {
		t.Errorf("by a bearer the other App knows %s", got)
	}
}

// The code of a hand-off stands in an address, where it may be read.
func TestStolenHandOff(t *testing.T) {
	h := wiki(t, "v5", "")
	b := h.browser()
	b.signIn("mara@home.example")
	code := func() string {
		page := relative(t, b.authjs("v5").get("/api/auth/signin").Header.Get("Location"))
		return relative(t, b.get(page, "Sec-Fetch-Site", "cross-site").Header.Get("Location"))
	}
	lost := wikiOrigin + "/api/auth/error?error=Configuration"
	stolen := code()
	// In a browser that asked for nothing, in one that asked too, and as a program.
	thief, busy := h.browser().authjs("v5"), h.browser().authjs("v5")
	busy.get("/api/auth/signin")
	thief.get(stolen).redirects(t, lost)
	busy.get(stolen).redirects(t, lost)
	for _, c := range []*authClient{thief, busy} {
		if got := c.get("/api/auth/session").body; got != "null" {
			t.Errorf("the thief is in: %s", got)
		}
	}
	// The owner comes after the thief, and gets in; and the code is spent.
	b.authjs("v5").get(stolen).redirects(t, wikiOrigin)
	b.authjs("v5").get("/api/auth/session").is(t, 200, "mara@")
	b.authjs("v5").post("/api/auth/signout")
	b.authjs("v5").get(stolen).redirects(t, lost)
}

// A sign-in with a planted session gives a new one, and the planted one stays what
// it was.
func TestSessionFixationAtAnApp(t *testing.T) {
	for carrier, more := range map[string]string{"opaque": "", "encrypted": "secret = \"" + appSecret + "\"\n"} {
		h := wiki(t, "v5", more)
		h.user("mallory@home.example")
		planted := h.browser().authjs("v5").signInByMail("mallory@home.example").cookie("authjs.session-token").Value
		for _, value := range []string{planted, strings.Repeat("A", 43), "chosen-by-mallory-0123456789abcdef"} {
			victim := h.browser().authjs("v5")
			victim.client.Jar.SetCookies(mustURL(t, wikiOrigin), []*http.Cookie{{Name: "authjs.session-token", Value: value, Path: "/"}})
			h.pass(10 * time.Minute)
			got := victim.signInByMail("mara@home.example").cookie("authjs.session-token")
			if got == nil || got.Value == value {
				t.Fatalf("%s: the planted session is kept: %v", carrier, got)
			}
			victim.get("/api/auth/session").is(t, 200, "mara@")
			if body := h.browser().authjs("v5").get("/api/auth/session", "Cookie", "authjs.session-token="+value).body; strings.Contains(body, "mara@") {
				t.Errorf("%s: the planted session is hers: %s", carrier, body)
			}
		}
	}
}

// Nobody is signed in as somebody else by what another site has their browser send.
func TestLoginCSRF(t *testing.T) {
	h := secureWiki(t, "")
	form := url.Values{"email": {"mallory@home.example"}, "password": {goodPassword}, "json": {"true"}}
	text := `{"email":"mallory@home.example","password":"` + goodPassword + `","x":"="}`
	for name, headers := range map[string][]string{
		"another site":                  {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		"a sibling":                     {"Sec-Fetch-Site", "same-site", "Origin", "https://evil.home.example"},
		"our own pages":                 {"Sec-Fetch-Site", "same-site", "Origin", "https://auth.home.example"},
		"an old browser":                {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		"a frame in a sandbox":          {"Sec-Fetch-Site", "", "Origin", "null"},
		"a browser that says nothing":   {"Sec-Fetch-Site", ""},
		"JSON from another site":        {"Sec-Fetch-Site", "cross-site", "Content-Type", "application/json"},
		"JSON from a frame":             {"Sec-Fetch-Site", "", "Origin", "null", "Content-Type", "application/json"},
		"JSON dressed as text":          {"Sec-Fetch-Site", "", "Content-Type", "text/plain"},
		"a planted cookie, no token":    {"Sec-Fetch-Site", "", "Cookie", "__Host-authjs.csrf-token=x%7Cx"},
		"a token, and another's cookie": {"Sec-Fetch-Site", "same-site", "Cookie", "__Host-authjs.csrf-token=x%7Cx"},
	} {
		c := h.secureClient()
		var a reply
		if body := fmt.Sprint(headers); strings.Contains(body, "application/json") || strings.Contains(body, "text/plain") {
			a = c.send(c.request("/api/auth/callback/credentials", text, headers...))
		} else {
			a = c.at(http.MethodPost, "/api/auth/callback/credentials", form, headers...)
		}
		if a.cookie(secureSession) != nil || !strings.Contains(a.body+a.Header.Get("Location"), "MissingCSRF") && !strings.Contains(a.body, "csrf=true") {
			t.Errorf("%s: got %d %s %v", name, a.StatusCode, a.body, a.Cookies())
		}
	}
	// The attacker's mailed link, sent to the victim: a page asks, and names whose it is.
	h.secureClient().post("/api/auth/signin/email", "email", "mallory@home.example", "csrfToken", "-")
	a := h.secureClient().get(relative(t, h.letter("signin").Link), "Sec-Fetch-Site", "cross-site")
	if a.cookie(secureSession) != nil || !strings.HasPrefix(a.Header.Get("Location"), "https://auth.home.example/signin/link/") {
		t.Errorf("the link leads to %s", a.Header.Get("Location"))
	}
	// A page's image signs nobody out.
	mara := h.secureSignIn(t, "mara@home.example")
	h.secureClient().get("/api/auth/signout", "Cookie", mara.String(), "Sec-Fetch-Site", "cross-site")
	h.secureClient().get("/api/auth/session", "Cookie", mara.String()).is(t, 200, "mara@")
}

// request is a POST of a text that is no form.
func (c *authClient) request(path, body string, headers ...string) *http.Request {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.h.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Host = c.host
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// The App's own server makes the cookie anew whenever it likes. What it cannot make
// is a session.
func TestDeadSessionsJWE(t *testing.T) {
	for version, enc := range map[string]authjs.Encryption{"v4": authjs.GCM, "v5": authjs.CBC} {
		h := wiki(t, version, "secret = \""+appSecret+"\"\n")
		name := authjs.ByVersion(version).Names(false).Session
		sealer, err := authjs.NewSealer(enc, name, []string{appSecret})
		if err != nil {
			t.Fatal(err)
		}
		c := h.browser().authjs(version)
		claims, _, err := sealer.Open(c.signInByMail("mara@home.example").cookie(name).Value, h.Now())
		if err != nil {
			t.Fatal(err)
		}
		anew := func() string {
			claims.IssuedAt, claims.Expires = h.Now(), h.Now().Add(365*24*time.Hour)
			token, err := sealer.Seal(claims)
			if err != nil {
				t.Fatal(err)
			}
			return h.browser().authjs(version).get("/api/auth/session", "Cookie", name+"="+token).body
		}
		if got := anew(); !strings.Contains(got, "mara@") {
			t.Errorf("%s: made anew it opens %s", version, got)
		}
		for what, end := range map[string]func(){
			"signed out": func() { c.post("/api/auth/signout") },
			"expired":    func() { h.pass(181 * 24 * time.Hour) },
			"closed": func() {
				u, err := h.app.Users.Find(t.Context(), "mara@home.example")
				if err != nil {
					t.Fatal(err)
				}
				if err := h.app.Users.Disable(t.Context(), app.Operator(), u); err != nil {
					t.Fatal(err)
				}
			},
		} {
			end()
			if got := anew(); strings.Contains(got, "mara@") {
				t.Errorf("%s: %s, it still opens", version, what)
			}
		}
	}
}

// The clock of an App's server may be wrong. Only the session's own end counts, and
// what the cookie says of its end with the tolerance of the original.
func TestClockSkew(t *testing.T) {
	h := wiki(t, "v5", "secret = \""+appSecret+"\"\n")
	sealer, err := authjs.NewSealer(authjs.CBC, "authjs.session-token", []string{appSecret})
	if err != nil {
		t.Fatal(err)
	}
	claims, _, err := sealer.Open(h.browser().authjs("v5").signInByMail("mara@home.example").cookie("authjs.session-token").Value, h.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		issued, expires time.Duration
		in              bool
	}{
		"right":                  {0, 720 * time.Hour, true},
		"a day ahead":            {24 * time.Hour, 744 * time.Hour, true},
		"a day behind":           {-24 * time.Hour, 696 * time.Hour, true},
		"ten seconds too late":   {0, -10 * time.Second, true},
		"twenty seconds":         {0, -20 * time.Second, false},
		"centuries ahead":        {0, 150 * 365 * 24 * time.Hour, true},
		"from before the server": {-50 * 365 * 24 * time.Hour, time.Hour, true},
	} {
		c := claims
		c.IssuedAt, c.Expires = h.Now().Add(tt.issued), h.Now().Add(tt.expires)
		token, err := sealer.Seal(c)
		if err != nil {
			t.Fatal(err)
		}
		got := h.browser().authjs("v5").get("/api/auth/session", "Cookie", "authjs.session-token="+token).body
		if in := strings.Contains(got, "mara@"); in != tt.in {
			t.Errorf("%s: got %s", name, got)
		}
		if tt.in && !strings.Contains(got, `"expires":"2026-12-23T12:00:00`) {
			t.Errorf("%s: the App's clock tells when it ends: %s", name, got)
		}
	}
}

// Who guesses at an App's address keeps out other guessers, and not the owner in the
// browser they used there before. Their token there is worth nothing at our own
// pages, since the App could read it.
func TestGuessingAtAnAppKeepsNoOwnerOut(t *testing.T) {
	h := secureWiki(t, "")
	mara := h.secureSignIn(t, "mara@home.example")
	guess := func(cookies string, password string) string {
		a := h.secureClient().at(http.MethodPost, "/api/auth/callback/credentials", url.Values{"email": {"mara@home.example"}, "password": {password}},
			"X-Auth-Return-Redirect", "1", "Cookie", cookies)
		return a.body
	}
	for range 6 {
		guess("a=b", "not the password at all")
	}
	if got := guess("a=b", goodPassword); !strings.Contains(got, "code=rate_limited") {
		t.Errorf("a stranger gets %s", got)
	}
	device := mara.only("__Host-gatelodge-device").String()
	if got := guess(device, goodPassword); strings.Contains(got, "error") {
		t.Errorf("the owner gets %s", got)
	}
	b := h.browser()
	b.headers["Cookie"] = device
	a := b.do(http.MethodPost, "/api/auth/callback/credentials", url.Values{"email": {"mara@home.example"}, "password": {goodPassword}},
		"Host", "auth.home.example", "Sec-Fetch-Site", "same-origin", "X-Auth-Return-Redirect", "1")
	if !strings.Contains(a.body, "code=rate_limited") {
		t.Errorf("with the App's token at our own address: %s", a.body)
	}
}

// A program needs no token, is told what happened by the status, and signs out by
// the token it shows.
func TestProgramsPostJSON(t *testing.T) {
	for _, version := range []string{"v4", "v5", "auto"} {
		h := wiki(t, version, "")
		h.withPassword("sam@home.example", goodPassword)
		c := h.browser().authjs("v5")
		send := func(path, body string, headers ...string) (reply, addressJSON) {
			var got addressJSON
			a := c.send(c.request("/api/auth/"+path, body, headers...))
			if err := json.Unmarshal([]byte(a.body), &got); err != nil {
				t.Errorf("%s: %s", path, a.body)
			}
			return a, got
		}
		for body, want := range map[string]struct {
			status int
			word   string
		}{
			`{"email":"sam@home.example","password":"not the password at all"}`: {401, "credentials"},
			`{"email":"sam@home.example"}`:                                      {401, "credentials"},
			`[]`:                                                                {422, "error.bad_form"},
			`{"email":`:                                                         {422, "error.bad_form"},
		} {
			if a, got := send("callback/credentials", body); a.StatusCode != want.status || got.Error != want.word || !strings.HasPrefix(got.URL, wikiOrigin) {
				t.Errorf("%s: %s gives %d %s", version, body, a.StatusCode, a.body)
			}
		}
		if a, got := send("signin/email", `{"email":"no address"}`); a.StatusCode != 422 || got.Error != "Configuration" {
			t.Errorf("%s: a bad address gives %d %s", version, a.StatusCode, a.body)
		}
		a, got := send("callback/credentials", `{"username":"sam@home.example","password":"`+goodPassword+`"}`)
		if a.StatusCode != 200 || got.Error != "" || got.URL != wikiOrigin {
			t.Errorf("%s: the password gives %d %s", version, a.StatusCode, a.body)
		}
		var token string
		for _, cookie := range a.Cookies() {
			if strings.HasSuffix(cookie.Name, ".session-token") {
				token = cookie.Value
			}
		}
		// Elsewhere, without cookies.
		c = h.browser().authjs("v5")
		c.get("/api/auth/session", "Authorization", "Bearer "+token).is(t, 200, "sam@home.example")
		if a := c.send(c.request("/api/auth/session", `{"data":{"name":"Sam"}}`, "Authorization", "Bearer "+token)); !strings.Contains(a.body, `"name":"Sam"`) || len(a.Cookies()) != 0 {
			t.Errorf("%s: update gives %s %v", version, a.body, a.Cookies())
		}
		if a, _ := send("signout", `{}`, "Authorization", "Bearer "+token); a.StatusCode != 200 {
			t.Errorf("%s: signing out gives %d %s", version, a.StatusCode, a.body)
		}
		if got := c.get("/api/auth/session", "Authorization", "Bearer "+token).body; strings.Contains(got, "sam@") {
			t.Errorf("%s: still in: %s", version, got)
		}
	}
}

type addressJSON struct{ URL, Error string }

// Somebody who signs in for the first time is led to the page an App has for them,
// however they came.
func TestNewPeopleAreWelcomed(t *testing.T) {
	welcome := wikiOrigin + "/welcome?callbackUrl=" + url.QueryEscape(wikiOrigin+"/page")
	h := wiki(t, "v5", "[app.authjs.pages]\nnew_user = \"/welcome\"\n")
	c := h.browser().authjs("v5")
	for n, to := range []string{welcome, wikiOrigin + "/page"} {
		h.pass(time.Hour)
		c.post("/api/auth/signin/email", "email", "mara@home.example", "callbackUrl", "/page")
		h.mail(n + 1)
		c.get(relative(t, h.signInMails()[0].Link)).redirects(t, to)
	}
	// By way of our own page.
	h.user("new@home.example")
	b := h.browser()
	for _, to := range []string{welcome, wikiOrigin + "/page"} {
		page := relative(t, b.authjs("v5").get("/api/auth/signin?callbackUrl=/page").Header.Get("Location"))
		b.get(page)
		back := b.get(b.path(b.ask("new@home.example"))).Header.Get("Location")
		code := b.get(back, "Sec-Fetch-Site", "cross-site").Header.Get("Location")
		b.authjs("v5").get(relative(t, code)).redirects(t, to)
		b.do(http.MethodPost, "/signout", nil, "Sec-Fetch-Site", "same-origin")
		h.pass(time.Hour)
	}
}

// When the store does not answer, clients get what they can parse and people a page.
func TestAFailureIsAnsweredAsEachClientReadsIt(t *testing.T) {
	for name, more := range map[string]string{"our page": "", "the App's own": "[app.authjs.pages]\nerror = \"/oops\"\n"} {
		h := wiki(t, "v5", more)
		h.CloseStore()
		ask := func(method, path, body string, headers ...string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), method, "/api/auth/"+path, strings.NewReader(body))
			r.Host = "localhost:3000"
			r.Header.Set("Cookie", "authjs.session-token="+strings.Repeat("A", 43))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			for i := 0; i < len(headers); i += 2 {
				r.Header.Set(headers[i], headers[i+1])
			}
			w := httptest.NewRecorder()
			h.web.ServeHTTP(w, r)
			return w
		}
		if w := ask(http.MethodGet, "session", ""); w.Code != 500 || !strings.Contains(w.Body.String(), `"message":"`) {
			t.Errorf("%s: the session is %d %s", name, w.Code, w.Body)
		}
		const broken = `{"url":"` + wikiOrigin + `/api/auth/error?error=Configuration"`
		for _, path := range []string{"signin/email", "callback/credentials", "signout"} {
			form := url.Values{"email": {"mara@home.example"}, "password": {"x"}}.Encode()
			if w := ask(http.MethodPost, path, form, "X-Auth-Return-Redirect", "1"); w.Code != 500 || !strings.HasPrefix(w.Body.String(), broken) {
				t.Errorf("%s: %s is %d %s", name, path, w.Code, w.Body)
			}
		}
		if w := ask(http.MethodPost, "signin/email", strings.Repeat("x=y&", 40_000), "X-Auth-Return-Redirect", "1"); w.Code != 413 || !strings.HasPrefix(w.Body.String(), broken) {
			t.Errorf("%s: a long form is %d %s", name, w.Code, w.Body)
		}
		w := ask(http.MethodGet, "signin", "")
		if more == "" && (w.Code != 500 || !strings.Contains(w.Body.String(), "<html")) || more != "" && w.Header().Get("Location") != wikiOrigin+"/oops?error=Configuration" {
			t.Errorf("%s: the sign-in page is %d %v %s", name, w.Code, w.Header(), w.Body)
		}
	}
}
