package web_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/upstream/upstreamtest"
)

// secretOf makes a config.Secret, which only a configuration's text can.
func secretOf(t testing.TB, text string) config.Secret {
	t.Helper()
	l, err := config.Load(config.Source{Env: []string{"GATELODGE_MAIL_SMARTHOST_PASSWORD=" + text}})
	if err != nil {
		t.Fatal(err)
	}
	return l.Mail.Smarthost.Password
}

// openID is an upstream that speaks OpenID, for a configuration.
func openID(t testing.TB, id string, up *upstreamtest.Server) config.Upstream {
	return config.Upstream{
		ID: id, Kind: "oidc", Name: "Our school", ClientID: upstreamtest.ClientID, ClientSecret: secretOf(t, upstreamtest.Secret), Issuer: up.URL,
	}
}

// withUpstream starts a server with one upstream, and the upstream.
func withUpstream(t testing.TB, change func(*config.Upstream)) (*testServer, *upstreamtest.Server) {
	t.Helper()
	up := upstreamtest.New(t)
	h := open(t, func(c *config.Config) {
		u := openID(t, "school", up)
		if change != nil {
			change(&u)
		}
		c.Upstreams = []config.Upstream{u}
	})
	up.Set(func(s *upstreamtest.Server) { s.Now = h.Now })
	return h, up
}

// signsIn makes the upstream sign in somebody with these claims: name, value, and so on.
func signsIn(up *upstreamtest.Server, pairs ...any) {
	claims := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		claims[pairs[i].(string)] = pairs[i+1]
	}
	up.Set(func(s *upstreamtest.Server) { s.Claims = claims })
}

var refreshTo = regexp.MustCompile(`<meta http-equiv="refresh" content="0;url=([^"]+)">`)

// wayOn returns where a page that goes on by itself leads.
func (a reply) wayOn(t testing.TB) string {
	t.Helper()
	found := refreshTo.FindStringSubmatch(a.body)
	if a.StatusCode != http.StatusOK || found == nil {
		t.Fatalf("got %d and no way on:\n%s", a.StatusCode, a.body)
	}
	return html.UnescapeString(found[1])
}

// visit opens an upstream's page, and returns the path on our server that it sends
// the browser back to.
func (b *browser) visit(address string) string {
	b.t.Helper()
	res, err := b.client.Get(address)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	back, err := url.Parse(res.Header.Get("Location"))
	if err != nil || res.StatusCode != http.StatusFound {
		b.t.Fatalf("the upstream answered %d: %s", res.StatusCode, text)
	}
	return back.RequestURI()
}

// with signs in by an upstream, as somebody does who presses its button.
func (b *browser) with(id string) reply {
	b.t.Helper()
	return b.get(b.visit(b.post("/signin/with/" + id).wayOn(b.t)))
}

func trusted(u *config.Upstream) { u.TrustEmail = true }

func welcome(u *config.Upstream) { u.SignUp = true }

func TestAUserWhomAnAdminAddedSignsInByATrustedUpstream(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, trusted)
	h.user("mara@home.example")
	signsIn(up, "sub", "1", "email", "Mara@home.example", "email_verified", true, "name", "Mara")
	b := h.browser()
	b.get("/signin").is(t, 200, "Continue with Our school")
	b.with("school").goesTo(t, "/account")
	b.isSignedInAs("mara@home.example")
	b.get("/account").is(t, 200, "Our school", "Mara@home.example, last used", "with Our school")
	q := up.Asked()
	if q.Get("redirect_uri") != "http://localhost:"+h.url[strings.LastIndex(h.url, ":")+1:]+"/api/auth/callback/school" || q.Get("scope") != "openid email profile" || q.Get("nonce") == "" {
		t.Errorf("the upstream was asked %v", q)
	}
	if m := h.letter("linked"); m.Rcpt != "mara@home.example" || !strings.Contains(m.Text, "Our school") {
		t.Errorf("told %s: %s", m.Rcpt, m.Text)
	}

	// The next time it is the subject that counts, whatever the address is by then.
	signsIn(up, "sub", "1", "email", "mara@new.example", "email_verified", true)
	again := h.browser()
	again.with("school").goesTo(t, "/account")
	again.isSignedInAs("mara@home.example")

	// And this browser is welcomed back by it.
	b.post("/signout")
	b.get("/signin").is(t, 200, "Welcome back", `action="/signin/with/school"`)
}

func TestAStrangerIsTurnedAwayAndLeavesNothing(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, trusted)
	signsIn(up, "sub", "1", "email", "eve@else.example", "email_verified", true)
	b := h.browser()
	b.with("school").is(t, http.StatusForbidden, "You need an invitation", "GL-")
	if b.who() != "" {
		t.Error("a stranger is in")
	}
	if _, err := h.app.Users.Find(t.Context(), "eve@else.example"); err == nil {
		t.Error("a stranger was kept")
	}
}

func TestAStrangerIsMadeAUserWhereTheUpstreamMaySignUp(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, func(u *config.Upstream) { trusted(u); welcome(u) })
	signsIn(up, "sub", "1", "email", "ana@else.example", "email_verified", true, "name", "Ana", "picture", "https://pics.example/ana.png")
	b := h.browser()
	b.with("school").goesTo(t, "/account")
	b.isSignedInAs("ana@else.example")
	if a := b.get("/api/auth/session"); !strings.Contains(a.body, `"image":"https://pics.example/ana.png"`) || strings.Contains(a.body, `"emailVerified":null`) {
		t.Errorf("the session is %s", a.body)
	}
	b.post("/account/end-others").goesTo(t, "/account")
	h.pass(time.Second)
	h.browser().with("school").goesTo(t, "/account")
}
