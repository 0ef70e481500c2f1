package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The attacker holds an imported account with the victim's unproven address and adds an
// address of their own. They forward a link that was mailed there. Once the victim
// proves the address, nothing of the attacker's is left, though the victim's browser had
// been signed in by that link.
func TestAForwardedLinkMakesNoBrowserTheAccountsOwn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		between func(*testServer, *browser)
		proves  func(*testServer, *browser)
	}{
		"still signed in": {
			func(*testServer, *browser) {}, func(h *testServer, b *browser) {
				m := h.brings(func() { b.post("/account/confirm", "method", "mail").goesTo(b.t, "/signin/code") })
				b.get(b.path(m)).is(b.t, http.StatusSeeOther)
			},
		},
		"signed out": {func(_ *testServer, b *browser) { b.post("/signout") }, func(_ *testServer, b *browser) { b.signIn("victim@home.example") }},
		"by a code": {func(_ *testServer, b *browser) { b.post("/signout") }, func(h *testServer, b *browser) {
			m := b.ask("victim@home.example")
			b.post("/signin/code", "code", codeIn(b.t, m)).goesTo(b.t, "/account")
		}},
		"by a new password": {func(*testServer, *browser) {}, func(h *testServer, b *browser) {
			b.post("/signin/forgot", "identifier", "victim@home.example").goesTo(b.t, "/signin/forgot?sent=1")
			b.post(b.path(h.letter("reset")), "password", "nine walnuts beneath the awning").goesTo(b.t, "/signin")
		}},
		"after a second link": {func(h *testServer, b *browser) {
			h.pass(11 * time.Minute)
			b.post(b.path(h.browser().ask("attacker@evil.example"))).goesTo(b.t, "/account")
		}, func(_ *testServer, b *browser) { b.post("/signout"); b.signIn("victim@home.example") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, nil)
			u := h.imported("victim@home.example", "stranger")
			signsIn(up, "sub", "stranger")
			attacker, victim := h.browser(), h.browser()
			attacker.tryPassword("victim@home.example", goodPassword).goesTo(t, "/account")
			attacker.addEmail("attacker@evil.example")
			h.pass(11 * time.Minute)
			link := victim.path(h.browser().ask("attacker@evil.example"))

			page := victim.get(link)
			page.is(t, http.StatusOK, "attacker@evil.example")
			if strings.Contains(page.body, "victim@home.example") {
				t.Error("the page shows the reader's own address")
			}
			victim.post(link).goesTo(t, "/account")
			h.hasWays(u, true)
			tt.between(h, victim)
			h.pass(11 * time.Minute)
			tt.proves(h, victim)
			if name != "by a new password" {
				h.hasWays(u, false)
			}
			h.isOwnedBy(u, "victim@home.example")
			if attacker.who() != "" {
				t.Error("the attacker is still in")
			}
			if h.browser().tryPassword("victim@home.example", goodPassword).StatusCode == http.StatusSeeOther {
				t.Error("the attacker's password still opens it")
			}
		})
	}
}

// The attacker forwards a link to choose a password that was mailed to them: the page
// names their address, not the reader's.
func TestAForwardedResetNamesTheAddressThatWasMailed(t *testing.T) {
	t.Parallel()
	h, _ := withUpstream(t, nil)
	h.imported("victim@home.example", "stranger")
	attacker := h.browser()
	attacker.tryPassword("victim@home.example", goodPassword).goesTo(t, "/account")
	attacker.addEmail("attacker@evil.example")
	attacker.post("/signin/forgot", "identifier", "attacker@evil.example").goesTo(t, "/signin/forgot?sent=1")
	page := h.browser().get(attacker.path(h.letter("reset")))
	page.is(t, http.StatusOK, "attacker@evil.example")
	if strings.Contains(page.body, "victim@home.example") {
		t.Error("the page shows the reader's own address")
	}
}

// The attacker made an account without an address and has the victim's put to it; then
// they add an address of their own, so that the account has one when the victim opens
// the mail. Even a browser that a forwarded link has signed in does not confirm it.
func TestAFirstAddressIsConfirmedByTheAccountsOwnBrowsersWhateverCameSince(t *testing.T) {
	t.Parallel()
	h, attacker := ana(t)
	victim := h.browser()
	attacker.post("/account/emails", "email", "victim@home.example").goesTo(t, "/account/emails")
	mail := victim.path(h.lettersTo("confirm_email", "victim@home.example", 1)[0])
	victim.get(mail).is(t, http.StatusForbidden)
	attacker.post("/account/emails", "email", "attacker@evil.example").goesTo(t, "/account/emails")
	attacker.post(attacker.path(h.lettersTo("confirm_email", "attacker@evil.example", 1)[0])).goesTo(t, "/account/emails")

	victim.get(mail).is(t, http.StatusForbidden)
	victim.post(mail).is(t, http.StatusForbidden)
	h.pass(11 * time.Minute)
	victim.post(victim.path(h.browser().ask("attacker@evil.example"))).goesTo(t, "/account")
	victim.post(mail).is(t, http.StatusForbidden)
	if page := attacker.get("/account/emails"); !strings.Contains(page.body, "victim@home.example") || strings.Contains(page.body, "first") {
		t.Errorf("what waits is shown as\n%s", page.body)
	}
	// The account's own browser still does.
	attacker.post(mail).goesTo(t, "/account/emails")
	attacker.get("/account/emails").is(t, http.StatusOK, "victim@home.example")
}
