package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/audit"
	"gatelodge/app/config"
	"gatelodge/store"
)

func operator() audit.Origin { return app.Operator() }

// link connects an upstream to whoever is signed in.
func (b *browser) link(id string) reply {
	b.t.Helper()
	return b.get(b.visit(b.post("/account/methods/link", "upstream", id).wayOn(b.t)))
}

// accounts returns what is connected to a user.
func (h *testServer) accounts(email string) (list []store.Account) {
	h.t.Helper()
	u, err := h.app.Users.Find(h.t.Context(), email)
	if err == nil {
		err = h.app.DB.View(h.t.Context(), func(tx *store.Tx) (err error) {
			list, err = tx.AccountsOf(u.ID)
			return err
		})
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

func TestPeopleConnectAndDisconnectWhatIsTheirs(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, nil)
	h.user("mara@home.example")
	h.user("sam@home.example")
	// Her address there is another: what counts is who came back.
	signsIn(up, "sub", "1", "email", "m.okafor@school.example", "email_verified", true, "name", "Mara")
	b := h.browser()
	b.signIn("mara@home.example")
	b.get("/account").is(t, 200, "Connect another account", "Our school")
	b.link("school").goesTo(t, "/account")
	b.get("/account").is(t, 200, "Account connected", "m.okafor@school.example")
	if m := h.letter("linked"); m.Rcpt != "mara@home.example" || !strings.Contains(m.Text, "m.okafor@school.example") {
		t.Errorf("%s was told %s", m.Rcpt, m.Text)
	}
	b.link("school").is(t, http.StatusConflict, "account is already connected")

	other := h.browser()
	other.with("school").goesTo(t, "/account")
	other.isSignedInAs("mara@home.example")

	// Nobody else can have it, nor take it away.
	sam := h.browser()
	sam.signIn("sam@home.example")
	sam.link("school").is(t, http.StatusConflict, "connected to another user")
	id := h.accounts("mara@home.example")[0].ID
	sam.post("/account/methods/unlink", "account", id).is(t, http.StatusNotFound)
	if a := b.post("/account/data"); !strings.Contains(a.body, `"provider": "school"`) || strings.Contains(a.body, "id_token") {
		t.Errorf("the data is %s", a.body)
	}

	b.post("/account/methods/unlink", "account", id).goesTo(t, "/account")
	b.isSignedInAs("mara@home.example")
	if other.who() != "" {
		t.Error("the other browser is still in")
	}
	if len(h.accounts("mara@home.example")) != 0 {
		t.Error("it is still connected")
	}
	other.with("school").goesTo(t, "/signin/connect")
	b.get("/account/history").is(t, 200, "Your account at Our school was connected", "Your account at Our school was disconnected")
}

func TestTheLastWayInStays(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, welcome)
	signsIn(up, "sub", "1", "name", "Ana") // no address at all
	b := h.browser()
	b.with("school").goesTo(t, "/signin/connect")
	b.get("/signin/connect").is(t, 200, "Connect Our school to your account?", "Create an account")
	b.post("/signin/connect").goesTo(t, "/account?welcome")
	page := b.get("/account")
	page.is(t, 200, "Our school", "Ana")
	if strings.Contains(page.body, "/account/methods/unlink") {
		t.Error("the last way can be removed")
	}
	var id string
	err := h.app.DB.View(t.Context(), func(tx *store.Tx) error {
		a, err := tx.AccountBySubject("school", "1")
		id = a.ID
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.post("/account/methods/unlink", "account", id).goesTo(t, "/account")
	b.get("/account").is(t, 200, "This is your last way to sign in")
	// This browser knows her by it, though there is nothing she could type.
	b.post("/signout")
	b.get("/signin").is(t, 200, "Welcome back", "Ana", `action="/signin/with/school"`)
	b.with("school").goesTo(t, "/account")
}

func TestLinkingNeedsALateProof(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, nil)
	h.user("mara@home.example")
	signsIn(up, "sub", "1")
	b := h.browser()
	b.signIn("mara@home.example")
	b.link("school").goesTo(t, "/account")
	h.pass(11 * time.Minute)
	b.post("/account/methods/link", "upstream", "school").goesTo(t, "/account/confirm")
	b.post("/account/methods/unlink", "account", h.accounts("mara@home.example")[0].ID).goesTo(t, "/account/confirm")

	// The upstream itself is one of the ways to confirm, and is told to ask again.
	b.get("/account/confirm").is(t, 200, "Continue with Our school")
	to := b.post("/account/confirm", "upstream", "school").wayOn(t)
	if !strings.Contains(to, "prompt=login") {
		t.Errorf("the upstream is asked %s", to)
	}
	if !strings.Contains(to, "max_age=0") {
		t.Errorf("the upstream is asked %s", to)
	}
	signsIn(up, "sub", "1", "auth_time", h.Now().Unix())
	b.get(b.visit(to)).goesTo(t, "/account")
	b.post("/account/methods/link", "upstream", "school").wayOn(t)

	// Not by somebody else's.
	h.pass(11 * time.Minute)
	signsIn(up, "sub", "2", "auth_time", h.Now().Unix())
	b.get(b.visit(b.post("/account/confirm", "upstream", "school").wayOn(t))).is(t, http.StatusForbidden, "another user")
	signsIn(up, "sub", "1", "auth_time", h.Now().Add(-time.Hour).Unix())
	b.get(b.visit(b.post("/account/confirm", "upstream", "school").wayOn(t))).is(t, http.StatusForbidden, "did not ask you again")
	b.isSignedInAs("mara@home.example")
	b.post("/account/confirm", "upstream", "nowhere").is(t, http.StatusNotFound)
}

// A link that is begun in one session is not finished in another.
func TestLinkingIsBoundToTheSessionThatAsked(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, nil)
	h.user("mara@home.example")
	h.user("eve@home.example")
	signsIn(up, "sub", "eve")
	b := h.browser()
	b.signIn("eve@home.example")
	back := b.visit(b.post("/account/methods/link", "upstream", "school").wayOn(t))
	login := b.cookie("gatelodge-login")
	b.post("/signout")
	b.signIn("mara@home.example") // at the same machine
	at, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	b.client.Jar.SetCookies(at, []*http.Cookie{{Name: h.named("gatelodge-login"), Value: login, Path: "/"}})
	b.get(back).is(t, http.StatusGone, "started in another browser")
	if len(h.accounts("mara@home.example")) != 0 {
		t.Error("Eve's account signs in to Mara's")
	}
}

// The address that an upstream tells is equal to a user's. Nothing is connected,
// and nothing tells that there is such a user.
func TestAnEqualAddressConnectsNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config func(*config.Upstream)
		claims []any
	}{
		"an upstream that is not trusted": {nil, []any{"email_verified", true}},
		"an address that is not verified": {trusted, []any{"email_verified", false}},
		"an upstream that does not tell":  {trusted, nil},
		"a text that is not true":         {trusted, []any{"email_verified", "no"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, tt.config)
			h.user("mara@home.example")
			signsIn(up, append([]any{"sub", "evil", "name", "Eve", "email", "mara@home.example"}, tt.claims...)...)
			b := h.browser()
			b.with("school").goesTo(t, "/signin/connect")
			known := b.get("/signin/connect")
			known.is(t, 200, "Connect Our school to your account?")
			if b.who() != "" || len(h.accounts("mara@home.example")) != 0 {
				t.Fatal("it was connected")
			}
			signsIn(up, append([]any{"sub", "evil2", "name", "Eve", "email", "nobody@home.example"}, tt.claims...)...)
			c := h.browser()
			c.with("school").goesTo(t, "/signin/connect")
			if unknown := c.get("/signin/connect"); strings.ReplaceAll(unknown.body, "nobody@", "mara@") != known.body {
				t.Error("the page tells who has an account")
			}
		})
	}
}

// The person proves the account that is theirs, and then connects.
func TestAnAccountIsProvenFirstAndThenConnected(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, nil)
	h.user("mara@home.example")
	signsIn(up, "sub", "1", "email", "mara@home.example", "email_verified", true)
	b := h.browser()
	b.with("school").goesTo(t, "/signin/connect")
	b.get("/account/connect").goesTo(t, "/signin")
	m := b.ask("mara@home.example")
	b.post("/signin/code", "code", codeIn(t, m)).goesTo(t, "/account/connect")
	b.get("/account/connect").is(t, 200, "Connect Our school to your account?", "mara@home.example", "Do not connect")
	if len(h.accounts("mara@home.example")) != 0 {
		t.Fatal("it was connected without a word")
	}
	b.post("/account/connect", "yes", "1").goesTo(t, "/account")
	b.get("/account").is(t, 200, "Account connected")
	h.letter("linked")
	h.browser().with("school").goesTo(t, "/account")

	// Who rather does not, is signed in all the same.
	signsIn(up, "sub", "2")
	c := h.browser()
	c.with("school").goesTo(t, "/signin/connect")
	m = c.ask("mara@home.example")
	c.post("/signin/code", "code", codeIn(t, m)).goesTo(t, "/account/connect")
	c.post("/account/connect", "no", "1").goesTo(t, "/account")
	c.get("/account/connect").goesTo(t, "/account")
	if n := len(h.accounts("mara@home.example")); n != 1 {
		t.Errorf("%d are connected", n)
	}
}

// What is held for a browser is worth nothing in another, nor later.
func TestWhatIsHeldBelongsToOneBrowser(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, nil)
	h.user("mara@home.example")
	signsIn(up, "sub", "1", "email", "mara@home.example")
	b := h.browser()
	b.with("school").goesTo(t, "/signin/connect")
	h.pass(14 * time.Minute)
	b.get("/signin/connect").is(t, 200)
	m := b.ask("mara@home.example") // keeps the cookie alive
	h.pass(2 * time.Minute)
	b.get("/signin/connect").goesTo(t, "/signin")
	b.get("/signin").is(t, 200, "The sign-in expired before it was connected")
	b.get(b.path(m)).goesTo(t, "/account")
}

// Classic-federated merge: somebody prepared an account with the victim's address
// and waits for its owner to come by an upstream.
func TestPreHijackingAnAccountThatNobodyHasVerified(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, trusted)
	h.withPassword("victim@home.example", goodPassword)
	attacker := h.browser()
	attacker.tryPassword("victim@home.example", goodPassword).goesTo(t, "/account")
	signsIn(up, "sub", "attacker", "email", "attacker@evil.example", "email_verified", true)
	attacker.link("school").goesTo(t, "/account")
	attacker.post("/account/emails", "email", "attacker@evil.example").goesTo(t, "/account/emails")
	pending := h.letter("confirm_email")

	signsIn(up, "sub", "victim", "email", "victim@home.example", "email_verified", true)
	victim := h.browser()
	victim.with("school").goesTo(t, "/account")
	victim.isSignedInAs("victim@home.example")

	// Nothing of what the attacker prepared is left.
	if attacker.who() != "" {
		t.Error("unexpired session: the attacker is still in")
	}
	again := h.browser()
	again.tryPassword("victim@home.example", goodPassword).is(t, 422, "do not match")
	again.get(again.path(pending)).is(t, http.StatusGone)
	again.post(again.path(pending))
	signsIn(up, "sub", "attacker", "email", "attacker@evil.example", "email_verified", true)
	again.with("school").is(t, http.StatusForbidden, "You need an invitation")
	if list := h.accounts("victim@home.example"); len(list) != 1 || list[0].Subject != "victim" {
		t.Errorf("trojan identifier: connected are %+v", list)
	}
	if _, err := h.app.Users.Find(t.Context(), "attacker@evil.example"); err == nil {
		t.Error("the attacker's address leads there")
	}
}

// An attacker who got in once connects an account of their own.
func TestATrojanIdentifierGoesWhenItsVictimSaysSo(t *testing.T) {
	t.Parallel()
	for _, letter := range []string{"linked", "new_device"} {
		t.Run(letter, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, nil)
			h.user("mara@home.example")
			owner := h.browser()
			owner.signIn("mara@home.example")
			thief := h.browser()
			m := thief.ask("mara@home.example")
			thief.get(thief.path(m)).goesTo(t, "/account")
			signsIn(up, "sub", "thief")
			thief.link("school").goesTo(t, "/account")
			link := h.letter(letter)
			fresh := h.browser()
			fresh.get(fresh.path(link)).is(t, 200, "Was this not you?")
			if a := fresh.post(fresh.path(link)); a.StatusCode != http.StatusSeeOther {
				t.Fatalf("got %d\n%s", a.StatusCode, a.body)
			}
			if len(h.accounts("mara@home.example")) != 0 {
				t.Error("it is still connected")
			}
			if thief.who() != "" {
				t.Error("the thief is still in")
			}
			thief.with("school").goesTo(t, "/signin/connect")
		})
	}
}

// A non-verifying upstream signs up with somebody else's address.
func TestAnAddressThatIsNotProvenIsNobodys(t *testing.T) {
	t.Parallel()
	for name, verified := range map[string]bool{"not verified": false, "not trusted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, welcome)
			signsIn(up, "sub", "evil", "name", "Eve", "email", "victim@home.example", "email_verified", verified)
			b := h.browser()
			b.with("school").goesTo(t, "/signin/connect")
			b.post("/signin/connect").goesTo(t, "/account?welcome")
			if got := b.who(); got != "" {
				t.Errorf("the account has the address %q", got)
			}
			if _, err := h.app.Users.Find(t.Context(), "victim@home.example"); err == nil {
				t.Fatal("the address leads to Eve's account")
			}
			// Its owner is asked, in words that Eve has no part in, and can still have an
			// account with it. Whatever they press, it is not put to Eve's.
			m := h.letter("confirm_email")
			if m.Rcpt != "victim@home.example" || strings.Contains(m.Text, "Eve") {
				t.Errorf("%s was asked:\n%s", m.Rcpt, m.Text)
			}
			victim := h.browser()
			link := victim.path(m)
			victim.get(link).is(t, http.StatusForbidden, "Sign in to that account first", "/signin")
			victim.post(link).is(t, http.StatusForbidden, "Sign in to that account first")
			if _, err := h.app.Users.Find(t.Context(), "victim@home.example"); err == nil {
				t.Fatal("the victim put the address to Eve's account")
			}
			h.user("victim@home.example")
			h.browser().signIn("victim@home.example")
		})
	}
}

// The same subject at another server is somebody else.
func TestAnUpstreamThatMovedOpensNoAccountOfTheOldOne(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, trusted)
	h.user("mara@home.example")
	signsIn(up, "sub", "1", "email", "mara@home.example", "email_verified", true)
	h.browser().with("school").goesTo(t, "/account")
	a := h.accounts("mara@home.example")[0]
	a.Issuer = "https://old.example"
	err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error { return tx.UseAccount(a, h.Now()) })
	if err != nil {
		t.Fatal(err)
	}
	h.browser().with("school").is(t, http.StatusForbidden, "has changed")
}

// A browser that is left alone is signed in at GitHub too: what asks nobody
// confirms nothing, where there is another way.
func TestAnUpstreamThatAsksNobodyConfirmsNothing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		kind   string
		claims []any
		button bool
	}{
		"OAuth 2.0":                         {"oauth2", nil, false},
		"Google, which does not tell":       {"google", nil, false},
		"OpenID that does not tell":         {"oidc", nil, true},
		"OpenID that asked an hour ago":     {"oidc", []any{"auth_time", int64(-3600)}, true},
		"OpenID that says it as text, once": {"oidc", []any{"auth_time", "now"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, func(u *config.Upstream) {
				if u.Kind = tt.kind; u.Kind == "oauth2" {
					u.AuthURL, u.TokenURL, u.UserinfoURL, u.Issuer = u.Issuer+"/authorize", u.Issuer+"/token", u.Issuer+"/userinfo", ""
				}
			})
			h.user("mara@home.example")
			signsIn(up, "sub", "1")
			b := h.browser()
			b.signIn("mara@home.example")
			b.link("school").goesTo(t, "/account")
			h.pass(11 * time.Minute)
			b.get("/account/password").goesTo(t, "/account/confirm")
			page := b.get("/account/confirm")
			if got := strings.Contains(page.body, `value="school"`); got != tt.button {
				t.Fatalf("offered: %v, want %v", got, tt.button)
			}
			if !tt.button {
				b.post("/account/confirm", "upstream", "school").is(t, http.StatusNotFound)
				return
			}
			claims := append([]any{"sub", "1"}, tt.claims...)
			if ago, ok := claims[len(claims)-1].(int64); ok {
				claims[len(claims)-1] = h.Now().Unix() + ago
			}
			signsIn(up, claims...)
			b.get(b.visit(b.post("/account/confirm", "upstream", "school").wayOn(t))).is(t, http.StatusForbidden, "did not ask you again")
			b.get("/account/password").goesTo(t, "/account/confirm")
		})
	}
}

// Whoever has nothing but such an upstream is not locked out of their own account.
func TestAnUpstreamThatSaysNoTimeConfirmsWhereItIsTheOnlyMethod(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, func(u *config.Upstream) { welcome(u); u.Kind = "google" })
	signsIn(up, "sub", "1", "name", "Ana")
	b := h.browser()
	b.with("school").goesTo(t, "/signin/connect")
	b.post("/signin/connect").goesTo(t, "/account?welcome")
	h.pass(11 * time.Minute)
	b.get("/account/confirm").is(t, 200, `value="school"`)
	signsIn(up, "sub", "1", "auth_time", h.Now().Add(-time.Hour).Unix())
	b.get(b.visit(b.post("/account/confirm", "upstream", "school").wayOn(t))).is(t, http.StatusForbidden, "did not ask you again")
	signsIn(up, "sub", "1")
	b.get(b.visit(b.post("/account/confirm", "upstream", "school").wayOn(t))).goesTo(t, "/account")
	b.post("/account/methods/link", "upstream", "school").wayOn(t)
}
