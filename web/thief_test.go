package web_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"gatelodge/app/people"
	"gatelodge/store"
)

// A thief who was in for a moment leaves addresses behind: one that waits, one that
// was added, and one that is the main one by now. Whatever mail its owner answers
// with "this was not me", none of them opens the account afterwards.
func TestNoAddressOfAThiefOutlivesTheLetterThatSaysNotMe(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		letter string
		does   func(*testing.T, *testServer, *browser)
	}{
		"a new browser": {"new_device", func(*testing.T, *testServer, *browser) {}},
		"a password": {"password_changed", func(t *testing.T, h *testServer, thief *browser) {
			thief.post("/account/password", "password", goodPassword, "keep", "1").goesTo(t, "/account")
		}},
		"a password that is gone": {"password_changed", func(t *testing.T, h *testServer, thief *browser) {
			thief.post("/account/password", "password", goodPassword, "keep", "1").goesTo(t, "/account")
			h.pass(time.Second)
			thief.post("/account/password/remove").goesTo(t, "/account")
		}},
		"an account elsewhere": {"linked", func(t *testing.T, h *testServer, thief *browser) {
			thief.link("school").goesTo(t, "/account")
		}},
		"an account elsewhere that is gone": {"linked", func(t *testing.T, h *testServer, thief *browser) {
			thief.link("school").goesTo(t, "/account")
			h.pass(time.Second)
			thief.post("/account/methods/unlink", "account", h.accounts("mara@home.example")[0].ID).goesTo(t, "/account")
		}},
		"an address": {"email_added", func(t *testing.T, h *testServer, thief *browser) { thief.addEmail("first@evil.example") }},
		"another main address": {"email_changed", func(t *testing.T, h *testServer, thief *browser) {
			thief.moves("first@evil.example")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, nil)
			u := h.user("mara@home.example")
			owner, thief := h.browser(), h.browser()
			owner.signIn("mara@home.example")
			owner.addEmail("mara@work.example")
			h.lettersTo("email_added", "mara@home.example", 1)
			h.pass(8 * 24 * time.Hour) // nothing of it can be taken back any more
			before := len(h.lettersTo(tt.letter, "mara@home.example", 0))
			thief.signIn("mara@home.example")
			signsIn(up, "sub", "thief")
			tt.does(t, h, thief)
			link := owner.path(h.lettersTo(tt.letter, "mara@home.example", before+1)[0])

			h.pass(time.Second)
			thief.addEmail("spare@evil.example")
			thief.moves("main@evil.example")
			thief.post("/account/emails", "email", "late@evil.example").goesTo(t, "/account/emails")
			late := thief.path(h.lettersTo("confirm_email", "late@evil.example", 1)[0])

			h.pass(time.Second)
			if a := h.browser().post(link); a.StatusCode != http.StatusSeeOther {
				t.Fatalf("got %d\n%s", a.StatusCode, a.body)
			}
			if thief.who() != "" {
				t.Error("the thief is still in")
			}
			thief.post(late).is(t, http.StatusGone)
			h.isOwnedBy(u, "mara@home.example", "mara@work.example")
			for _, email := range []string{"first@evil.example", "spare@evil.example", "main@evil.example", "late@evil.example"} {
				if _, err := h.app.Users.Find(t.Context(), email); !errors.Is(err, people.ErrUnknown) {
					t.Errorf("%s leads there: %v", email, err)
				}
			}
			// Nor does what the thief was mailed about their own changes.
			for _, m := range h.mail(1) {
				if m.Rcpt == "spare@evil.example" || m.Rcpt == "main@evil.example" {
					thief.post(thief.path(m)).is(t, http.StatusGone)
				}
			}
			h.isOwnedBy(u, "mara@home.example", "mara@work.example")
		})
	}
}

// The address has gone over to another account meanwhile: who says "not me" there is
// still heard.
func TestNotMeIsHeardThoughTheAddressIsAnothersByNow(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	u := h.user("mara@home.example")
	owner, thief := h.browser(), h.browser()
	owner.signIn("mara@home.example")
	h.pass(11 * time.Minute)
	thief.signIn("mara@home.example")
	link := owner.path(h.lettersTo("new_device", "mara@home.example", 1)[0])
	thief.moves("main@evil.example")
	thief.post("/account/emails/remove", "email", "mara@home.example").goesTo(t, "/account/emails")
	h.user("mara@home.example")
	owner.post(link).is(t, http.StatusSeeOther)
	if thief.who() != "" {
		t.Error("the thief is still in")
	}
	h.isOwnedBy(u, "main@evil.example")
}

// Unexpired email change: an address that waits dies with whatever changes what opens
// the account.
func TestAWaitingAddressDiesWithAnyChangeOfWhatOpensTheAccount(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T, *testServer, *browser){
		"a password": func(t *testing.T, h *testServer, b *browser) {
			b.post("/account/password", "password", "nine walnuts beneath the awning").goesTo(t, "/account")
		},
		"no password": func(t *testing.T, h *testServer, b *browser) {
			b.post("/account/password/remove").goesTo(t, "/account")
		},
		"a reset": func(t *testing.T, h *testServer, b *browser) {
			b.post("/signin/forgot", "identifier", "mara@home.example").goesTo(t, "/signin/forgot?sent=1")
			b.post(b.path(h.letter("reset")), "password", "nine walnuts beneath the awning").goesTo(t, "/signin")
		},
		"an account elsewhere": func(t *testing.T, h *testServer, b *browser) { b.link("school").goesTo(t, "/account") },
		"one account fewer": func(t *testing.T, h *testServer, b *browser) {
			b.post("/account/methods/unlink", "account", h.accounts("mara@home.example")[0].ID).goesTo(t, "/account")
		},
		"another main address": func(t *testing.T, h *testServer, b *browser) {
			b.post("/account/emails/primary", "email", "mara@work.example").goesTo(t, "/account/emails")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, up := withUpstream(t, nil)
			h.withPassword("mara@home.example", goodPassword)
			b := h.browser()
			b.signIn("mara@home.example")
			signsIn(up, "sub", "1")
			b.addEmail("mara@work.example")
			if name == "one account fewer" {
				b.link("school").goesTo(t, "/account")
			}
			b.post("/account/emails", "email", "late@evil.example").goesTo(t, "/account/emails")
			late := b.path(h.lettersTo("confirm_email", "late@evil.example", 1)[0])
			h.browser().get(late).is(t, 200)
			change(t, h, b)
			h.browser().post(late).is(t, http.StatusGone, "was cancelled")
			if _, err := h.app.Users.Find(t.Context(), "late@evil.example"); !errors.Is(err, people.ErrUnknown) {
				t.Errorf("it leads there: %v", err)
			}
		})
	}
}

// What was asked for and taken back stands in the history.
func TestWhoAskedForAnAddressIsWrittenDown(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	b.signIn("mara@home.example")
	b.post("/account/emails", "email", "mara@new.example").goesTo(t, "/account/emails")
	b.post("/account/emails/cancel", "email", "mara@new.example").goesTo(t, "/account/emails")
	b.get("/account/history").is(t, 200, "A confirmation link was mailed to mara@new.example", "The confirmation of mara@new.example was cancelled")
}

// eventsOf returns the kinds of what happened to a user.
func (h *testServer) eventsOf(userID string) map[string]int {
	h.t.Helper()
	h.app.Audit.Flush()
	kinds := make(map[string]int)
	err := h.app.DB.View(h.t.Context(), func(tx *store.Tx) error {
		events, err := tx.EventsOf(userID, 1000)
		for _, e := range events {
			kinds[e.Kind]++
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return kinds
}
