package web_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/upstream/upstreamtest"
	"gatelodge/store"
)

// notesWith opens a server with the App "Wiki" and an upstream. more goes into
// [app.authjs].
func notesWith(t testing.TB, version, more string, change ...func(*config.Upstream)) (*testServer, *upstreamtest.Server) {
	t.Helper()
	up := upstreamtest.New(t)
	h := open(t, func(c *config.Config) {
		u := openID(t, "school", up)
		u.TrustEmail = true
		for _, f := range change {
			f(&u)
		}
		c.Upstreams = []config.Upstream{u}
		c.Apps = appsOf(t, "[[app]]\nname = \"Wiki\"\nhosts = [\"localhost:3000\"]\nallow = [\"everyone\"]\n[app.authjs]\nversion = \""+version+"\"\n"+strings.ReplaceAll(more, "tokens = [\"school\"]", ""))
		if strings.Contains(more, "tokens") {
			c.Apps[0].AuthJS.Tokens = []string{"school"}
		}
	})
	h.user("mara@home.example")
	up.Set(func(s *upstreamtest.Server) { s.Now = h.Now })
	signsIn(up, "sub", "1", "email", "mara@home.example", "email_verified", true)
	return h, up
}

// local returns the path and query of an address.
func local(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.RequestURI()
}

// fromApp signs in at the App by the upstream, as next-auth's signIn does, and ends
// at the App's own address.
func (c *authClient) fromApp(id string, query string) {
	c.t.Helper()
	a := c.post("/api/auth/signin/"+id+query, "callbackUrl", "/members", "json", "true")
	var answer struct{ URL string }
	if err := json.Unmarshal([]byte(a.body), &answer); err != nil || a.StatusCode != http.StatusOK {
		c.t.Fatalf("got %d %s", a.StatusCode, a.body)
	}
	there := c.browser.get(local(c.t, answer.URL), "Sec-Fetch-Site", "same-site")
	if there.StatusCode != http.StatusFound {
		c.t.Fatalf("our address answers %d\n%s", there.StatusCode, there.body)
	}
	back := c.browser.get(c.visit(there.Header.Get("Location")))
	enter := c.browser.get(back.Header.Get("Location"), "Sec-Fetch-Site", "cross-site")
	if enter.StatusCode != http.StatusFound {
		c.t.Fatalf("from %d %s: got %d\n%s", back.StatusCode, back.Header.Get("Location"), enter.StatusCode, enter.body)
	}
	last := c.get(local(c.t, enter.Header.Get("Location")))
	if last.Header.Get("Location") != wikiOrigin+"/members" {
		c.t.Fatalf("ends with %d at %q\n%s", last.StatusCode, last.Header.Get("Location"), last.body)
	}
}

func TestAnAppsSignInByAnUpstreamEndsAtTheApp(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v4", "v5", "auto"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			h, up := notesWith(t, version, "")
			c := h.browser().authjs(version)
			var listed map[string]struct{ ID, Name, Type, SigninURL, CallbackURL string }
			if err := json.Unmarshal([]byte(c.get("/api/auth/providers").body), &listed); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"v4": "oauth", "v5": "oidc", "auto": "oidc"}[version]
			if p := listed["school"]; p.Type != want || p.Name != "Our school" || p.SigninURL != wikiOrigin+"/api/auth/signin/school" {
				t.Errorf("listed is %+v", p)
			}
			c.fromApp("school", "?login_hint=mara%40home.example&prompt=select_account&scope=everything")
			if a := c.get("/api/auth/session"); !strings.Contains(a.body, `"email":"mara@home.example"`) {
				t.Errorf("the session is %s", a.body)
			}
			if q := up.Asked(); q.Get("login_hint") != "mara@home.example" || q.Get("prompt") != "select_account" || strings.Contains(q.Get("scope"), "everything") {
				t.Errorf("the upstream is asked %v", q)
			}
			// One sign-in for everything here.
			c.browser.get("/account").is(t, 200, "Our school")
		})
	}
}

// What an App's address led to belongs to the browser that was there.
func TestAnAppsJourneyIsOfNoUseInAnotherBrowser(t *testing.T) {
	t.Parallel()
	h, _ := notesWith(t, "v5", "")
	attacker := h.browser().authjs("v5")
	a := attacker.post("/api/auth/signin/school", "json", "true")
	var answer struct{ URL string }
	if err := json.Unmarshal([]byte(a.body), &answer); err != nil {
		t.Fatal(err)
	}
	victim := h.browser().authjs("v5")
	there := victim.browser.get(local(t, answer.URL))
	back := victim.browser.get(victim.visit(there.Header.Get("Location")))
	enter := victim.browser.get(back.Header.Get("Location"), "Sec-Fetch-Site", "cross-site")
	victim.get(local(t, enter.Header.Get("Location")))
	if a := victim.get("/api/auth/session"); strings.Contains(a.body, "mara@") {
		t.Error("the victim's browser got the App's session though it never asked")
	}
	// And without a sealed word, our address begins nothing.
	h.browser().get("/signin/with/school").goesTo(t, "/signin")
	h.browser().get("/signin/with/school?ask=forged").goesTo(t, "/signin")
	h.browser().get(local(t, answer.URL), "Sec-Purpose", "prefetch").goesTo(t, "/signin")
}

func TestAnAppWithPagesOfItsOwnIsSentTheError(t *testing.T) {
	t.Parallel()
	h, up := notesWith(t, "v5", "[app.authjs.pages]\nsign_in = \"/login\"\nerror = \"/oops\"\n")
	for code, want := range map[string]string{"access_denied": "/api/auth/signin?error=OAuthCallbackError", "unauthorized_client": "/api/auth/error?error=Configuration"} {
		up.Set(func(s *upstreamtest.Server) { s.Error = code })
		c := h.browser().authjs("v5")
		var answer struct{ URL string }
		if err := json.Unmarshal([]byte(c.post("/api/auth/signin/school", "json", "true").body), &answer); err != nil {
			t.Fatal(err)
		}
		there := c.browser.get(local(t, answer.URL))
		back := c.browser.get(c.visit(there.Header.Get("Location")), "Sec-Fetch-Site", "cross-site")
		if got := back.Header.Get("Location"); got != wikiOrigin+want {
			t.Errorf("%s leads to %d %q, want %s", code, back.StatusCode, got, want)
		}
	}
}

func TestSignInByAnUpstreamAtOurOwnSessionAPI(t *testing.T) {
	t.Parallel()
	h, up := notesWith(t, "v5", "")
	b := h.browser()
	var token struct{ CSRFToken string }
	if err := json.Unmarshal([]byte(b.get("/api/auth/csrf").body), &token); err != nil {
		t.Fatal(err)
	}
	sign := func() reply {
		return b.do(http.MethodPost, "/api/auth/signin/school", url.Values{"csrfToken": {token.CSRFToken}, "callbackUrl": {"/account/profile"}}, "X-Auth-Return-Redirect", "1")
	}
	var answer struct{ URL string }
	if err := json.Unmarshal([]byte(sign().body), &answer); err != nil || !strings.HasPrefix(answer.URL, up.URL+"/authorize?") {
		t.Fatalf("got %q, %v", answer.URL, err)
	}
	b.get(b.visit(answer.URL)).goesTo(t, "/account/profile")
	b.isSignedInAs("mara@home.example")
	if a := b.post("/api/auth/signin/school", "csrfToken", "forged"); !strings.HasSuffix(a.Header.Get("Location"), "error=MissingCSRF") {
		t.Errorf("a forged form gives %d %q", a.StatusCode, a.Header.Get("Location"))
	}
}

type tokenAnswer struct {
	Provider, AccessToken, TokenType, Scope string
	ExpiresAt                               *time.Time
	Message                                 string
}

func (c *authClient) accessToken(id string, headers ...string) (int, tokenAnswer) {
	c.t.Helper()
	a := c.get("/api/auth/access-token?provider="+id, headers...)
	var v tokenAnswer
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		c.t.Fatalf("got %d %s", a.StatusCode, a.body)
	}
	if cache := a.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		c.t.Errorf("it may be cached: %s", cache)
	}
	return a.StatusCode, v
}

func TestAnAppHasItsOwnUsersTokenWhereItIsAllowedIt(t *testing.T) {
	t.Parallel()
	h, up := notesWith(t, "v5", "tokens = [\"school\"]")
	up.Set(func(s *upstreamtest.Server) { s.ExpiresIn = 3600 })
	c := h.browser().authjs("v5")
	if status, v := c.accessToken("school"); status != http.StatusUnauthorized || v.Message == "" {
		t.Errorf("nobody gets %d %+v", status, v)
	}
	c.fromApp("school", "")
	status, v := c.accessToken("school")
	if status != 200 || v.AccessToken == "" || v.Provider != "school" || v.ExpiresAt == nil || !v.ExpiresAt.Equal(h.Now().Add(time.Hour)) {
		t.Fatalf("got %d %+v", status, v)
	}
	if status, again := c.accessToken("school"); status != 200 || again.AccessToken != v.AccessToken {
		t.Error("it is another one each time")
	}
	for what, headers := range map[string][]string{"a site beside": {"Sec-Fetch-Site", "same-site"}, "another site": {"Sec-Fetch-Site", "cross-site"}} {
		if status, v := c.accessToken("school", headers...); status != http.StatusForbidden || v.AccessToken != "" {
			t.Errorf("%s gets %d %+v", what, status, v)
		}
	}
	if status, _ := c.accessToken("nowhere"); status != http.StatusForbidden {
		t.Errorf("an upstream that is not gives %d", status)
	}
	// Not on our own address, where no App is.
	if a := c.browser.get("/api/auth/access-token?provider=school"); a.StatusCode != http.StatusForbidden || strings.Contains(a.body, v.AccessToken) {
		t.Errorf("our own address gives %d %s", a.StatusCode, a.body)
	}

	// Renewed once, however many ask, and the new one is kept.
	h.pass(time.Hour)
	up.Set(func(s *upstreamtest.Server) { s.Slow = 100 * time.Millisecond })
	got := make([]string, 12)
	var asking sync.WaitGroup
	for i := range got {
		asking.Go(func() { _, v := c.accessToken("school"); got[i] = v.AccessToken })
	}
	asking.Wait()
	for _, token := range got {
		if token != got[0] || token == "" || token == v.AccessToken {
			t.Errorf("got %v", got)
			break
		}
	}
	if n := up.Refreshes(); n != 1 {
		t.Errorf("renewed %d times", n)
	}

	// The upstream is down: what has a little left still serves, what has ended does not.
	h.pass(59*time.Minute + 30*time.Second)
	up.Set(func(s *upstreamtest.Server) { s.Slow, s.TokenError = 0, "server_error" })
	if status, v := c.accessToken("school"); status != 200 || v.AccessToken != got[0] {
		t.Errorf("got %d %+v", status, v)
	}
	h.pass(2 * time.Minute)
	if status, v := c.accessToken("school"); status != http.StatusServiceUnavailable || v.AccessToken != "" {
		t.Errorf("got %d %+v", status, v)
	}
	up.Set(func(s *upstreamtest.Server) { s.TokenError = "" })
	h.pass(time.Minute)
	if status, v := c.accessToken("school"); status != 200 || v.AccessToken == got[0] {
		t.Errorf("got %d %+v", status, v)
	}

	// Refused for good: the user has to come by it again.
	h.pass(2 * time.Hour)
	up.Set(func(s *upstreamtest.Server) { s.TokenError = "invalid_grant" })
	if status, v := c.accessToken("school"); status != http.StatusConflict || !strings.Contains(v.Message, "Our school") {
		t.Errorf("got %d %+v", status, v)
	}
	up.Set(func(s *upstreamtest.Server) { s.TokenError = "" })
	if status, _ := c.accessToken("school"); status != http.StatusConflict {
		t.Errorf("got %d", status)
	}
	c.browser.get("/account").is(t, 200, "Connect it again")
	c.fromApp("school", "")
	if status, v := c.accessToken("school"); status != 200 || v.AccessToken == "" {
		t.Errorf("got %d %+v", status, v)
	}
	for _, a := range h.accounts("mara@home.example") {
		if said := h.logged(); strings.Contains(said, a.Tokens.Access) || strings.Contains(said, a.Tokens.Refresh) || strings.Contains(said, a.Tokens.ID) {
			t.Error("the log holds a token")
		}
	}
}

func TestAnAppThatIsNotAllowedTokensHasNone(t *testing.T) {
	t.Parallel()
	h, _ := notesWith(t, "v5", "")
	c := h.browser().authjs("v5")
	c.fromApp("school", "")
	if status, v := c.accessToken("school"); status != http.StatusForbidden || v.AccessToken != "" || v.Message == "" {
		t.Errorf("got %d %+v", status, v)
	}
}

// Tokens lie sealed in the database.
func TestTokensOfUpstreamsLieSealed(t *testing.T) {
	t.Parallel()
	h, _ := notesWith(t, "v5", "")
	h.browser().with("school").goesTo(t, "/account")
	tokens := h.accounts("mara@home.example")[0].Tokens
	path := t.TempDir() + "/copy.db"
	if err := h.app.DB.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	copied, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{tokens.Access, tokens.Refresh, tokens.ID} {
		if token == "" || bytes.Contains(copied, []byte(token)) {
			t.Errorf("the database contains %q", token)
		}
	}
	if !bytes.Contains(copied, []byte("mara@home.example")) {
		t.Error("the test looks at nothing")
	}
}

// Google sends a refresh token only to who is asked for consent. Who consented
// before an App was allowed its tokens is asked once more, and then never again.
func TestWhoConsentedBeforeIsAskedOnceMoreForARefreshToken(t *testing.T) {
	t.Parallel()
	h, up := notesWith(t, "v5", "tokens = [\"school\"]", func(u *config.Upstream) { u.Kind = "google" })
	signsIn(up, "sub", "1", "email", "mara@home.example", "email_verified", true, "hd", "home.example")
	up.Set(func(s *upstreamtest.Server) { s.ExpiresIn, s.Thrifty = 3600, true })
	b := h.browser()
	first := b.with("school")
	if q := local(t, first.Header.Get("Location")); first.StatusCode != http.StatusFound || !strings.Contains(q, "prompt=consent") || !strings.Contains(q, "access_type=offline") || !strings.Contains(q, "login_hint=mara") {
		t.Fatalf("got %d to %s", first.StatusCode, q)
	}
	b.isSignedInAs("")
	b.get(b.visit(first.Header.Get("Location"))).goesTo(t, "/account")
	if got := h.accounts("mara@home.example"); len(got) != 1 || got[0].Tokens.Refresh == "" {
		t.Fatalf("kept is %+v", got)
	}
	h.browser().with("school").goesTo(t, "/account")
	if got := h.accounts("mara@home.example"); got[0].Tokens.Refresh == "" {
		t.Error("the refresh token is gone")
	}

	// One that the upstream no longer takes is as good as none.
	a := h.accounts("mara@home.example")[0]
	err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.ClaimRefresh(a.ID, h.Now().Add(time.Minute), h.Now()); err != nil {
			return err
		}
		return tx.FreeRefresh(a.ID, h.Now().Add(time.Minute), h.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	h.pass(time.Second)
	again := h.browser()
	again.get(again.visit(again.with("school").Header.Get("Location"))).goesTo(t, "/account")

	// An upstream that sends none even then is not asked for ever.
	up.Set(func(s *upstreamtest.Server) { s.Claims["sub"], s.Claims["email"] = "2", "sam@home.example" })
	h.user("sam@home.example")
	up.Set(func(s *upstreamtest.Server) { s.Never = true })
	sam := h.browser()
	sam.get(sam.visit(sam.with("school").Header.Get("Location"))).goesTo(t, "/account")
	sam.isSignedInAs("sam@home.example")
}
