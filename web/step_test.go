package web_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/login"
	"gatelodge/app/people"
	"gatelodge/app/upstream/upstreamtest"
	"gatelodge/store"
)

const otp = "otp"

// twoSteps opens a server with the App "Wiki" and the upstream "school", in which
// everybody needs a second step.
func twoSteps(t *testing.T, version string) (*testServer, *upstreamtest.Server) {
	t.Helper()
	up := upstreamtest.New(t)
	h := open(t, func(c *config.Config) {
		u := openID(t, "school", up)
		u.TrustEmail = true
		c.Upstreams, c.Signup.Mode = []config.Upstream{u}, "open"
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"localhost:3000\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \""+version+"\"\n")
	})
	up.Set(func(s *upstreamtest.Server) { s.Now = h.Now })
	signsIn(up, "sub", "1", "email", "mara@home.example", "email_verified", true)
	h.twoSteps("")
	return h, up
}

// twoSteps makes a second step needed, in one App or where app is "" everywhere.
func (h *testServer) twoSteps(app string) {
	h.app.Login.Require = func(_ *store.Tx, a login.Asked) (login.Need, error) {
		if slices.Contains(a.Proven, otp) || app != "" && a.App != app {
			return "", nil
		}
		return "second", nil
	}
	h.web.AskFor("second", "walnut", otp)
}

// allSessions returns everybody's sessions.
func (h *testServer) allSessions() (list []store.Session) {
	h.t.Helper()
	err := h.app.DB.View(h.t.Context(), func(tx *store.Tx) error {
		users, err := tx.Users("", 100)
		for _, u := range users {
			if err == nil {
				var theirs []store.Session
				theirs, err = tx.SessionsOf(u.ID, h.Now())
				list = append(list, theirs...)
			}
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// wantSessions checks the means of all the sessions that there are.
func (h *testServer) wantSessions(want ...string) {
	h.t.Helper()
	var got []string
	for _, s := range h.allSessions() {
		got = append(got, s.AMR)
	}
	if !slices.Equal(got, want) {
		h.t.Fatalf("there are sessions by %q, want %q", got, want)
	}
}

// By every way in on our own pages: the first proof begins no session, is not spent
// again, and is not lost while the second thing is asked for.
func TestNothingGetsRoundTheSecondStep(t *testing.T) {
	t.Parallel()
	type way struct {
		first func(*testing.T, *testServer, *browser) (again func())
		means string
		to    string
	}
	mailed := func(t *testing.T, h *testServer, b *browser) string {
		h.withPassword("mara@home.example", goodPassword)
		return b.path(b.ask("mara@home.example"))
	}
	for name, tt := range map[string]way{
		"a password": {func(t *testing.T, h *testServer, b *browser) func() {
			h.withPassword("mara@home.example", goodPassword)
			b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/signin/step")
			return nil
		}, "pwd otp", "/account"},
		"a link": {func(t *testing.T, h *testServer, b *browser) func() {
			path := mailed(t, h, b)
			b.get(path).goesTo(t, "/signin/step")
			return func() { h.browser().post(path).is(t, http.StatusGone) }
		}, "email otp", "/account"},
		"a link that another browser asked for": {func(t *testing.T, h *testServer, b *browser) func() {
			path := mailed(t, h, h.browser())
			b.post(path).goesTo(t, "/signin/step")
			return func() { h.browser().post(path).is(t, http.StatusGone) }
		}, "email otp", "/account"},
		"a code": {func(t *testing.T, h *testServer, b *browser) func() {
			h.user("mara@home.example")
			b.post("/signin/code", "code", codeIn(t, b.ask("mara@home.example"))).goesTo(t, "/signin/step")
			return nil
		}, "email otp", "/account"},
		"an upstream": {func(t *testing.T, h *testServer, b *browser) func() {
			h.user("mara@home.example")
			b.with("school").goesTo(t, "/signin/step")
			return nil
		}, "fed:school otp", "/account"},
		"a mailed invite": {func(t *testing.T, h *testServer, b *browser) func() {
			h.group("media")
			_, path := h.invites(people.Invitation{Email: "mara@home.example", Groups: []string{"media"}})
			b.post(path, "name", "Mara").goesTo(t, "/signin/step")
			return func() { h.browser().post(path, "name", "Eve").is(t, http.StatusGone) }
		}, "email otp", "/account?welcome"},
		"signing up": {func(t *testing.T, h *testServer, b *browser) func() {
			m := h.brings(func() { b.post("/signup", "email", "mara@home.example", "name", "Mara").goesTo(t, "/signin/code") })
			b.get(b.path(m)).goesTo(t, "/signin/step")
			return nil
		}, "email otp", "/account?welcome"},
		"setting up": {func(t *testing.T, h *testServer, b *browser) func() {
			code, err := h.app.Users.SetUpCode(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b.post("/setup", "setup_code", code, "email", "mara@home.example", "name", "Mara").goesTo(t, "/signin/step")
			return func() {
				h.browser().post("/setup", "setup_code", code, "email", "eve@home.example", "name", "Eve").is(t, http.StatusGone)
			}
		}, "setup otp", "/account?welcome"},
		"a password by the session API": {func(t *testing.T, h *testServer, b *browser) func() {
			h.withPassword("mara@home.example", goodPassword)
			a := b.post("/api/auth/callback/credentials", "email", "mara@home.example", "password", goodPassword, "csrfToken", b.csrf(), "callbackUrl", "/")
			if to := a.Header.Get("Location"); a.StatusCode != http.StatusFound || !strings.HasPrefix(to, h.url+"/signin/step?") {
				t.Fatalf("got %d to %q", a.StatusCode, to)
			}
			return nil
		}, "pwd otp", "/account"},
		"a code by the session API": {func(t *testing.T, h *testServer, b *browser) func() {
			h.user("mara@home.example")
			m := h.brings(func() { b.post("/api/auth/signin/email", "email", "mara@home.example", "csrfToken", b.csrf()) })
			a := b.post("/api/auth/signin/email", "code", codeIn(t, m), "csrfToken", b.csrf())
			if to := a.Header.Get("Location"); !strings.HasPrefix(to, h.url+"/signin/step?") {
				t.Fatalf("got %d to %q", a.StatusCode, to)
			}
			return nil
		}, "email otp", "/account"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, _ := twoSteps(t, "v5")
			b := h.browser()
			b.get("/signin/step").goesTo(t, "/signin")
			b.post("/signin/step", "word", "walnut").goesTo(t, "/signin")
			again := tt.first(t, h, b)
			h.wantSessions()
			if b.who() != "" {
				t.Fatal("they are in after the first step")
			}
			h.browser().get("/signin/step").goesTo(t, "/signin")
			if again != nil {
				again()
			}
			b.get("/signin/step").is(t, http.StatusOK, "Type the word")
			b.post("/signin/step", "word", "hazelnut").is(t, http.StatusUnprocessableEntity)
			h.wantSessions()
			b.post("/signin/step", "word", "walnut").goesTo(t, tt.to)
			h.wantSessions(tt.means)
			b.isSignedInAs("mara@home.example")
			if name == "a mailed invite" {
				if p := h.person("mara@home.example"); strings.Join(p.Groups, " ") != "media" {
					t.Errorf("they are in the groups %q", p.Groups)
				}
			}
			b.get("/signin/step").goesTo(t, "/signin") // nothing is left of the attempt
		})
	}
}

// csrf returns the token of the session API at our own address.
func (b *browser) csrf() string {
	b.t.Helper()
	var got struct{ CSRFToken string }
	if err := json.Unmarshal([]byte(b.get("/api/auth/csrf").body), &got); err != nil {
		b.t.Fatal(err)
	}
	return got.CSRFToken
}

// At an App's own address the attempt goes on at ours, for that App and browser alone.
func TestNothingGetsRoundTheSecondStepAtAnApp(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(*testing.T, *testServer, *authClient) string{
		"a password": func(t *testing.T, _ *testServer, c *authClient) string {
			return c.told(t, c.post("/api/auth/callback/credentials", "email", "mara@home.example", "password", goodPassword, "callbackUrl", "{o}/members"))
		},
		"a code": func(t *testing.T, h *testServer, c *authClient) string {
			m := h.brings(func() { c.post("/api/auth/signin/email", "email", "mara@home.example", "callbackUrl", "{o}/members") })
			return c.told(t, c.post("/api/auth/signin/email", "code", codeIn(t, m), "callbackUrl", "{o}/members"))
		},
		"a link": func(t *testing.T, h *testServer, c *authClient) string {
			m := h.brings(func() { c.post("/api/auth/signin/email", "email", "mara@home.example", "callbackUrl", "{o}/members") })
			return c.get(local(t, m.Link)).Header.Get("Location")
		},
	} {
		for _, version := range []string{"v4", "v5"} {
			t.Run(name+" "+version, func(t *testing.T) {
				t.Parallel()
				h, _ := twoSteps(t, version)
				h.withPassword("mara@home.example", goodPassword)
				c := h.browser().authjs(version)
				to := first(t, h, c)
				if !strings.HasPrefix(to, strings.TrimSuffix(h.app.Config.Origin().String(), "/")+"/signin/step?ask=") {
					t.Fatalf("it leads to %q", to)
				}
				h.wantSessions()
				if a := c.get("/api/auth/session"); strings.Contains(a.body, "mara") {
					t.Fatalf("the App is told %s", a.body)
				}
				c.browser.get(local(t, to)).goesTo(t, "/signin/step")
				c.browser.get("/signin/step").is(t, http.StatusOK, "Type the word")
				c.browser.post("/signin/step", "word", "hazelnut").is(t, http.StatusUnprocessableEntity)
				h.wantSessions()
				a := c.browser.post("/signin/step", "word", "walnut")
				back := a.wayOn(t)
				if !strings.HasPrefix(back, wikiOrigin+"/api/auth/callback/gatelodge?code=") {
					t.Fatalf("from there it leads to %q", back)
				}
				// In another browser the code opens nothing.
				h.browser().authjs(version).get(local(t, back))
				c.get(local(t, back)).redirects(t, wikiOrigin+"/members")
				if a := c.get("/api/auth/session"); !strings.Contains(a.body, `"email":"mara@home.example"`) {
					t.Errorf("the App is told %s", a.body)
				}
				if c.browser.who() != "" {
					t.Error("our own pages are open too")
				}
				if list := h.allSessions(); len(list) != 1 || !strings.HasSuffix(list[0].AMR, " otp") {
					t.Errorf("the sessions are %+v", list)
				}
			})
		}
	}
}

// told returns the address in the answer that a client reads, which names the error too.
func (c *authClient) told(t *testing.T, a reply) string {
	t.Helper()
	var got struct{ URL string }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || !strings.Contains(got.URL, "totp_required") {
		t.Fatalf("got %d %s", a.StatusCode, a.body)
	}
	return got.URL
}

// Who confirms that it is them shows the second thing too; until then the session is
// as stale as it was.
func TestConfirmingAsksForTheSecondStep(t *testing.T) {
	t.Parallel()
	h, _ := twoSteps(t, "v5")
	h.app.Login.Require = nil
	h.withPassword("mara@home.example", goodPassword)
	b := h.browser()
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	h.twoSteps("")
	h.pass(time.Hour)
	b.get("/account/password").goesTo(t, "/account/confirm")
	b.post("/account/confirm", "password", goodPassword).goesTo(t, "/signin/step")
	b.get("/account/password").goesTo(t, "/account/confirm")
	b.post("/account/confirm", "password", goodPassword).goesTo(t, "/signin/step")
	h.wantSessions("pwd")
	b.post("/signin/step", "word", "walnut").goesTo(t, "/account/password")
	b.get("/account/password").is(t, http.StatusOK)
	h.wantSessions("pwd otp")
}

// An App that needs more than the session has shown asks for it before it is entered.
func TestAnAppThatNeedsMoreIsNotEnteredByTheSession(t *testing.T) {
	t.Parallel()
	h, _ := twoSteps(t, "v5")
	h.twoSteps("wiki")
	h.withPassword("mara@home.example", goodPassword)
	c := h.browser().authjs("v5")
	b := c.browser
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	enter := local(t, c.get("/api/auth/signin?callbackUrl=%2Fmembers").Header.Get("Location"))
	b.get(enter, "Sec-Fetch-Site", "same-site")
	if a := c.get("/api/auth/session"); strings.Contains(a.body, "mara") {
		t.Fatalf("the App is told %s", a.body)
	}
	b.get("/signin/step").goesTo(t, "/account/confirm")
	b.post("/account/confirm", "password", goodPassword).goesTo(t, "/signin/step")
	b.post("/signin/step", "word", "walnut").goesTo(t, enter)
	a := b.get(enter, "Sec-Fetch-Site", "same-origin")
	c.get(local(t, a.wayOn(t))).redirects(t, wikiOrigin+"/members")
	if a := c.get("/api/auth/session"); !strings.Contains(a.body, `"email":"mara@home.example"`) {
		t.Errorf("the App is told %s", a.body)
	}
	h.wantSessions("pwd otp")
}

// What was needed may not be needed any more while somebody is asked for it.
func TestAStepThatIsNotNeededAnyMoreIsPassed(t *testing.T) {
	t.Parallel()
	h, _ := twoSteps(t, "v5")
	h.withPassword("mara@home.example", goodPassword)
	b := h.browser()
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/signin/step")
	h.app.Login.Require = nil
	b.do(http.MethodHead, "/signin/step", nil).goesTo(t, "/signin")
	h.wantSessions()
	b.get("/signin/step").goesTo(t, "/account")
	h.wantSessions("pwd")
}

// A first proof counts as long as an attempt may take.
func TestAFirstProofIsWorthNothingAfterAWhile(t *testing.T) {
	t.Parallel()
	h, _ := twoSteps(t, "v5")
	h.withPassword("mara@home.example", goodPassword)
	b := h.browser()
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/signin/step")
	h.pass(login.Lifetime)
	b.post("/signin/step", "word", "walnut").goesTo(t, "/signin")
	h.wantSessions()
}
