package web_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/people"
	"gatelodge/store"
)

// ana comes by an upstream whose word for an address is not taken, and has none.
func ana(t *testing.T) (*testServer, *browser) {
	t.Helper()
	h, up := withUpstream(t, welcome)
	signsIn(up, "sub", "1", "name", "Ana")
	b := h.browser()
	b.with("school").goesTo(t, "/signin/connect")
	b.post("/signin/connect").goesTo(t, "/account?welcome")
	return h, b
}

var (
	emptyValue = regexp.MustCompile(`<strong>\s*</strong>|<dd>\s*</dd>|value="" tabindex|<p class="lede[^"]*">[^<]*, </p>|type  and|as \.`)
	promises   = regexp.MustCompile(`(?i)we mail(ed)? you|in the mail we`)
)

// Somebody without an address meets whole sentences, and none that promises a mail.
func TestNoSentenceHasAHoleForSomebodyWithoutAnAddress(t *testing.T) {
	t.Parallel()
	h, b := ana(t)
	whole := func(what string, a reply) {
		t.Helper()
		a.is(t, 200)
		if found := emptyValue.FindString(a.body); found != "" {
			t.Errorf("%s contains %q", what, found)
		}
		if found := promises.FindString(a.body); found != "" {
			t.Errorf("%s promises %q", what, found)
		}
	}
	page := b.get("/account?welcome")
	whole("the welcome", page)
	page.is(t, 200, "Next time, sign in the same way", "Ana", "Add an address", "You have only one way to sign in")
	for _, path := range []string{"/account", "/account/profile", "/account/emails", "/account/password", "/account/history", "/account/close", "/signout"} {
		whole(path, b.get(path))
	}
	b.get("/signout").is(t, 200, "You are signed in as <strong>Ana</strong>")

	b.post("/account/password", "password", goodPassword).goesTo(t, "/account")
	page = b.get("/account")
	whole("after a password was set", page)
	page.is(t, 200, "Password saved.", "no address or username to sign in with")
	b.post("/account/profile", "name", "Ana", "username", "ana").goesTo(t, "/account/profile")
	b.get("/account/password").is(t, 200, `value="ana"`)
	id := h.accountOf("school", "1").ID
	b.post("/account/methods/unlink", "account", id).goesTo(t, "/account")
	whole("after it was disconnected", b.get("/account"))
	b.link("school").goesTo(t, "/account")
	whole("after it was connected", b.get("/account"))
	b.post("/account/password/remove").goesTo(t, "/account")
	whole("after the password was removed", b.get("/account"))
	b.post("/account/close", "confirm", "ana").is(t, 200, "ask the operator of this server")
}

func (h *testServer) accountOf(provider, subject string) (a store.Account) {
	h.t.Helper()
	err := h.app.DB.View(h.t.Context(), func(tx *store.Tx) (err error) {
		a, err = tx.AccountBySubject(provider, subject)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// A password opens nothing without a name to type it with, so it is no other way in;
// and the name is one as long as nothing else is.
func TestAPasswordIsAWayInOnlyWithANameToTypeItWith(t *testing.T) {
	t.Parallel()
	h, b := ana(t)
	id := h.accountOf("school", "1").ID
	b.post("/account/password", "password", goodPassword).goesTo(t, "/account")
	b.post("/account/methods/unlink", "account", id).goesTo(t, "/account")
	b.get("/account").is(t, 200, "This is your last way to sign in", "alert-warn")
	if page := b.get("/account"); strings.Contains(page.body, "/account/methods/unlink") {
		t.Error("the last way can be removed")
	}
	// It can go itself: it opens nothing.
	b.get("/account/password").is(t, 200, "Remove the password")

	b.post("/account/profile", "username", "ana").goesTo(t, "/account/profile")
	b.post("/account/methods/unlink", "account", id).goesTo(t, "/account")
	b.get("/account").is(t, 200, "Account disconnected")
	b.post("/account/profile", "username", "").is(t, 422, "have no other way to sign in")
	b.post("/account/profile", "username", "anna").goesTo(t, "/account/profile")
	b.post("/account/password/remove").is(t, 422, "This is your last way to sign in")
	h.browser().tryPassword("anna", goodPassword).goesTo(t, "/account")

	// With an address the name is one of two, and may go.
	b.post("/account/emails", "email", "ana@home.example").goesTo(t, "/account/emails")
	b.post(b.path(h.letter("confirm_email"))).goesTo(t, "/account/emails")
	b.post("/account/profile", "username", "").goesTo(t, "/account/profile")
	h.browser().tryPassword("ana@home.example", goodPassword).goesTo(t, "/account")
}

// Somebody who has a username alone is welcomed back by it, and not offered a mail
// that would be refused.
func TestWhoHasAUsernameAloneIsOfferedNoMail(t *testing.T) {
	t.Parallel()
	_, b := ana(t)
	b.post("/account/password", "password", goodPassword).goesTo(t, "/account")
	b.post("/account/profile", "username", "ana").goesTo(t, "/account/profile")
	b.post("/signout")
	b.tryPassword("ana", goodPassword).goesTo(t, "/account")
	b.post("/signout")
	page := b.get("/signin")
	page.is(t, 200, "Welcome back", "Use my password")
	if strings.Contains(page.body, "Email me a link") {
		t.Error("a mail is offered")
	}
	b.post("/signin/known", "account", "0").goesTo(t, "/signin?other=1")
	b.post("/signin/known", "account", "0", "method", "password").goesTo(t, "/signin/password")
}

// Of two who are remembered, the second is led on by the way that works for them.
func TestASecondAccountIsLedOnByTheWayItHas(t *testing.T) {
	t.Parallel()
	h, b := ana(t)
	b.post("/account/password", "password", goodPassword).goesTo(t, "/account")
	b.post("/account/profile", "username", "ana").goesTo(t, "/account/profile")
	b.post("/signout")
	b.tryPassword("ana", goodPassword).goesTo(t, "/account")
	b.post("/signout")
	h.user("mara@home.example")
	b.signIn("mara@home.example")
	b.post("/signout")
	b.get("/signin").is(t, 200, `type="submit" name="method" value="password"><span class="tile round" aria-hidden="true">A</span>`)
}

// An invite that gives nothing any more is no success.
func TestARefusedInviteIsNotShownAsASuccess(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.user("mara@home.example")
	v, path := h.invites(people.Invitation{Uses: 1})
	b := h.browser()
	b.post(path, "as", "known").goesTo(t, "/signin?other=1")
	m := b.ask("mara@home.example")
	if err := h.app.Invites.Revoke(t.Context(), operator(), v.ID); err != nil {
		t.Fatal(err)
	}
	b.get(b.path(m)).goesTo(t, "/account")
	b.get("/account").is(t, 200, `<div class="alert alert-warn" role="alert">`, "was revoked")
}

// When somebody signed in stays what it was when they confirm that it is them.
func TestADeviceKeepsTheTimeOfItsSignIn(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	b := h.browser()
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	h.pass(3 * time.Hour)
	b.get("/account/password").goesTo(t, "/account/confirm")
	b.post("/account/confirm", "password", goodPassword).is(t, http.StatusSeeOther)
	b.get("/account").is(t, 200, "Signed in 3 hours ago")
}

// A browser that is forgotten is a stranger: its owner is told when it comes again.
func TestABrowserIsForgottenFromTheListOfThem(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	u := h.user("mara@home.example")
	h.user("eve@home.example")
	desk, phone, eve := h.browser(), h.browser(), h.browser()
	phone.headers["User-Agent"] = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
	phone.signIn("mara@home.example")
	h.pass(11 * time.Minute)
	desk.signIn("mara@home.example")
	eve.signIn("eve@home.example")
	h.lettersTo("new_device", "mara@home.example", 1)
	page := desk.get("/account")
	page.is(t, 200, "Remembered browsers", "This browser")
	found := regexp.MustCompile(`name="browser" value="([0-9a-f]{64})">Forget<span class="vh"> Chrome on Android`).FindStringSubmatch(page.body)
	if found == nil {
		t.Fatalf("the phone is not among them:\n%s", page.body)
	}
	eve.post("/account/browsers/forget", "browser", found[1]).goesTo(t, "/account") // not hers: nothing happens
	phone.post("/signout")
	phone.get("/signin").is(t, 200, "Welcome back")
	desk.post("/account/browsers/forget", "browser", "zz").is(t, 404)
	desk.post("/account/browsers/forget", "browser", found[1]).goesTo(t, "/account")
	page = desk.get("/account")
	page.is(t, 200, "Browser forgotten.")
	if strings.Contains(page.body, found[1]) {
		t.Error("it is still known")
	}
	if page := phone.get("/signin"); strings.Contains(page.body, "Welcome back") {
		t.Error("the phone still knows her")
	}
	if h.eventsOf(u.ID)[audit.BrowserGone] != 1 {
		t.Error("it is not written down")
	}
	h.pass(11 * time.Minute)
	phone.signIn("mara@home.example")
	h.lettersTo("new_device", "mara@home.example", 2)
	// As is a browser that forgets its people.
	phone.post("/signout")
	phone.post("/signin/forget").goesTo(t, "/signin")
	if h.eventsOf(u.ID)[audit.BrowserGone] != 2 {
		t.Error("it is not written down")
	}
}

// What people take along has everything that is kept of them.
func TestPeopleTakeAlongWhatWaitsAndWhatIsRemembered(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, nil)
	u := h.imported("mara@home.example", "mara")
	signsIn(up, "sub", "mara", "auth_time", h.Now().Unix())
	b := h.browser()
	b.with("school").goesTo(t, "/account")
	b.post("/account/emails", "email", "mara@new.example").goesTo(t, "/account/emails")
	err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.SessionsOf(u.ID, h.Now())
		if err != nil {
			return err
		}
		return tx.PutAppSession(store.AppSession{TokenHash: []byte("t"), App: "Wiki", SessionID: rows[0].ID, CreatedAt: h.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	a := b.post("/account/data")
	a.is(t, 200)
	var data struct {
		WaitingEmails []struct{ Email string }
		Apps          []struct{ App string }
		Browsers      []struct{ Device string }
		Passkeys      []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(a.body), &data); err != nil {
		t.Fatal(err)
	}
	if len(data.WaitingEmails) != 1 || data.WaitingEmails[0].Email != "mara@new.example" || len(data.Apps) != 1 || data.Apps[0].App != "Wiki" ||
		len(data.Browsers) != 1 || data.Browsers[0].Device != "Firefox on Linux" || len(data.Passkeys) != 1 || data.Passkeys[0].ID == "" {
		t.Errorf("got %s", a.body)
	}
}

// The banner asks for a second way where there is one to add, and for no more.
func TestTheOverviewAsksForASecondWay(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	b.signIn("mara@home.example")
	b.get("/account").is(t, 200, "You have only one way to sign in")
	b.post("/account/password", "password", goodPassword).goesTo(t, "/account")
	if page := b.get("/account"); strings.Contains(page.body, "one way to sign in") {
		t.Error("two ways are one")
	}
	none := open(t, passwordsOff)
	none.user("mara@home.example")
	c := none.browser()
	c.signIn("mara@home.example")
	if page := c.get("/account"); strings.Contains(page.body, "one way to sign in") {
		t.Error("a way is asked for that cannot be added")
	}
}
