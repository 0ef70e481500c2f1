package web_test

import (
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
)

// oneJar returns a browser at each of two servers that share the cookies of
// localhost, as the ports of one host do.
func oneJar(a, b *testServer) (atA, atB *browser) {
	a.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		a.t.Fatal(err)
	}
	at := func(h *testServer) *browser {
		b := h.browser()
		b.client.Jar = jar
		return b
	}
	return at(a), at(b)
}

// shown returns the cookies that the browser sends to an address, by name.
func (b *browser) shown(address string) held {
	b.t.Helper()
	list := make(held)
	for _, c := range b.client.Jar.Cookies(mustURL(b.t, address)) {
		list[c.Name] = c.Value
	}
	return list
}

// Two servers at ports of one host are open in one browser. The second starts a
// sign-in while one waits at the first, signs out, closes its account, and forgets
// its browsers.
func TestTwoServersAtPortsOfOneHostKeepTheirCookiesApart(t *testing.T) {
	t.Parallel()
	first, second := open(t, nil), open(t, nil)
	first.withPassword("mara@home.example", goodPassword)
	second.withPassword("juno@home.example", goodPassword)
	at1, at2 := oneJar(first, second)

	m := at1.ask("mara@home.example")
	n := at2.ask("juno@home.example")
	at1.post("/signin/code", "code", codeIn(t, m)).goesTo(t, "/account") // it still waits at the first
	at2.post("/signin/code", "code", codeIn(t, n)).goesTo(t, "/account")
	at1.isSignedInAs("mara@home.example")
	at2.isSignedInAs("juno@home.example")

	at1.post("/account/profile", "name", "Mara", "theme", "dark", "language", "de", "time_zone", "Asia/Tokyo").goesTo(t, "/account/profile")
	kept := at1.shown(first.url)
	at2.post("/account/profile", "name", "Juno", "theme", "light", "language", "en", "time_zone", "").goesTo(t, "/account/profile")
	at2.get("/account/profile") // and what it says there is taken away
	at2.post("/signout").goesTo(t, "/signout")
	at1.isSignedInAs("mara@home.example")
	at2.post("/signin/forget").goesTo(t, "/signin")
	second.pass(time.Hour)
	at2.signIn("juno@home.example")
	at2.post("/account/close", "confirm", "juno@home.example").is(t, http.StatusOK)
	at1.isSignedInAs("mara@home.example")
	for name, value := range kept {
		port := "-" + first.app.Config.Origin().Port()
		if now := at1.shown(first.url)[name]; strings.HasSuffix(name, port) && now != value {
			t.Errorf("%s was %q and is %q", name, value, now)
		}
	}
}

// A cookie that opens nothing may be a session of whatever else runs at the host, on
// https too: reading the session removes none.
func TestReadingTheSessionRemovesNoCookieOfAnotherServer(t *testing.T) {
	t.Parallel()
	own, https := open(t, nil), open(t, func(c *config.Config) { c.PublicURL = "https://home.example:8443" })
	for _, tt := range []struct {
		name string
		h    *testServer
		host string
	}{
		{"gatelodge", own, "localhost"},
		{"gatelodge-1", own, "localhost"},
		{"__Host-gatelodge", https, "home.example:8443"},
	} {
		a := tt.h.browser().get("/api/auth/session", "Host", tt.host, "Cookie", tt.name+"="+strings.Repeat("A", 43))
		if a.body != "null" || len(a.Cookies()) != 0 {
			t.Errorf("%s: got %s %v", tt.name, a.body, a.Cookies())
		}
	}
	for version, body := range map[string]string{"v4": "{}", "v5": "null", "auto": "false"} {
		for carrier, more := range map[string]string{"opaque": "", "encrypted": "secret = \"" + appSecret + "\"\n"} {
			h := wiki(t, version, more)
			for _, value := range []string{strings.Repeat("A", 43), "7a4e596f-74d5-4e06-b419-1af3fc6cb901", "a.b.c.d.e", "eyJhbGciOiJkaXIifQ..x.y.z", ""} {
				for _, name := range []string{"authjs.session-token", "next-auth.session-token", "authjs.session-token.0", "next-auth.session-token.1"} {
					a := h.browser().authjs(version).get("/api/auth/session", "Cookie", name+"="+value)
					if a.body != body || len(a.Cookies()) != 0 {
						t.Errorf("%s, %s, %s=%s: got %s %v", version, carrier, name, value, a.body, a.Cookies())
					}
				}
			}
		}
	}
}

// twoApps are two Apps at ports of localhost in one browser.
func twoApps(t *testing.T, versions [2]string, more string) (h *testServer, wiki, notes *authClient) {
	t.Helper()
	h = open(t, func(c *config.Config) {
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"localhost:3000\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \""+versions[0]+"\"\n"+more+
			"[[app]]\nname = \"Notes\"\nhosts = [\"localhost:4000\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \""+versions[1]+"\"\n"+more)
	})
	h.withPassword("mara@home.example", goodPassword)
	h.withPassword("juno@home.example", goodPassword)
	b := h.browser()
	wiki, notes = b.authjs(versions[0]), b.authjs(versions[1])
	notes.host, notes.origin = "localhost:4000", "http://localhost:4000"
	return h, wiki, notes
}

func (c *authClient) signInAs(email string) {
	c.t.Helper()
	c.post("/api/auth/callback/credentials", "email", email, "password", goodPassword).leads(c.t, 200, c.origin)
}

// is checks who is signed in; "" is nobody.
func (c *authClient) sessionIs(email string) reply {
	c.t.Helper()
	a := c.get("/api/auth/session")
	if in := strings.Contains(a.body, `"email":`); email == "" && in || email != "" && !strings.Contains(a.body, `"email":"`+email+`"`) {
		c.t.Errorf("%s: got %s, want %q", c.origin, a.body, email)
	}
	return a
}

// The clients give the session cookie its name, and the ports of a host share it.
func TestTwoAppsAtPortsOfOneHostDoNotSignEachOtherOut(t *testing.T) {
	t.Parallel()
	for _, versions := range [][2]string{{"v5", "v5"}, {"v4", "v4"}, {"v4", "v5"}, {"auto", "v4"}, {"auto", "auto"}} {
		for carrier, more := range map[string]string{"opaque": "", "encrypted": "secret = \"" + appSecret + "\"\n"} {
			t.Run(versions[0]+" "+versions[1]+" "+carrier, func(t *testing.T) {
				t.Parallel()
				h, wiki, notes := twoApps(t, versions, more)
				wiki.signInAs("mara@home.example")
				notes.sessionIs("")
				wiki.sessionIs("mara@home.example")
				notes.signInAs("juno@home.example")
				before := wiki.shown(wikiOrigin)
				for range 2 {
					if a := wiki.sessionIs("mara@home.example"); len(a.Cookies()) != 0 && versions[0] == versions[1] {
						t.Errorf("a read sets %v", a.Cookies())
					}
					notes.sessionIs("juno@home.example")
				}
				for name, value := range before {
					if now := wiki.shown(wikiOrigin)[name]; now != value {
						t.Errorf("reading changes %s", name)
					}
				}
				// Nor does an update replace what is the other's, or a session that is renewed.
				wiki.update(`{"csrfToken":"`+wiki.token()+`","data":{"name":"Mara"}}`).is(t, 200, `"name":"Mara"`)
				notes.sessionIs("juno@home.example")
				h.pass(25 * time.Hour)
				wiki.sessionIs("mara@home.example")
				notes.sessionIs("juno@home.example")

				notes.post("/api/auth/signout")
				notes.sessionIs("")
				wiki.sessionIs("mara@home.example")
				notes.signInAs("juno@home.example")
				wiki.post("/api/auth/signout")
				wiki.sessionIs("")
				notes.sessionIs("juno@home.example")
				for name := range notes.shown(notes.origin) {
					if name == "gatelodge-own-3000" {
						t.Error("the sign-out leaves the token in the browser")
					}
				}
			})
		}
	}
}

// The other program at the host knows nothing of us: its session, whole or in pieces,
// stays until somebody signs in at the App.
func TestASignOutLeavesTheSessionOfAnotherProgramAtTheHost(t *testing.T) {
	t.Parallel()
	for _, more := range []string{"", "secret = \"" + appSecret + "\"\n"} {
		h := wiki(t, "v5", more)
		h.withPassword("juno@home.example", goodPassword)
		c := h.browser().authjs("v5")
		c.signInAs("juno@home.example")
		const foreign = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..of.another.program"
		theirs := []*http.Cookie{{Name: "authjs.session-token", Value: foreign, Path: "/"}, {Name: "next-auth.session-token.0", Value: "x", Path: "/"}, {Name: "authjs.state", Value: "theirs", Path: "/"}}
		c.client.Jar.SetCookies(mustURL(t, wikiOrigin), theirs)
		c.sessionIs("juno@home.example")
		c.update(`{"csrfToken":"`+c.token()+`","data":{"name":"Juno"}}`).is(t, 200, `"name":"Juno"`)
		c.post("/api/auth/signin/email", "email", "mara@home.example")
		c.post("/api/auth/signout")
		c.sessionIs("")
		left := c.shown(wikiOrigin)
		for _, cookie := range theirs {
			if left[cookie.Name] != cookie.Value {
				t.Errorf("%s is %q", cookie.Name, left[cookie.Name])
			}
		}
		c.signInAs("juno@home.example")
		left = c.shown(wikiOrigin)
		if left["authjs.session-token"] == foreign || left["next-auth.session-token.0"] != "x" || left["authjs.state"] != "theirs" {
			t.Errorf("signed in: %v", left)
		}
	}
}

// The token beside the session cookie opens no more than the session does.
func TestASessionThatEndedIsNotRevivedByTheCookieBesideIt(t *testing.T) {
	t.Parallel()
	h, c, _ := twoApps(t, [2]string{"v5", "v5"}, "")
	c.signInAs("mara@home.example")
	token := c.shown(wikiOrigin)["gatelodge-own-3000"]
	if token == "" {
		t.Fatal("there is no cookie beside it")
	}
	other := h.browser().authjs("v5")
	other.host = "localhost:4000"
	for _, name := range []string{"gatelodge-own-4000", "gatelodge-own-3000", "authjs.session-token"} {
		if got := other.get("/api/auth/session", "Cookie", name+"="+token).body; got != "null" {
			t.Errorf("%s opens the other App: %s", name, got)
		}
	}
	u, err := h.app.Users.Find(t.Context(), "mara@home.example")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.app.Users.Disable(t.Context(), app.Operator(), u); err != nil {
		t.Fatal(err)
	}
	c.sessionIs("")
	if left := c.shown(wikiOrigin); left["gatelodge-own-3000"] != "" || left["authjs.session-token"] != "" {
		t.Errorf("left: %v", left)
	}
}
