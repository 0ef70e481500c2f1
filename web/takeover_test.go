package web_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/people"
	"gatelodge/store"
)

// letters returns the captured mails of a kind to an address, the newest first,
// once there are n.
func (h *testServer) lettersTo(purpose, to string, n int) (list []outbox.Message) {
	h.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		list = list[:0]
		for _, m := range h.mail(0) {
			if m.Purpose == purpose && m.Rcpt == to {
				list = append(list, m)
			}
		}
		if len(list) >= n {
			return list
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%d mails of kind %s to %s, want %d", len(list), purpose, to, n)
		}
	}
}

// moves makes an address that the browser's user adds the primary one.
func (b *browser) moves(to string) {
	b.t.Helper()
	b.h.pass(time.Second)
	b.addEmail(to)
	b.h.pass(time.Second)
	b.post("/account/emails/primary", "email", to).goesTo(b.t, "/account/emails")
}

// isOwnedBy checks which addresses lead to whoever had the first.
func (h *testServer) isOwnedBy(u store.User, primary string, others ...string) {
	h.t.Helper()
	err := h.app.DB.View(h.t.Context(), func(tx *store.Tx) error {
		now, err := tx.UserByID(u.ID)
		if err != nil {
			return err
		}
		emails, err := tx.EmailsOf(u.ID)
		var norms []string
		for _, e := range emails {
			if e.Norm != primary {
				norms = append(norms, e.Norm)
			}
		}
		if now.EmailNorm != primary || strings.Join(norms, " ") != strings.Join(others, " ") {
			h.t.Errorf("the account has %s and %v, want %s and %v", now.EmailNorm, norms, primary, others)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// The thief moves the account on from one address of theirs to another, so as to be
// mailed a link that takes back what the owner takes back.
func TestAThiefsOwnUndoLinkTakesNothingBack(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	u := h.user("mara@home.example")
	thief := h.browser()
	thief.signIn("mara@home.example")
	thief.moves("one@evil.example")
	thief.post("/account/emails/remove", "email", "mara@home.example").goesTo(t, "/account/emails")
	thief.moves("two@evil.example")
	thief.post("/account/emails/remove", "email", "one@evil.example").goesTo(t, "/account/emails")

	owner := h.browser()
	owner.post(owner.path(h.lettersTo("email_changed", "mara@home.example", 2)[0]))
	h.isOwnedBy(u, "mara@home.example")
	for _, m := range append(h.lettersTo("email_changed", "one@evil.example", 2), h.letter("email_added")) {
		thief.post(thief.path(m)).is(t, http.StatusGone)
	}
	h.isOwnedBy(u, "mara@home.example")
	if thief.who() != "" {
		t.Error("the thief is in")
	}
}

// The thief who is first takes back nothing either: the older link is the owner's.
func TestAThiefWhoUndoesFirstLosesToTheOwner(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	u := h.user("mara@home.example")
	thief := h.browser()
	thief.signIn("mara@home.example")
	thief.moves("one@evil.example")
	thief.moves("two@evil.example")
	thief.post(thief.path(h.lettersTo("email_changed", "one@evil.example", 1)[0]))
	owner := h.browser()
	owner.post(owner.path(h.lettersTo("email_changed", "mara@home.example", 1)[0]))
	h.isOwnedBy(u, "mara@home.example")
}

// The thief adds a spare address before they move the account: the newest of the
// owner's mails takes that back too.
func TestASpareAddressOfAThiefGoesToo(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	u := h.user("mara@home.example")
	mine := h.browser()
	mine.signIn("mara@home.example")
	mine.addEmail("mara@work.example")
	h.pass(8 * 24 * time.Hour)
	thief := h.browser()
	thief.signIn("mara@home.example")
	thief.addEmail("spare@evil.example")
	thief.moves("one@evil.example")
	owner := h.browser()
	owner.post(owner.path(h.lettersTo("email_changed", "mara@home.example", 1)[0]))
	h.isOwnedBy(u, "mara@home.example", "mara@work.example")
	if _, err := h.app.Users.Find(t.Context(), "spare@evil.example"); !errors.Is(err, people.ErrUnknown) {
		t.Errorf("the spare address still leads there: %v", err)
	}
}

// Closing the stolen account must not erase it while its owner takes it back.
func TestAStolenAccountThatWasClosedIsTakenBackWhole(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	u := h.user("mara@home.example")
	thief := h.browser()
	thief.signIn("mara@home.example")
	thief.moves("one@evil.example")
	thief.post("/account/close", "confirm", "one@evil.example").is(t, 200)
	owner := h.browser()
	owner.post(owner.path(h.lettersTo("email_changed", "mara@home.example", 1)[0]))
	h.pass(8 * 24 * time.Hour)
	if n, err := h.app.Users.EraseDue(t.Context(), app.Operator()); n != 0 || err != nil {
		t.Errorf("%d were erased, %v", n, err)
	}
	owner.signIn("mara@home.example")
	h.isOwnedBy(u, "mara@home.example")
}

// Who says "this was not me" may never come to the page that asks for another
// password.
func TestAThiefsPasswordIsVoidBeforeAnotherIsChosen(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	mine, thief, again := h.browser(), h.browser(), h.browser()
	mine.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	h.pass(time.Minute)
	thief.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	link := mine.path(h.letter("new_device"))
	h.pass(time.Minute)
	again.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")

	a := h.browser().post(link)
	for _, b := range []*browser{thief, again} {
		if b.who() != "" {
			t.Error("the thief is still in")
		}
		h.pass(time.Minute)
		b.tryPassword("mara@home.example", goodPassword).is(t, 422)
	}
	mine.isSignedInAs("mara@home.example")
	mine.post(a.Header.Get("Location"), "password", "nine walnuts beneath the awning").goesTo(t, "/signin")
}

// Whoever was signed out is unknown again, and reported when they sign in again.
func TestAReturningThiefIsReportedAgain(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.user("mara@home.example")
	mine, thief := h.browser(), h.browser()
	mine.signIn("mara@home.example")
	h.pass(11 * time.Minute)
	thief.signIn("mara@home.example")
	link := mine.path(h.lettersTo("new_device", "mara@home.example", 1)[0])
	mine.post(link)
	h.pass(11 * time.Minute)
	thief.signIn("mara@home.example")
	h.lettersTo("new_device", "mara@home.example", 2)
}

// A link that waits in a mailbox which is not the user's any more opens nothing,
// whatever it was made for.
func TestALinkForAnAppAtARemovedAddressIsVoid(t *testing.T) {
	t.Parallel()
	h := wiki(t, "v5", "")
	b := h.browser()
	b.signIn("mara@home.example")
	b.addEmail("old@work.example")
	c := h.browser().authjs("v5")
	link := c.mailed("old@work.example")
	b.post("/account/emails/remove", "email", "old@work.example").goesTo(t, "/account/emails")
	if a := c.get(link); a.StatusCode != http.StatusFound || !strings.Contains(a.Header.Get("Location"), "error=Verification") {
		t.Errorf("got %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
}

// connects makes an identity at an upstream a way in to the account.
func (h *testServer) connects(u store.User, provider, subject string) {
	h.t.Helper()
	h.pass(time.Second)
	a := store.Account{ID: store.NewID(h.Now()), UserID: u.ID, Provider: provider, Type: "oidc", Subject: subject, CreatedAt: h.Now()}
	if err := h.app.DB.Update(h.t.Context(), func(tx *store.Tx) error { return tx.AddAccount(a) }); err != nil {
		h.t.Fatal(err)
	}
}

// The letter about what a thief connects goes to the thief's own address by then. The
// newest of the owner's mails takes that back too.
func TestAnUpstreamAThiefConnectedUnseenGoesByTheNewestMail(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	u := h.user("mara@home.example")
	thief := h.browser()
	thief.signIn("mara@home.example")
	thief.moves("one@evil.example")
	h.connects(u, "google", "thief")
	h.pass(time.Second)
	thief.post("/account/emails/remove", "email", "mara@home.example").goesTo(t, "/account/emails")
	owner := h.browser()
	owner.post(owner.path(h.lettersTo("email_changed", "mara@home.example", 2)[0]))
	h.isOwnedBy(u, "mara@home.example")
	err := h.app.DB.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.AccountsOf(u.ID)
		if len(list) > 0 {
			t.Errorf("the thief still has %+v", list)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A mailbox that somebody has left may take back its removal for a week, but takes
// nothing away that was there before, and the owner is told.
func TestAnAddressThatWasLeftTakesNoOlderOneAway(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	u := h.user("mara@home.example")
	owner := h.browser()
	owner.signIn("mara@home.example")
	owner.addEmail("mara@work.example")
	h.pass(30 * 24 * time.Hour)
	owner = h.browser()
	owner.signIn("mara@home.example")
	owner.post("/account/emails/remove", "email", "mara@work.example").goesTo(t, "/account/emails")
	employer := h.browser()
	employer.post(employer.path(h.lettersTo("email_changed", "mara@work.example", 1)[0]))
	h.isOwnedBy(u, "mara@work.example", "mara@home.example")
	// And takes it back.
	owner.post(owner.path(h.lettersTo("email_changed", "mara@home.example", 1)[0]))
	h.isOwnedBy(u, "mara@home.example")
}

// Where links ask for more than a button, so do those that take something back: some
// mail scanners press buttons.
func TestAButtonAloneDoesNothingAtMailedLinks(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	u := h.user("mara@home.example")
	b := h.browser()
	b.signIn("mara@home.example")
	b.moves("mara@new.example")
	h.web.ConfirmCode = true
	owner := h.browser()
	link := owner.path(h.lettersTo("email_changed", "mara@home.example", 1)[0])
	owner.post(link).is(t, http.StatusUnprocessableEntity, "Tick the box")
	h.isOwnedBy(u, "mara@new.example", "mara@home.example")
	owner.post(link, "sure", "1")
	h.isOwnedBy(u, "mara@home.example")
}
