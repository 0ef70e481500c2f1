package web_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/factor/password"
	"gatelodge/app/people"
	"gatelodge/store"
)

// imported adds a user who came from another system, where nobody had proved the
// address, with a password and an account at the upstream "school".
func (h *testServer) imported(email, subject string) store.User {
	h.t.Helper()
	clear, err := password.Read(goodPassword)
	if err != nil {
		h.t.Fatal(err)
	}
	hash, err := h.app.Login.Passwords.Hash(h.t.Context(), clear)
	if err != nil {
		h.t.Fatal(err)
	}
	now := h.Now()
	u := store.User{ID: "old-" + email, Email: email, EmailNorm: email, CreatedAt: now, UpdatedAt: now}
	err = h.app.DB.Update(h.t.Context(), func(tx *store.Tx) error {
		return errors.Join(
			tx.AddUser(u),
			tx.SetPassword(store.Password{UserID: u.ID, Hash: hash, ChangedAt: now}),
			tx.AddAccount(store.Account{ID: "a-" + u.ID, UserID: u.ID, Provider: "school", Subject: subject, Type: "oidc", CreatedAt: now}),
			tx.AddPasskey(store.Passkey{CredentialID: []byte(u.ID), UserID: u.ID, PublicKey: []byte("k"), CreatedAt: now}),
			h.app.Audit.Record(tx, operator(), audit.UserImported, audit.ByAdmin, u.ID, email),
		)
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.pass(time.Minute)
	return u
}

// hasWays checks whether the password and the account at the upstream still open it.
func (h *testServer) hasWays(u store.User, want bool) {
	h.t.Helper()
	err := h.app.DB.View(h.t.Context(), func(tx *store.Tx) error {
		_, err := tx.PasswordOf(u.ID)
		if has := err == nil; has != want {
			h.t.Errorf("has a password: %v, want %v", has, want)
		}
		accounts, err := tx.AccountsOf(u.ID)
		if err != nil {
			return err
		}
		passkeys, err := tx.PasskeysOf(u.ID)
		if len(accounts) > 0 != want || len(passkeys) > 0 != want {
			h.t.Errorf("%d accounts and %d passkeys, want %v", len(accounts), len(passkeys), want)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// Classic-federated merge, unexpired session, trojan identifier: a stranger had an
// account with the victim's address in the system that was taken over. They come
// here first and settle in. Whatever mail shows who the owner is, nothing of theirs
// is left.
func TestWhoPreparedAnImportedAccountLosesItToTheOwnerOfTheAddress(t *testing.T) {
	t.Parallel()
	for name, proves := range map[string]func(*testing.T, *testServer, *browser){
		"a link": func(t *testing.T, h *testServer, b *browser) {
			b.signIn("victim@home.example")
			b.get("/account").is(t, 200, "Earlier ways to sign in were removed", "alert-warn")
		},
		"a code": func(t *testing.T, h *testServer, b *browser) {
			m := b.ask("victim@home.example")
			b.post("/signin/code", "code", codeIn(t, m)).goesTo(t, "/account")
		},
		"a link that another browser asked for": func(t *testing.T, h *testServer, b *browser) {
			b.post(b.path(h.browser().ask("victim@home.example"))).goesTo(t, "/account")
		},
		"a new password": func(t *testing.T, h *testServer, b *browser) {
			b.post("/signin/forgot", "identifier", "victim@home.example").goesTo(t, "/signin/forgot?sent=1")
			b.post(b.path(h.letter("reset")), "password", "nine walnuts beneath the awning").goesTo(t, "/signin")
		},
		"not me, of an address that was added": func(t *testing.T, h *testServer, b *browser) {
			b.post(b.path(h.lettersTo("email_added", "victim@home.example", 1)[0])).is(t, http.StatusSeeOther)
		},
		"not me, of a new browser": func(t *testing.T, h *testServer, b *browser) {
			b.post(b.path(h.lettersTo("new_device", "victim@home.example", 1)[0])).is(t, http.StatusSeeOther)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, nil)
			u := h.imported("victim@home.example", "stranger")
			signsIn(up, "sub", "stranger")
			stranger, again := h.browser(), h.browser()
			stranger.with("school").goesTo(t, "/account")
			h.pass(time.Minute)
			again.tryPassword("victim@home.example", goodPassword).goesTo(t, "/account")
			again.addEmail("stranger@evil.example")
			h.hasWays(u, true)

			proves(t, h, h.browser())
			for _, b := range []*browser{stranger, again} {
				if b.who() != "" {
					t.Error("the stranger is still in")
				}
			}
			h.isOwnedBy(u, "victim@home.example")
			if h.browser().tryPassword("victim@home.example", goodPassword).StatusCode == http.StatusSeeOther {
				t.Error("the stranger's password still opens it")
			}
			if len(h.accounts("victim@home.example")) != 0 {
				t.Error("the stranger's account elsewhere still opens it")
			}
			stranger.with("school").goesTo(t, "/signin/connect")
			if h.eventsOf(u.ID)[audit.Claimed] != 1 {
				t.Error("it is not written down")
			}
			if name == "a link" {
				if m := h.letter("claimed"); m.Rcpt != "victim@home.example" {
					t.Errorf("%s was told", m.Rcpt)
				}
			}
		})
	}
}

// The stranger makes an address of theirs the main one first, and removes the one that
// nobody has proved.
func TestAnAddressNobodyProvedIsTakenBackWithTheWholeAccount(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		removes bool
		proves  func(*testing.T, *testServer, *browser)
	}{
		"by a link": {false, func(t *testing.T, h *testServer, b *browser) { b.signIn("victim@home.example") }},
		"by a trusted upstream": {false, func(t *testing.T, h *testServer, b *browser) {
			b.with("school").goesTo(t, "/account")
		}},
		"by the mail about the change": {true, func(t *testing.T, h *testServer, b *browser) {
			b.post(b.path(h.lettersTo("email_changed", "victim@home.example", 2)[1])).is(t, http.StatusSeeOther)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, trusted)
			u := h.imported("victim@home.example", "stranger")
			stranger := h.browser()
			stranger.tryPassword("victim@home.example", goodPassword).goesTo(t, "/account")
			stranger.moves("stranger@evil.example")
			if tt.removes {
				stranger.post("/account/emails/remove", "email", "victim@home.example").goesTo(t, "/account/emails")
			}
			signsIn(up, "sub", "victim", "email", "victim@home.example", "email_verified", true)
			tt.proves(t, h, h.browser())
			h.isOwnedBy(u, "victim@home.example")
			if stranger.who() != "" {
				t.Error("the stranger is still in")
			}
			for _, a := range h.accounts("victim@home.example") {
				if a.Subject == "stranger" {
					t.Error("the stranger's account elsewhere still opens it")
				}
			}
			if _, err := h.app.Users.Find(t.Context(), "stranger@evil.example"); !errors.Is(err, people.ErrUnknown) {
				t.Errorf("the stranger's address still leads there: %v", err)
			}
		})
	}
}

// Who uses here what they brought along keeps it when they prove the address in the
// same browser, whether or not they are signed in at that moment.
func TestWhoUsesWhatTheyBroughtAlongKeepsIt(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(*browser){
		"signed in":  func(*browser) {},
		"signed out": func(b *browser) { b.post("/signout") },
		"at a shared computer": func(b *browser) {
			b.post("/signout")
			b.post("/signin/forget")
			b.post("/signin", "identifier", "mara@home.example", "method", "password").goesTo(b.t, "/signin/password")
			b.post("/signin/password", "password", goodPassword, "keep", "0").goesTo(b.t, "/account")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, nil)
			u := h.imported("mara@home.example", "mara")
			signsIn(up, "sub", "mara")
			b := h.browser()
			b.with("school").goesTo(t, "/account")
			h.pass(11 * time.Minute)
			between(b)
			if b.who() == "" {
				b.signIn("mara@home.example")
			} else {
				b.get("/account").is(t, 200, "Your address is not confirmed yet", "mara@home.example")
				m := h.brings(func() { b.post("/account/confirm", "method", "mail").goesTo(t, "/signin/code") })
				b.get(b.path(m)).is(t, http.StatusSeeOther)
			}
			h.hasWays(u, true)
			if page := b.get("/account"); strings.Contains(page.body, "not confirmed yet") || strings.Contains(page.body, "was removed") {
				t.Errorf("the page says\n%s", page.body)
			}
			// From now on a link opened anywhere takes nothing.
			h.pass(11 * time.Minute)
			h.browser().signIn("mara@home.example")
			h.hasWays(u, true)
		})
	}
}

// A link of an operator's was not mailed: it proves no address, and takes nothing from
// whom it is given to.
func TestAnOperatorsLinkTakesNothingFromWhoWasImported(t *testing.T) {
	t.Parallel()
	h, _ := withUpstream(t, nil)
	u := h.imported("mara@home.example", "mara")
	link, _, err := h.app.Login.LinkFor(t.Context(), operator(), u)
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	b.post(strings.TrimPrefix(link, h.app.Config.Origin().String())).goesTo(t, "/account")
	h.hasWays(u, true)
	b.get("/account").is(t, 200, "not confirmed yet")
	h.browser().signIn("mara@home.example")
	h.hasWays(u, false)
}

// What an operator put into an account of their making is nobody else's.
func TestAPasswordThatAnOperatorGaveOutlivesTheFirstMail(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	h.browser().signIn("mara@home.example")
	h.browser().tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
}

// The one who sets the server up may have an account among those that were taken over.
// Whoever has its other ways must not become an admin by that.
func TestWhoPreparedTheAccountOfTheFirstAdminIsNone(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, nil)
	u := h.imported("victim@home.example", "stranger")
	signsIn(up, "sub", "stranger")
	stranger := h.browser()
	stranger.with("school").goesTo(t, "/account")
	code, err := h.app.Users.SetUpCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	admin := h.browser()
	admin.post("/setup", "setup_code", code, "email", "victim@home.example").is(t, http.StatusSeeOther)
	admin.get("/account").is(t, 200, "Earlier ways to sign in were removed")
	admin.get("/admin/people").is(t, 200)
	h.hasWays(u, false)
	if stranger.who() != "" {
		t.Error("the stranger is an admin")
	}
}
