package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/upstream/upstreamtest"
)

// Each thing that can go wrong says so in a sentence of its own, with a Reference,
// and lets nobody in.
func TestEachFailureOfAnUpstreamHasItsSentence(t *testing.T) {
	t.Parallel()
	mara := []any{"sub", "1", "email", "mara@home.example", "email_verified", true}
	with := func(more ...any) []any { return append(append([]any{}, mara...), more...) }
	set := func(f func(*upstreamtest.Server)) func(*testServer, *upstreamtest.Server) {
		return func(_ *testServer, up *upstreamtest.Server) { up.Set(f) }
	}
	for name, tt := range map[string]struct {
		config func(*config.Upstream)
		claims []any
		break_ func(*testServer, *upstreamtest.Server)
		status int
		says   string
	}{
		"cancelled there":       {nil, mara, set(func(s *upstreamtest.Server) { s.Error = "access_denied" }), 403, "You were not signed in at Our school"},
		"busy there":            {nil, mara, set(func(s *upstreamtest.Server) { s.Error = "temporarily_unavailable" }), 503, "Our school does not respond"},
		"not registered there":  {nil, mara, set(func(s *upstreamtest.Server) { s.Error = "unauthorized_client" }), 503, "does not know this server"},
		"a wrong secret":        {nil, mara, set(func(s *upstreamtest.Server) { s.TokenError = "invalid_client" }), 503, "does not know this server"},
		"an error that is 200":  {nil, mara, set(func(s *upstreamtest.Server) { s.TokenError, s.StatusOK = "invalid_client", true }), 503, "does not know this server"},
		"a code that is dead":   {nil, mara, set(func(s *upstreamtest.Server) { s.TokenError = "invalid_grant" }), 410, "The sign-in took too long"},
		"gone down meanwhile":   {nil, mara, set(func(s *upstreamtest.Server) { s.TokenError = "server_error" }), 503, "Our school does not respond"},
		"our clock is ahead":    {nil, mara, set(func(s *upstreamtest.Server) { now := s.Now().Add(-time.Hour); s.Now = func() time.Time { return now } }), 503, "The clocks do not agree"},
		"our clock is behind":   {nil, mara, set(func(s *upstreamtest.Server) { now := s.Now().Add(time.Hour); s.Now = func() time.Time { return now } }), 503, "The clocks do not agree"},
		"unsigned":              {nil, mara, set(func(s *upstreamtest.Server) { s.Algorithm = "none" }), 403, "could not be verified"},
		"signed by the secret":  {nil, mara, set(func(s *upstreamtest.Server) { s.Algorithm = "HS256" }), 403, "could not be verified"},
		"for another client":    {nil, with("aud", "somebody else"), nil, 403, "could not be verified"},
		"for several others":    {nil, with("aud", []string{"the shop", "other"}), nil, 403, "could not be verified"},
		"to another party":      {nil, with("azp", "other"), nil, 403, "could not be verified"},
		"to another question":   {nil, with("nonce", "replayed"), nil, 403, "could not be verified"},
		"by another issuer":     {nil, with("iss", "https://evil.example"), nil, 403, "could not be verified"},
		"another access token":  {nil, with("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), nil, 403, "could not be verified"},
		"of nobody":             {nil, []any{"email", "mara@home.example", "email_verified", true}, nil, 503, "does not know this server"},
		"userinfo of another":   {nil, []any{"sub", "1"}, set(func(s *upstreamtest.Server) { s.Userinfo = map[string]any{"sub": "2", "email": "mara@home.example"} }), 403, "could not be verified"},
		"not on the list":       {func(u *config.Upstream) { u.AllowDomains = []string{"school.example"} }, mara, nil, 403, "Your Our school account is not allowed here"},
		"a domain that ends so": {func(u *config.Upstream) { u.AllowDomains = []string{"me.example"} }, mara, nil, 403, "Your Our school account is not allowed here"},
		"unverified for a list": {func(u *config.Upstream) { u.AllowDomains = []string{"home.example"} }, with("email_verified", false), nil, 403, "sent no verified email address"},
		"no address for a list": {func(u *config.Upstream) { u.AllowEmails = []string{"mara@home.example"} }, []any{"sub", "1"}, nil, 403, "sent no verified email address"},
		"not in the group":      {func(u *config.Upstream) { u.AllowGroups = []string{"teachers"} }, with("groups", []string{"pupils"}), nil, 403, "Your Our school account is not allowed here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, func(u *config.Upstream) {
				trusted(u)
				if tt.config != nil {
					tt.config(u)
				}
			})
			h.user("mara@home.example")
			signsIn(up, tt.claims...)
			if tt.break_ != nil {
				tt.break_(h, up)
			}
			b := h.browser()
			a := b.with("school")
			a.is(t, tt.status, tt.says, "GL-", "/signin")
			if b.who() != "" {
				t.Error("somebody is in")
			}
			if said := h.logged(); strings.Contains(said, upstreamtest.Secret) || strings.Contains(said, url.QueryEscape(upstreamtest.Secret)) {
				t.Error("the log holds the secret")
			}
			german := b.get("/signin?lang=de")
			german.goesTo(t, "/signin")
			b.get("/signin").is(t, 200, "Weiter mit Our school")
		})
	}
}

func TestListsLetThroughWhoIsOnOne(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, func(u *config.Upstream) {
		trusted(u)
		u.AllowDomains, u.AllowEmails, u.AllowGroups = []string{"home.example"}, []string{"ana@else.example"}, []string{"Teachers"}
	})
	for subject, email := range map[string]string{"1": "mara@home.example", "2": "Ana@Else.example", "3": "eve@evil.example"} {
		h.user(email)
		signsIn(up, "sub", subject, "email", email, "email_verified", true, "groups", map[string][]string{"3": {"teachers"}}[subject])
		h.browser().with("school").goesTo(t, "/account")
	}
}

// An upstream that is down keeps nothing else from working, from the start on.
func TestAnUpstreamThatIsDownKeepsNobodyElseOut(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, trusted)
	up.Set(func(s *upstreamtest.Server) { s.Down = true })
	h.user("mara@home.example")
	b := h.browser()
	b.post("/signin/with/school").is(t, http.StatusServiceUnavailable, "Our school does not respond", "/signin")
	b.signIn("mara@home.example")
	h.pass(10 * time.Minute)
	b.post("/account/methods/link", "upstream", "school").goesTo(t, "/account/confirm")
	if !strings.Contains(h.logged(), "level=ERROR") {
		t.Error("nobody is told in the log")
	}
}

func TestAStateThatIsReplayedOrOfAnotherBrowserSignsNobodyIn(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, trusted)
	h.user("mara@home.example")
	signsIn(up, "sub", "1", "email", "mara@home.example", "email_verified", true)

	// Login CSRF: the attacker's own answer, in the victim's browser.
	attacker, victim := h.browser(), h.browser()
	back := attacker.visit(attacker.post("/signin/with/school").wayOn(t))
	victim.get(back).is(t, http.StatusGone, "This sign-in was started in another browser")
	victim.post("/signin/with/school")
	victim.get(back).is(t, http.StatusGone, "This sign-in was started in another browser")
	if victim.who() != "" {
		t.Fatal("the victim is signed in as the attacker")
	}

	// It is spent by the first return, and a reload goes on.
	attacker.get(back).goesTo(t, "/account")
	attacker.get(back).goesTo(t, "/account")
	attacker.post("/signout")
	attacker.get(back).is(t, http.StatusGone, "started in another browser")

	// And it does not wait for ever.
	back = attacker.visit(attacker.post("/signin/with/school").wayOn(t))
	h.pass(16 * time.Minute)
	attacker.get(back).is(t, http.StatusGone)
	for _, forged := range []string{"?state=x&code=y", "?code=y", "", "?state=" + strings.Repeat("A", 43) + "&code=y", "?error=access_denied&state=" + strings.Repeat("A", 43), "?form=abc"} {
		attacker.get("/api/auth/callback/school"+forged).is(t, http.StatusGone, "GL-")
	}
}

// RFC 9207: an answer that an attacker's server has made for another one.
func TestMixUpOfTwoUpstreams(t *testing.T) {
	t.Parallel()
	honest, evil := upstreamtest.New(t), upstreamtest.New(t)
	h := open(t, func(c *config.Config) {
		good, bad := openID(t, "honest", honest), openID(t, "evil", evil)
		good.TrustEmail, bad.Name = true, "Evil"
		c.Upstreams = []config.Upstream{good, bad}
	})
	for _, up := range []*upstreamtest.Server{honest, evil} {
		up.Set(func(s *upstreamtest.Server) { s.Now = h.Now })
	}
	h.user("mara@home.example")
	signsIn(honest, "sub", "1", "email", "mara@home.example", "email_verified", true)
	signsIn(evil, "sub", "1", "email", "mara@home.example", "email_verified", true)

	t.Run("a state of one at the other's address", func(t *testing.T) {
		b := h.browser()
		back := b.visit(b.post("/signin/with/evil").wayOn(t))
		b.get(strings.Replace(back, "callback/evil", "callback/honest", 1)).is(t, http.StatusGone)
		if b.who() != "" {
			t.Error("somebody is in")
		}
	})
	t.Run("an answer that names another", func(t *testing.T) {
		honest.Set(func(s *upstreamtest.Server) { s.NamedAs = evil.URL })
		b := h.browser()
		b.with("honest").is(t, http.StatusForbidden, "The answer came from another provider")
		honest.Set(func(s *upstreamtest.Server) { s.NamedAs = "" })
	})
	t.Run("an error that names another", func(t *testing.T) {
		honest.Set(func(s *upstreamtest.Server) { s.NamedAs, s.Error = evil.URL, "access_denied" })
		h.browser().with("honest").is(t, http.StatusForbidden, "The answer came from another provider")
		honest.Set(func(s *upstreamtest.Server) { s.NamedAs, s.Error = "", "" })
	})
}

func TestAnUpstreamThatAnnouncesItselfMustDoSo(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, trusted)
	up.Set(func(s *upstreamtest.Server) { s.Announces, s.Silent = true, true })
	h.user("mara@home.example")
	signsIn(up, "sub", "1", "email", "mara@home.example", "email_verified", true)
	h.browser().with("school").is(t, http.StatusForbidden, "The answer came from another provider")
	up.Set(func(s *upstreamtest.Server) { s.Silent = false })
	h.browser().with("school").goesTo(t, "/account")
}

func TestAProviderThatCallsItselfOtherwiseIsNotAsked(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, nil)
	up.Set(func(s *upstreamtest.Server) { s.Issuer = "https://another.example" })
	h.browser().post("/signin/with/school").is(t, http.StatusServiceUnavailable, "does not know this server")
	if !strings.Contains(h.logged(), "calls itself") {
		t.Errorf("the log does not say why:\n%s", h.logged())
	}
}

func TestASuspendedUserIsNotSignedInByAnUpstream(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, trusted)
	u := h.user("mara@home.example")
	signsIn(up, "sub", "1", "email", "mara@home.example", "email_verified", true)
	if err := h.app.Users.Disable(t.Context(), operator(), u); err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	b.with("school").is(t, http.StatusForbidden, "This account is suspended")
	if err := h.app.Users.Enable(t.Context(), operator(), u); err != nil {
		t.Fatal(err)
	}
	b.with("school").goesTo(t, "/account")
	if err := h.app.Users.Disable(t.Context(), operator(), u); err != nil {
		t.Fatal(err)
	}
	b.with("school").is(t, http.StatusForbidden, "This account is suspended")
	if !strings.Contains(h.logged(), "auth-fail") {
		t.Error("no line for programs that ban")
	}
}
