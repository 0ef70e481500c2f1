package web_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/secret"
	"gatelodge/store"
)

// copyOf returns a browser with a copy of all cookies of b, as they are now.
func (b *browser) copyOf() *browser {
	b.t.Helper()
	at, err := url.Parse(b.h.url)
	if err != nil {
		b.t.Fatal(err)
	}
	other := b.h.browser()
	other.client.Jar.SetCookies(at, b.client.Jar.Cookies(at))
	return other
}

// isOut checks that a copied cookie opens nothing: not a page, and above all not the
// form that sets a password.
func (b *browser) isOut() {
	b.t.Helper()
	b.post("/account/password", "password", "nine walnuts beneath the awning").goesTo(b.t, "/signin")
	b.get("/account").goesTo(b.t, "/signin")
	if who := b.who(); who != "" {
		b.t.Errorf("the copied cookie is signed in as %s", who)
	}
}

// The attacker copied the cookie before its owner confirmed that it is them, by any
// means, and waits to be as fresh as they are.
func TestACopiedCookieIsNotFreshAfterItsOwnerConfirms(t *testing.T) {
	t.Parallel()
	for name, confirm := range map[string]func(*testServer, *browser, func(...any)){
		"with a password": func(h *testServer, b *browser, _ func(...any)) {
			b.post("/account/confirm", "password", goodPassword).goesTo(b.t, "/account/password")
		},
		"with a code": func(h *testServer, b *browser, _ func(...any)) {
			m := h.brings(func() { b.post("/account/confirm", "method", "mail").goesTo(b.t, "/signin/code") })
			b.post("/signin/code", "code", codeIn(b.t, m)).goesTo(b.t, "/account/password")
		},
		"with a link": func(h *testServer, b *browser, _ func(...any)) {
			m := h.brings(func() { b.post("/account/confirm", "method", "mail").goesTo(b.t, "/signin/code") })
			b.get(b.path(m)).goesTo(b.t, "/account/password")
		},
		"with a provider": func(h *testServer, b *browser, claims func(...any)) {
			to := b.post("/account/confirm", "upstream", "school").wayOn(b.t)
			claims("sub", "1", "auth_time", h.Now().Unix())
			b.get(b.visit(to)).goesTo(b.t, "/account/password")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, nil)
			h.withPassword("mara@home.example", goodPassword)
			owner := h.browser()
			owner.signIn("mara@home.example")
			claims := func(pairs ...any) { signsIn(up, pairs...) }
			claims("sub", "1")
			owner.link("school").goesTo(t, "/account")
			h.pass(11 * time.Minute)
			thief := owner.copyOf()
			owner.get("/account/password").goesTo(t, "/account/confirm")
			confirm(h, owner, claims)
			thief.isOut()
			owner.get("/account/password").is(t, http.StatusOK)
			owner.isSignedInAs("mara@home.example")
		})
	}
}

// The attacker copied the cookie of somebody who is fresh, who then changes how their
// account is opened, or ends what others have of it.
func TestACopiedCookieDiesWithEveryChangeOfAWayToSignIn(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testServer, *browser){
		"set a password": func(h *testServer, b *browser) {
			b.post("/account/password", "password", goodPassword+"!", "keep", "1")
		},
		"remove the password": func(h *testServer, b *browser) { b.post("/account/password/remove") },
		"connect":             func(h *testServer, b *browser) { b.link("school") },
		"disconnect": func(h *testServer, b *browser) {
			b.post("/account/methods/unlink", "account", h.accounts("mara@home.example")[0].ID)
		},
		"ask for another address": func(h *testServer, b *browser) { b.post("/account/emails", "email", "third@home.example") },
		"cancel an address":       func(h *testServer, b *browser) { b.post("/account/emails/cancel", "email", "late@home.example") },
		"confirm an address": func(h *testServer, b *browser) {
			b.post(b.path(h.lettersTo("confirm_email", "late@home.example", 1)[0])).goesTo(b.t, "/account/emails")
		},
		"another main address": func(h *testServer, b *browser) { b.post("/account/emails/primary", "email", "mara@work.example") },
		"remove an address":    func(h *testServer, b *browser) { b.post("/account/emails/remove", "email", "mara@work.example") },
		"another username":     func(h *testServer, b *browser) { b.post("/account/profile", "name", "Mara", "username", "mara") },
		"sign the others out":  func(h *testServer, b *browser) { b.post("/account/end-others") },
		"end another device":   func(h *testServer, b *browser) { b.post("/account/devices/other/end") },
		"forget a browser":     func(h *testServer, b *browser) { b.post("/account/browsers/forget", "browser", "00") },
		"change themselves as admin": func(h *testServer, b *browser) {
			u, err := h.app.Users.Find(b.t.Context(), "mara@home.example")
			if err != nil {
				b.t.Fatal(err)
			}
			b.post("/admin/people/"+u.ID+"/leave").goesTo(b.t, "/admin/people/"+u.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, nil)
			u := h.withPassword("mara@home.example", goodPassword)
			h.user("admin@home.example")
			if err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error { return tx.SetAdmin(u.ID, true, h.Now()) }); err != nil {
				t.Fatal(err)
			}
			owner := h.browser()
			owner.signIn("mara@home.example")
			owner.addEmail("mara@work.example")
			signsIn(up, "sub", "0")
			if name == "disconnect" {
				owner.link("school").goesTo(t, "/account")
			}
			owner.post("/account/emails", "email", "late@home.example").goesTo(t, "/account/emails")
			h.pass(time.Minute)

			thief := owner.copyOf()
			change(h, owner)
			thief.isOut()
			if owner.who() == "" {
				t.Fatal("the owner is signed out")
			}
			owner.get("/account/password").is(t, http.StatusOK) // still fresh
			if h.eventsOf(u.ID)[audit.SignedIn] != 1 {
				t.Error("it began another session")
			}
		})
	}
}

// The attacker holds nothing: what the owner's apps have of the session must not end
// when its token is replaced.
func TestAnAppStaysSignedInWhenTheSessionGetsANewToken(t *testing.T) {
	t.Parallel()
	h := wiki(t, "v5", "")
	b := h.browser()
	b.signIn("mara@home.example")
	app := h.appOf(b)
	b.post("/account/password", "password", goodPassword).goesTo(t, "/account")
	b.isSignedInAs("mara@home.example")
	if _, err := h.app.Sessions.ResumeApp(t.Context(), "wiki", app, func() string { return "" }); err != nil {
		t.Errorf("the App's share of the session is gone: %v", err)
	}
}

// appOf gives the App "wiki" its share of the one session of the browser's user.
func (h *testServer) appOf(b *browser) (token string) {
	h.t.Helper()
	u, err := h.app.Users.Find(h.t.Context(), b.who())
	if err != nil {
		h.t.Fatal(err)
	}
	err = h.app.DB.Update(h.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.SessionsOf(u.ID, h.Now())
		if err != nil {
			return err
		}
		token = secret.Token()
		hash, _ := secret.Hash(token)
		return tx.PutAppSession(store.AppSession{TokenHash: hash, App: "wiki", SessionID: rows[0].ID, CreatedAt: h.Now()})
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}
