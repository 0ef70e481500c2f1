package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/apps/authjs"
	"gatelodge/app/config"
	"gatelodge/store"
)

const appSecret = "test-secret-0123456789abcdef0123456789abcdef"

// appsOf reads [[app]] tables as a server does.
func appsOf(t testing.TB, toml string) []config.App {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := config.Load(config.Source{File: path})
	if err != nil {
		t.Fatal(err)
	}
	return l.Apps
}

// wiki opens a server with the App "Wiki" at http://localhost:3000. more goes
// into its [app.authjs] table.
func wiki(t testing.TB, version, more string) *testServer {
	t.Helper()
	h := open(t, func(c *config.Config) {
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"localhost:3000\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \""+version+"\"\n"+more)
	})
	h.user("mara@home.example")
	return h
}

const wikiOrigin = "http://localhost:3000"

// authClient is the next-auth client in a browser at an App's address.
type authClient struct {
	*browser
	version string
	host    string
	origin  string
	own     bool // at our own address
	form    bool // a plain form instead of the client
	user    string
	expires time.Time
}

func (b *browser) authjs(version string) *authClient {
	return &authClient{browser: b, version: version, host: "localhost:3000", origin: wikiOrigin}
}

func (c *authClient) at(method, path string, form url.Values, headers ...string) reply {
	c.t.Helper()
	return c.do(method, path, form, append([]string{"Host", c.host}, headers...)...)
}

func (c *authClient) get(path string, headers ...string) reply {
	c.t.Helper()
	return c.at(http.MethodGet, path, nil, headers...)
}

// token returns the token of GET /csrf.
func (c *authClient) token() string {
	c.t.Helper()
	var got struct{ CSRFToken string }
	if err := json.Unmarshal([]byte(c.get("/api/auth/csrf").body), &got); err != nil {
		c.t.Fatal(err)
	}
	return got.CSRFToken
}

// post sends a form as the client does; "csrfToken" is added unless it is given.
func (c *authClient) post(path string, pairs ...string) reply {
	c.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], strings.ReplaceAll(pairs[i+1], "{o}", c.origin))
	}
	if !form.Has("csrfToken") {
		form.Set("csrfToken", c.token())
	}
	var headers []string
	switch {
	case c.form:
	case c.version == "v4":
		form.Set("json", "true")
	default:
		headers = []string{"X-Auth-Return-Redirect", "1"}
	}
	return c.at(http.MethodPost, path, form, headers...)
}

// leads checks the status and the address in a JSON answer.
func (a reply) leads(t testing.TB, status int, to string) {
	t.Helper()
	var got struct{ URL string }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.StatusCode != status || got.URL != to {
		t.Errorf("got %d %s, want %d %s", a.StatusCode, a.body, status, to)
	}
	if kind := a.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		t.Errorf("the answer is %s", kind)
	}
}

// redirects checks a 302.
func (a reply) redirects(t testing.TB, to string) {
	t.Helper()
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusFound || got != to {
		t.Errorf("got %d to %q, want 302 to %q", a.StatusCode, got, to)
	}
}

// cookie returns the cookie of that name, behind which ours have the port on http.
func (a reply) cookie(name string) *http.Cookie {
	for _, c := range a.Cookies() {
		port := strings.TrimPrefix(c.Name, name+"-")
		if _, err := strconv.Atoi(port); c.Name == name || port != c.Name && err == nil {
			return c
		}
	}
	return nil
}

// signInByMail signs in at the App by a mailed link.
func (c *authClient) signInByMail(email string) reply {
	c.t.Helper()
	a := c.get(c.mailed(email))
	a.redirects(c.t, wikiOrigin+"/page")
	return a
}

// mailed asks the App for a link and returns where it leads.
func (c *authClient) mailed(email string) string {
	c.t.Helper()
	m := c.h.brings(func() {
		c.post("/api/auth/signin/email", "email", email, "callbackUrl", wikiOrigin+"/page").
			leads(c.t, 200, wikiOrigin+"/api/auth/verify-request?provider=email&type=email")
	})
	return relative(c.t, m.Link)
}

func relative(t testing.TB, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.RequestURI()
}

func (c *authClient) update(body string) reply {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.h.url+"/api/auth/session", strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Host = c.host
	req.Header.Set("Content-Type", "application/json")
	return c.send(req)
}

func TestSessionOfAnAppInBothGenerations(t *testing.T) {
	for _, version := range []string{"v4", "v5"} {
		for carrier, more := range map[string]string{"opaque": "", "encrypted": "secret = \"" + appSecret + "\"\n"} {
			t.Run(version+" "+carrier, func(t *testing.T) {
				h := wiki(t, version, more)
				d := authjs.ByVersion(version)
				name := d.Names(false).Session
				c := h.browser().authjs(version)
				in := c.signInByMail("mara@home.example")
				cookie := in.cookie(name)
				if cookie == nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" || len(cookie.Value) > authjs.MaxToken {
					t.Fatalf("got %v", in.Cookies())
				}
				if !cookie.Expires.Equal(h.Now().Add(30 * 24 * time.Hour).Truncate(time.Second)) {
					t.Errorf("it expires at %v", cookie.Expires)
				}
				if got := strings.Count(cookie.Value, "."); (got == 4) != (carrier == "encrypted") {
					t.Errorf("the cookie is %s", cookie.Value)
				}
				a := c.get("/api/auth/session")
				a.is(t, 200, `"email":"mara@home.example"`, `"groups":[]`, `"expires":"2026-12-23T12:00:00`)
				if a.Header.Get("Cache-Control") != "private, no-cache, no-store" || len(a.Cookies()) != 0 {
					t.Errorf("got %v", a.Header)
				}
				if name == "" || c.who() != "" {
					t.Error("the App's cookie signs in to our own pages")
				}
				kept := h.browser().authjs(version)
				kept.client.Jar.SetCookies(mustURL(t, wikiOrigin), c.client.Jar.Cookies(mustURL(t, wikiOrigin)))
				// A captured cookie is dead the moment its owner signs out.
				c.post("/api/auth/signout", "callbackUrl", "/bye").leads(t, 200, wikiOrigin+"/bye")
				thief := h.browser().authjs(version)
				dead := thief.get("/api/auth/session", "Cookie", name+"="+cookie.Value)
				if dead.body != d.SignedOut {
					t.Errorf("the cookie still opens: %s", dead.body)
				}
				// It is removed where it is known to be the App's: encrypted by us, or
				// beside the cookie that goes with it.
				if gone := dead.cookie(name); carrier == "encrypted" && (gone == nil || gone.MaxAge >= 0) || carrier == "opaque" && gone != nil {
					t.Errorf("the dead cookie alone: %v", dead.Cookies())
				}
				dead = kept.get("/api/auth/session")
				if gone := dead.cookie(name); dead.body != d.SignedOut || gone == nil || gone.MaxAge >= 0 {
					t.Errorf("the dead cookie stays: %s %v", dead.body, dead.Cookies())
				}
				if again := c.get("/api/auth/session"); again.body != d.SignedOut || len(again.Cookies()) != 0 {
					t.Errorf("signed out: %s %v", again.body, again.Cookies())
				}
			})
		}
	}
}

// Who knows an App's secret can encrypt anything, and opens nothing by it.
func TestForgedCookiesOpenNothing(t *testing.T) {
	h := wiki(t, "v5", "secret = \""+appSecret+"\"\n")
	other := h.user("other@home.example")
	c := h.browser().authjs("v5")
	real := c.signInByMail("mara@home.example").cookie("authjs.session-token").Value
	sealer, err := authjs.NewSealer(authjs.CBC, "authjs.session-token", []string{appSecret})
	if err != nil {
		t.Fatal(err)
	}
	claims, _, err := sealer.Open(real, h.Now())
	if err != nil || claims.Email != "mara@home.example" || claims.SessionID == "" {
		t.Fatal(claims, err)
	}
	forge := func(change func(*authjs.Claims)) string {
		forged := claims
		change(&forged)
		token, err := sealer.Seal(forged)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	as := func(value string) string {
		return h.browser().authjs("v5").get("/api/auth/session", "Cookie", "authjs.session-token="+value).body
	}
	for name, change := range map[string]func(*authjs.Claims){
		"another user":    func(c *authjs.Claims) { c.Subject = other.ID },
		"no session":      func(c *authjs.Claims) { c.SessionID = "" },
		"another session": func(c *authjs.Claims) { c.SessionID = strings.Repeat("A", 43) },
		"expired":         func(c *authjs.Claims) { c.Expires = h.Now().Add(-time.Minute) },
	} {
		if got := as(forge(change)); got != "null" {
			t.Errorf("%s: got %s", name, got)
		}
	}
	// One that the App's own middleware made anew, with other times and names, is good.
	if got := as(forge(func(c *authjs.Claims) { c.Name, c.Expires = "Renamed", h.Now().Add(time.Hour) })); !strings.Contains(got, "mara@home.example") || strings.Contains(got, "Renamed") {
		t.Errorf("got %s", got)
	}
	c.get("/api/auth/session", "Authorization", "Bearer "+url.PathEscape(real)).is(t, 200, "mara@home.example")
}

// An App's cookie, link and code open that App and nothing else.
func TestAppsAreKeptApart(t *testing.T) {
	h := open(t, func(c *config.Config) {
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"localhost:3000\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \"v5\"\n"+
			"[[app]]\nname = \"Else\"\nhosts = [\"localhost:4000\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \"v5\"\n")
	})
	h.user("mara@home.example")
	c := h.browser().authjs("v5")
	token := c.signInByMail("mara@home.example").cookie("authjs.session-token").Value
	c.host = "localhost:4000"
	if got := c.get("/api/auth/session", "Cookie", "authjs.session-token="+token).body; got != "null" {
		t.Errorf("the other App knows %s", got)
	}
	if got := h.browser().get("/api/auth/session", "Cookie", h.named("gatelodge")+"="+token).body; got != "null" {
		t.Errorf("our own pages know %s", got)
	}
	if got := h.browser().get("/account", "Cookie", h.named("gatelodge")+"="+token); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the account page answers %d", got.StatusCode)
	}
	// A link that was asked for at the Wiki, taken to our own pages by the App's server.
	c.host = "localhost:3000"
	h.pass(time.Minute)
	c.post("/api/auth/signin/email", "email", "mara@home.example")
	m := h.mail(2)[0]
	u := mustURL(t, m.Link)
	thief := h.browser()
	thief.get("/signin/link/"+u.Query().Get("token")).is(t, 200, "http://localhost:3000/api/auth/callback/email?token=")
	thief.post("/signin/link/"+u.Query().Get("token")).is(t, 200, "http://localhost:3000/api/auth/callback/email?token=")
	thief.isSignedInAs("")
	// And to the other App.
	c2 := h.browser().authjs("v5")
	c2.host = "localhost:4000"
	c2.get(u.RequestURI()).redirects(t, "http://localhost:4000/api/auth/error?error=Verification")
	c.get(u.RequestURI()).redirects(t, wikiOrigin+"/page")
}

func TestSomebodyWhoIsNotAllowedStaysOut(t *testing.T) {
	h := open(t, func(c *config.Config) {
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"localhost:3000\"]\nallow = [\"group:ops\", \"user:Boss@Home.example\"]\n[app.authjs]\nversion = \"v5\"\n")
	})
	mara := h.user("mara@home.example")
	h.user("boss@home.example")
	c := h.browser().authjs("v5")
	c.post("/api/auth/signin/email", "email", "mara@home.example")
	link := relative(t, h.mail(1)[0].Link)
	c.get(link).redirects(t, wikiOrigin+"/api/auth/error?error=AccessDenied")
	if got := c.get("/api/auth/session").body; got != "null" {
		t.Errorf("got %s", got)
	}
	if rows, _ := h.app.Sessions.Of(t.Context(), mara.ID); len(rows) != 0 {
		t.Errorf("a session began: %v", rows)
	}
	// By way of our own pages the same.
	b := h.browser()
	b.signIn("mara@home.example")
	b.get(relative(t, b.authjs("v5").get("/api/auth/signin").Header.Get("Location"))).is(t, 403, "You have no access to Wiki")

	h.pass(time.Millisecond)
	c2 := h.browser().authjs("v5")
	c2.post("/api/auth/signin/email", "email", "boss@home.example")
	c2.get(relative(t, h.mail(3)[0].Link)).redirects(t, wikiOrigin)
	c2.get("/api/auth/session").is(t, 200, "boss@home.example")

	// Mara joins the group, gets in, and is out at once when she leaves it.
	group := store.Group{ID: "g", Name: "ops", CreatedAt: h.Now()}
	change := func(f func(*store.Tx) error) {
		t.Helper()
		if err := h.app.DB.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	change(func(tx *store.Tx) error { return tx.AddGroup(group) })
	change(func(tx *store.Tx) error { _, err := tx.JoinGroup("g", mara.ID, h.Now()); return err })
	out := b.get(relative(t, b.authjs("v5").get("/api/auth/signin").Header.Get("Location")), "Sec-Fetch-Site", "same-site")
	b.authjs("v5").get(relative(t, out.Header.Get("Location"))).redirects(t, wikiOrigin)
	b.authjs("v5").get("/api/auth/session").is(t, 200, "mara@home.example", `"groups":["ops"]`)
	change(func(tx *store.Tx) error { _, err := tx.LeaveGroup("g", mara.ID); return err })
	if got := b.authjs("v5").get("/api/auth/session").body; got != "null" {
		t.Errorf("out of the group, still in: %s", got)
	}
}

// A first visit to an App costs somebody who is signed in one redirect, and the
// code in it opens nothing elsewhere.
func TestHandOff(t *testing.T) {
	h := wiki(t, "v5", "")
	b := h.browser()
	c := b.authjs("v5")
	first := c.get("/api/auth/signin?callbackUrl=%2Fpage")
	page := relative(t, first.Header.Get("Location"))
	b.get(page).goesTo(t, "/signin")
	b.get("/signin").is(t, 200, "Continue to <strong>Wiki</strong>", "localhost:3000")
	m := b.ask("mara@home.example")
	back := b.get(b.path(m))
	if back.StatusCode != 303 || !strings.HasPrefix(back.Header.Get("Location"), "/signin/app/wiki?ask=") {
		t.Fatalf("got %d to %q", back.StatusCode, back.Header.Get("Location"))
	}
	// The end of a form is a page that goes on; the end of a navigation a redirect.
	b.get(back.Header.Get("Location"), "Sec-Fetch-Site", "same-origin").is(t, 200, "Going to Wiki", "http://localhost:3000/api/auth/callback/gatelodge?code=")
	out := b.get(back.Header.Get("Location"), "Sec-Fetch-Site", "cross-site")
	code := out.Header.Get("Location")
	if out.StatusCode != 302 || !strings.HasPrefix(code, wikiOrigin+"/api/auth/callback/gatelodge?code=") {
		t.Fatalf("got %d to %q", out.StatusCode, code)
	}
	thief := h.browser().authjs("v5")
	thief.get("/api/auth/signin")
	thief.get(relative(t, code)).redirects(t, wikiOrigin+"/api/auth/error?error=Configuration")
	c.get(relative(t, code)).redirects(t, wikiOrigin+"/page")
	c.get("/api/auth/session").is(t, 200, "mara@home.example")
	c.get(relative(t, code)).redirects(t, wikiOrigin+"/page") // reloaded
	b.isSignedInAs("mara@home.example")

	// One sign-out for all: ended on our own page, the App is out.
	b.do(http.MethodPost, "/signout", nil, "Sec-Fetch-Site", "same-origin").goesTo(t, "/signout")
	if got := c.get("/api/auth/session").body; got != "null" {
		t.Errorf("still in: %s", got)
	}
}

func TestHandOffIsTooLateAfterAMinute(t *testing.T) {
	h := wiki(t, "v5", "")
	b := h.browser()
	b.signIn("mara@home.example")
	c := b.authjs("v5")
	page := relative(t, c.get("/api/auth/signin").Header.Get("Location"))
	code := b.get(page, "Sec-Fetch-Site", "cross-site").Header.Get("Location")
	h.pass(time.Minute)
	c.get(relative(t, code)).redirects(t, wikiOrigin+"/api/auth/error?error=Configuration")
	// And the sealed word after a quarter of an hour: the App is asked for a new one.
	b.get("/signin/app/wiki?ask=garbage").is(t, 200, "http://localhost:3000/api/auth/signin")
	b.get("/signin/app/Wiki?ask=garbage").is(t, 200, "http://localhost:3000/api/auth/signin") // as earlier versions wrote it
	b.get("/signin/app/Nothing?ask=garbage").is(t, 404)
}

// An App that sends back whom it let in before must not send them in circles.
func TestAnAppThatAsksAgainIsShownAPage(t *testing.T) {
	h := wiki(t, "v5", "")
	b := h.browser()
	b.signIn("mara@home.example")
	c := b.authjs("v5")
	c.get(relative(t, b.get(relative(t, c.get("/api/auth/signin").Header.Get("Location")), "Sec-Fetch-Site", "cross-site").Header.Get("Location")))
	b.get(relative(t, c.get("/api/auth/signin").Header.Get("Location"))).is(t, 200, "You are signed in", "Continue to Wiki")
}

// A mail scanner, and a phone, open the link in another browser than the one
// that asked.
func TestAppLinkInAnotherBrowser(t *testing.T) {
	h := wiki(t, "v5", "")
	desk, phone := h.browser().authjs("v5"), h.browser()
	desk.post("/api/auth/signin/email", "email", "mara@home.example", "callbackUrl", "/page")
	link := relative(t, h.mail(1)[0].Link)
	for range 5 {
		scanner := h.browser()
		to := scanner.authjs("v5").get(link).Header.Get("Location")
		shown := scanner.get(relative(t, to))
		scanner.get(shown.Header.Get("Location")).is(t, 200, "Sign in on this device?")
	}
	ours := phone.get(relative(t, phone.authjs("v5").get(link).Header.Get("Location")))
	confirm := ours.Header.Get("Location")
	phone.get(confirm).is(t, 200, "Sign in on this device?")
	going := phone.browserPost(confirm)
	going.is(t, 200, "Going to Wiki")
	code := regexp.MustCompile(`http://localhost:3000(/api/auth/callback/gatelodge\?code=[\w-]+)`).FindStringSubmatch(going.body)
	if code == nil {
		t.Fatal(going.body)
	}
	phone.authjs("v5").get(code[1]).redirects(t, wikiOrigin+"/page")
	phone.authjs("v5").get("/api/auth/session").is(t, 200, "mara@home.example")
	phone.isSignedInAs("") // the App alone
	desk.get(link).redirects(t, wikiOrigin+"/api/auth/error?error=Verification")
}

// A link or code that was spent at an App, in an answer that the browser gave up, signs
// it in the second time, as it does on our own pages; and no other browser.
func TestWhatIsSpentTwiceAtAnAppSignsIn(t *testing.T) {
	for name, spend := range map[string]func(c *authClient, link, code string) reply{
		"link": func(c *authClient, link, _ string) reply { return c.get(link) },
		"code": func(c *authClient, _, code string) reply {
			return c.post("/api/auth/signin/email", "code", code, "callbackUrl", wikiOrigin+"/page")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := wiki(t, "v5", "")
			c := h.browser().authjs("v5")
			link := c.mailed("mara@home.example")
			code := codeIn(t, h.mail(1)[0])
			before := c.client.Jar.Cookies(mustURL(t, wikiOrigin))
			spend(c, link, code)
			c.get("/api/auth/session").is(t, 200, "mara@home.example")

			again := h.browser().authjs("v5")
			again.client.Jar.SetCookies(mustURL(t, wikiOrigin), before)
			spend(again, link, code)
			again.get("/api/auth/session").is(t, 200, "mara@home.example")
			again.get(link).redirects(t, wikiOrigin+"/page")
			h.pass(time.Minute)
			again.get(link).redirects(t, wikiOrigin+"/page") // nothing new, and they are in

			for _, cookies := range [][]*http.Cookie{before, nil} {
				late := h.browser().authjs("v5")
				late.client.Jar.SetCookies(mustURL(t, wikiOrigin), cookies)
				late.get(link).redirects(t, wikiOrigin+"/api/auth/error?error=Verification")
				spend(late, link, code)
				late.get("/api/auth/session").is(t, 200, "null")
			}
		})
	}
}

func (b *browser) browserPost(path string) reply {
	b.t.Helper()
	return b.do(http.MethodPost, path, nil, "Sec-Fetch-Site", "same-origin")
}

// The code of the mail works at the App, and on our page that its verify-request
// leads to.
func TestAppCode(t *testing.T) {
	for _, where := range []string{"our page", "the client"} {
		t.Run(where, func(t *testing.T) {
			h := wiki(t, "v5", "")
			b := h.browser()
			c := b.authjs("v5")
			c.post("/api/auth/signin/email", "email", "mara@home.example", "callbackUrl", "/page")
			code := codeIn(t, h.mail(1)[0])
			if where == "the client" {
				c.post("/api/auth/signin/email", "email", "mara@home.example", "code", wrong(code)).
					leads(t, 200, wikiOrigin+"/api/auth/signin?error=CredentialsSignin&code=credentials")
				c.post("/api/auth/signin/email", "email", "mara@home.example", "code", code, "callbackUrl", "/page").leads(t, 200, wikiOrigin+"/page")
			} else {
				b.get(relative(t, c.get("/api/auth/verify-request").Header.Get("Location"))).goesTo(t, "/signin/code")
				b.get("/signin/code").is(t, 200, "mara@home.example")
				going := b.do(http.MethodPost, "/signin/code", url.Values{"code": {code}}, "Sec-Fetch-Site", "same-origin")
				going.is(t, 200, "Going to Wiki")
				to := regexp.MustCompile(`http://localhost:3000(/api/auth/callback/gatelodge\?code=[\w-]+)`).FindStringSubmatch(going.body)
				if to == nil {
					t.Fatal(going.body)
				}
				c.get(to[1]).redirects(t, wikiOrigin+"/page")
			}
			c.get("/api/auth/session").is(t, 200, "mara@home.example")
			b.isSignedInAs("")
		})
	}
}

// A value that does not fit refuses the whole body: the name stays.
func TestAnUpdateThatDoesNotFitChangesNothing(t *testing.T) {
	h := wiki(t, "v5", "secret = \""+appSecret+"\"\n")
	c := h.browser().authjs("v5")
	c.signInByMail("mara@home.example")
	token := c.token()
	c.update(`{"csrfToken":"`+token+`","data":{"name":"Mara"}}`).is(t, 200, `"name":"Mara"`)
	for _, data := range []string{
		`{"name":123}`, `{"name":true}`, `{"name":{}}`, `{"name":[]}`, `{"name":["Eve"]}`, `{"user":{"name":1}}`, `{"user":{"name":{}}}`, `{"user":"Eve"}`, `{"user":["Eve"]}`,
		`{"name":"Eve","user":{"name":false}}`, `{"name":"Eve","name":5}`,
	} {
		c.update(`{"csrfToken":"`+token+`","data":`+data+`}`).is(t, 400, "null")
	}
	for _, body := range []string{
		`{"csrfToken":["` + token + `"],"data":{"name":"Eve"}}`, `{"csrfToken":"` + token + `","data":{"name":"Eve"}} {}`,
		`{"csrfToken":"` + token + `","data":{"name":"Eve"}`, `[]`, `"x"`, ``,
	} {
		c.update(body).is(t, 400, "null")
	}
	for _, data := range []string{
		`null`, `5`, `[]`, `{}`, `{"name":null}`, `{"Name":"Eve"}`, `{"NAME":5}`, `{"USER":{"name":"Eve"}}`, `{"user":null,"theme":{"dark":true}}`,
	} {
		c.update(`{"csrfToken":"`+token+`","data":`+data+`}`).is(t, 200, `"name":"Mara"`)
	}
	c.get("/api/auth/session").is(t, 200, `"name":"Mara"`)
}

func TestUpdateChangesTheNameAndNothingElse(t *testing.T) {
	h := wiki(t, "v5", "secret = \""+appSecret+"\"\n")
	c := h.browser().authjs("v5")
	c.signInByMail("mara@home.example")
	token := c.token()
	a := c.update(`{"csrfToken":"` + token + `","data":{"user":{"name":" Mara  O. ","email":"boss@home.example"},"admin":true,"groups":["ops"]}}`)
	a.is(t, 200, `"name":"Mara O."`, `"email":"mara@home.example"`, `"groups":[]`)
	if a.cookie("authjs.session-token") == nil {
		t.Error("the cookie still has the old name")
	}
	c.get("/api/auth/session").is(t, 200, `"name":"Mara O."`)
	c.update(`{"csrfToken":"`+token+`","data":{"name":"`+strings.Repeat("x", 200)+`"}}`).is(t, 400, "null")
	c.update(`{"csrfToken":"`+token+`","data":"nonsense"}`).is(t, 200, `"name":"Mara O."`)
	u, err := h.app.Users.Find(t.Context(), "mara@home.example")
	if err != nil || u.Name != "Mara O." || u.Admin {
		t.Errorf("got %+v, %v", u, err)
	}
}

// Browsers say where a form comes from; where they do not, the token counts.
func TestWhoseFormItIs(t *testing.T) {
	h := wiki(t, "v5", "")
	for name, tt := range map[string]struct {
		headers []string
		token   bool
		own     bool
	}{
		"the token alone":                     {nil, true, true},
		"nothing":                             {nil, false, false},
		"a stale token, same origin":          {[]string{"Sec-Fetch-Site", "same-origin"}, false, true},
		"a stale token, its origin":           {[]string{"Origin", wikiOrigin}, false, true},
		"a stale token, another loopback":     {[]string{"Origin", "http://127.0.0.1:3000"}, false, true},
		"the token from a sibling":            {[]string{"Sec-Fetch-Site", "same-site"}, true, false},
		"the token from elsewhere":            {[]string{"Sec-Fetch-Site", "cross-site"}, true, false},
		"the token with another origin":       {[]string{"Origin", "https://evil.example"}, true, false},
		"the token with an origin kept back":  {[]string{"Origin", "null"}, true, true},
		"nothing with an origin kept back":    {[]string{"Origin", "null"}, false, false},
		"our own origin is not the App's own": {[]string{"Origin", "https://auth.example"}, true, false},
	} {
		c := h.browser().authjs("v5")
		token := c.token()
		if !tt.token {
			token = "stale"
		}
		a := c.at(http.MethodPost, "/api/auth/signout", url.Values{"csrfToken": {token}}, append([]string{"X-Auth-Return-Redirect", "1"}, tt.headers...)...)
		if own := !strings.Contains(a.body, "MissingCSRF"); own != tt.own {
			t.Errorf("%s: got %s", name, a.body)
		}
	}
}

func TestACSRFCookieThatIsNotOursIsReplaced(t *testing.T) {
	for version, name := range map[string]string{"v4": "next-auth.csrf-token", "v5": "authjs.csrf-token"} {
		h := wiki(t, version, "secret = \""+appSecret+"\"\n")
		c := h.browser().authjs(version)
		token := c.token()
		if c.token() != token {
			t.Error("the token changes")
		}
		// An App that shares the secret makes the same cookie.
		mine, cookie := authjs.CSRF{Secret: appSecret}.New()
		a := c.get("/api/auth/csrf", "Cookie", name+"="+url.QueryEscape(cookie))
		if a.body != `{"csrfToken":"`+mine+`"}` || len(a.Cookies()) != 0 {
			t.Errorf("%s: got %s %v", version, a.body, a.Cookies())
		}
		bad := c.get("/api/auth/csrf", "Cookie", name+"="+url.QueryEscape(cookie)+"0")
		if strings.Contains(bad.body, mine) || bad.cookie(name) == nil {
			t.Errorf("%s: got %s", version, bad.body)
		}
	}
}

func TestSecureOriginsHavePrefixes(t *testing.T) {
	h := open(t, func(c *config.Config) {
		c.PublicURL = "https://auth.home.example"
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"wiki.home.example\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \"v5\"\nsecret = \""+appSecret+"\"\n")
	})
	c := h.browser().authjs("v5")
	c.host = "wiki.home.example"
	a := c.get("/api/auth/csrf")
	if got := a.Cookies()[0]; got.Name != "__Host-authjs.csrf-token" || !got.Secure || !got.HttpOnly || got.Path != "/" || got.Domain != "" {
		t.Errorf("got %s", got.Raw)
	}
	a = c.get("/api/auth/signin")
	var names []string
	for _, cookie := range a.Cookies() {
		names = append(names, cookie.Name)
		if !cookie.Secure {
			t.Errorf("not secure: %s", cookie.Raw)
		}
	}
	if got := strings.Join(names, " "); got != "__Secure-authjs.callback-url __Host-authjs.csrf-token __Host-authjs.state" {
		t.Errorf("got %s", got)
	}
	if to := a.Header.Get("Location"); !strings.HasPrefix(to, "https://auth.home.example/signin/app/wiki?ask=") {
		t.Errorf("led to %s", to)
	}
}

// The host of a request tells whom it is for, and only trusted proxies may say
// that it was another one.
func TestWhomARequestIsFor(t *testing.T) {
	h := open(t, func(c *config.Config) {
		c.TrustedProxies = []string{"127.0.0.1"}
		c.PublicURL = "https://auth.home.example"
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"wiki.home.example\", \"notes.home.example:8443\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \"v4\"\n"+
			"[[app]]\nname = \"Dev\"\nhosts = [\"localhost:3000\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \"auto\"\n")
	})
	for name, tt := range map[string]struct {
		headers []string
		origin  string // "" is refused
	}{
		"our own":                     {[]string{"Host", "auth.home.example"}, "https://auth.home.example"},
		"our own by a proxy":          {[]string{"Host", "auth.home.example", "X-Forwarded-Host", "auth.home.example"}, "https://auth.home.example"},
		"an App":                      {[]string{"Host", "wiki.home.example"}, "https://wiki.home.example"},
		"an App in capitals":          {[]string{"Host", "WIKI.home.example"}, "https://wiki.home.example"},
		"an App at a port":            {[]string{"Host", "notes.home.example:8443"}, "https://notes.home.example:8443"},
		"a proxy that loses the port": {[]string{"Host", "notes.home.example"}, "https://notes.home.example:8443"},
		"another port":                {[]string{"Host", "notes.home.example:9"}, ""},
		"an App by a proxy":           {[]string{"Host", "auth.home.example", "X-Forwarded-Host", "wiki.home.example"}, "https://wiki.home.example"},
		"a proxy's own host":          {[]string{"Host", "10.0.0.1:8080", "X-Forwarded-Host", "wiki.home.example"}, "https://wiki.home.example"},
		"another name of loopback":    {[]string{"Host", "127.0.0.1:3000"}, "http://127.0.0.1:3000"},
		"nobody's":                    {[]string{"Host", "evil.example"}, ""},
		"nobody's by a proxy":         {[]string{"Host", "evil.example", "X-Forwarded-Host", "evil.example"}, ""},
		"two hosts":                   {[]string{"Host", "evil.example", "X-Forwarded-Host", "wiki.home.example, evil.example"}, ""},
		"an App's name in another":    {[]string{"Host", "wiki.home.example.evil.example"}, ""},
		"nonsense":                    {[]string{"Host", "wiki.home.example/x"}, ""},
	} {
		a := h.browser().get("/api/auth/providers", tt.headers...)
		if tt.origin == "" {
			if a.StatusCode != http.StatusMisdirectedRequest {
				t.Errorf("%s: got %d %s", name, a.StatusCode, a.body)
			}
			continue
		}
		if !strings.Contains(a.body, `"signinUrl":"`+tt.origin+`/api/auth/signin/email"`) {
			t.Errorf("%s: got %d %s", name, a.StatusCode, a.body)
		}
	}
	// From anywhere else the header says nothing.
	stranger := open(t, func(c *config.Config) {
		c.TrustedProxies = []string{"10.0.0.1"}
		c.PublicURL = "https://auth.home.example"
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"wiki.home.example\"]\nallow = [\"everyone\"]\n[app.authjs]\n")
	})
	a := stranger.browser().get("/api/auth/providers", "Host", "auth.home.example", "X-Forwarded-Host", "wiki.home.example")
	if !strings.Contains(a.body, "https://auth.home.example/") {
		t.Errorf("got %s", a.body)
	}
}

// Where the configuration leaves it open, the first POST tells what the client is.
func TestAutoLearnsItsClient(t *testing.T) {
	h := wiki(t, "auto", "secret = \""+appSecret+"\"\n")
	for version, signedOut := range map[string]string{"v4": "{}", "v5": "null"} {
		c := h.browser().authjs(version)
		if got := c.get("/api/auth/session").body; got != "false" {
			t.Errorf("not known yet: got %s", got)
		}
		c.post("/api/auth/signout")
		if got := c.get("/api/auth/session").body; got != signedOut {
			t.Errorf("%s: got %s", version, got)
		}
	}
	// Who came by our own pages has told nothing: both generations' cookies are set.
	b := h.browser()
	b.signIn("mara@home.example")
	c := b.authjs("v5")
	in := c.get(relative(t, b.get(relative(t, c.get("/api/auth/signin").Header.Get("Location")), "Sec-Fetch-Site", "cross-site").Header.Get("Location")))
	v4, v5 := in.cookie("next-auth.session-token"), in.cookie("authjs.session-token")
	if v4 == nil || v5 == nil {
		t.Fatalf("got %v", in.Cookies())
	}
	for _, cookie := range []*http.Cookie{v4, v5} {
		h.browser().authjs("v5").get("/api/auth/session", "Cookie", cookie.Name+"="+cookie.Value).is(t, 200, "mara@home.example")
	}
	if again := c.get("/api/auth/session"); len(again.Cookies()) != 0 {
		t.Errorf("a read sets cookies: %v", again.Cookies())
	}
	c.post("/api/auth/signout")
	if got := c.get("/api/auth/session"); got.body != "null" || len(got.Cookies()) != 0 {
		t.Errorf("got %s %v", got.body, got.Cookies())
	}
}

// What is left of longer cookies is taken away and spoils nothing.
func TestLeftoversAreExpired(t *testing.T) {
	h := wiki(t, "v5", "")
	c := h.browser().authjs("v5")
	token := c.signInByMail("mara@home.example").cookie("authjs.session-token").Value
	a := h.browser().authjs("v5").get("/api/auth/session", "Cookie", "authjs.session-token.1=b; authjs.session-token="+token+"; authjs.session-token-x=1; authjs.session-token.0=a")
	a.is(t, 200, "mara@home.example")
	for _, name := range []string{"authjs.session-token.0", "authjs.session-token.1"} {
		if gone := a.cookie(name); gone == nil || gone.MaxAge >= 0 {
			t.Errorf("%s stays: %v", name, a.Cookies())
		}
	}
	if kept := a.cookie("authjs.session-token"); kept == nil || kept.Value != token {
		t.Errorf("got %v", a.Cookies())
	}
	if a.cookie("authjs.session-token-x") != nil {
		t.Error("somebody else's cookie is touched")
	}
}

// An App that gets a secret, or another one, keeps its people signed in.
func TestCookiesFollowTheSecret(t *testing.T) {
	plain := wiki(t, "v5", "")
	c := plain.browser().authjs("v5")
	c.signInByMail("mara@home.example")
	sealed := wiki(t, "v5", "secret = \""+appSecret+"\"\n")
	token := sealed.browser().authjs("v5").signInByMail("mara@home.example").cookie("authjs.session-token").Value
	sealer, err := authjs.NewSealer(authjs.CBC, "authjs.session-token", []string{appSecret})
	if err != nil {
		t.Fatal(err)
	}
	claims, _, err := sealer.Open(token, sealed.Now())
	if err != nil {
		t.Fatal(err)
	}
	a := sealed.browser().authjs("v5").get("/api/auth/session", "Cookie", "authjs.session-token="+claims.SessionID)
	a.is(t, 200, "mara@home.example")
	if cookie := a.cookie("authjs.session-token"); cookie == nil || strings.Count(cookie.Value, ".") != 4 {
		t.Errorf("got %v", a.Cookies())
	}
}

func TestAnAppsOwnPages(t *testing.T) {
	const pages = "[app.authjs.pages]\nsign_in = \"/login\"\nsign_out = \"/bye\"\nerror = \"/oops\"\nverify_request = \"/mail\"\n"
	for version, tt := range map[string]map[string]string{
		"v4": {
			"signin?callbackUrl=/x&error=Y": "/login?callbackUrl=http%3A%2F%2Flocalhost%3A3000%2Fx&error=Y", "signout": "/bye", "error?error=Z": "/oops?error=Z",
			"verify-request?provider=email": "/mail", "callback/email": "/api/auth/error?error=configuration",
		},
		"v5": {
			"signin?callbackUrl=/x": "/login?callbackUrl=http%3A%2F%2Flocalhost%3A3000%2Fx", "signout": "/bye", "error": "/oops",
			"verify-request?provider=email": "/mail?provider=email", "callback/email": "/oops?error=Configuration",
		},
	} {
		h := wiki(t, version, pages)
		for path, to := range tt {
			h.browser().authjs(version).get("/api/auth/"+path).redirects(t, wikiOrigin+to)
		}
	}
}

// The pages that are shown at an App's address load what they need from below
// the one path that comes to us.
func TestPagesAtAnAppsAddressAreWhole(t *testing.T) {
	h := wiki(t, "v5", "")
	c := h.browser().authjs("v5")
	page := c.get("/api/auth/error?error=AccessDenied")
	loaded := 0
	for _, m := range regexp.MustCompile(`(?:href|src)="([^"]+\.(?:css|js|svg))"`).FindAllStringSubmatch(page.body, -1) {
		if !strings.HasPrefix(m[1], "/api/auth/static/") {
			t.Errorf("the page loads %s", m[1])
		}
		c.get(m[1]).is(t, 200)
		loaded++
	}
	if loaded < 3 {
		t.Errorf("the page loads %d files", loaded)
	}
	form := c.get("/api/auth/signout")
	form.is(t, 200, "Sign out of Wiki?", `name="csrfToken"`)
}

// On our own pages' address the API speaks for our own session.
func TestSessionAPIOnOurOwnAddress(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	c := b.authjs("v5")
	c.host = strings.TrimPrefix(h.url, "http://")
	c.post("/api/auth/signin/email", "email", "mara@home.example", "callbackUrl", "/account?x=1").leads(t, 200, h.url+"/api/auth/verify-request?provider=email&type=email")
	c.get("/api/auth/verify-request").redirects(t, h.url+"/signin/code")
	b.get(b.path(h.mail(1)[0])).goesTo(t, "/account?x=1")
	b.isSignedInAs("mara@home.example")
	c.update(`{"csrfToken":"`+c.token()+`","data":{"name":"Mara"}}`).is(t, 200, `"name":"Mara"`)
	c.get("/api/auth/signin").redirects(t, h.url+"/signin")
	c.post("/api/auth/signout", "callbackUrl", "/").leads(t, 200, h.url+"/")
	b.isSignedInAs("")
}

func TestUserRemovedIsOutOfEveryApp(t *testing.T) {
	h := wiki(t, "v5", "")
	c := h.browser().authjs("v5")
	c.signInByMail("mara@home.example")
	c.get("/api/auth/session").is(t, 200, "mara@home.example")
	u, err := h.app.Users.Find(t.Context(), "mara@home.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.app.Users.Disable(t.Context(), app.Operator(), u); err != nil {
		t.Fatal(err)
	}
	if got := c.get("/api/auth/session").body; got != "null" {
		t.Errorf("got %s", got)
	}
}

// Asking for mail too often is told to the client, with how long to wait.
func TestLimitsReachTheClient(t *testing.T) {
	for version, tt := range map[string]struct {
		status int
		to     string
	}{"v4": {429, "/api/auth/error?error=rate_limited"}, "v5": {200, "/api/auth/signin?error=CredentialsSignin&code=rate_limited"}} {
		h := wiki(t, version, "")
		var a reply
		for range 4 {
			a = h.browser().authjs(version).post("/api/auth/signin/email", "email", "mara@home.example")
		}
		a.leads(t, tt.status, wikiOrigin+tt.to)
		if a.Header.Get("Retry-After") == "" {
			t.Error("nobody says how long to wait")
		}
	}
}
