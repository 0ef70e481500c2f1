package web_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/account"
	"gatelodge/app/audit"
	"gatelodge/app/config"
	"gatelodge/app/factor/password"
	"gatelodge/app/mail/outbox"
	"gatelodge/store"
)

const goodPassword = "crimson ladder over quiet fjord"

// withPassword adds a user who has a password.
func (h *testServer) withPassword(email, password string) store.User {
	h.t.Helper()
	u := h.user(email)
	err := h.app.Account.SetPassword(h.t.Context(), app.Operator(), audit.ByAdmin, u.ID, account.NewPassword{Typed: password})
	if err != nil {
		h.t.Fatal(err)
	}
	h.letter("password_changed") // nobody takes it for the next mail
	return u
}

// tryPassword names an account and sends a password for it.
func (b *browser) tryPassword(identifier, password string) reply {
	b.t.Helper()
	b.post("/signin", "identifier", identifier, "method", "password").goesTo(b.t, "/signin/password")
	return b.post("/signin/password", "password", password)
}

// letter returns the newest captured mail of a kind, once there is one.
func (h *testServer) letter(purpose string) outbox.Message {
	h.t.Helper()
	for n := 1; ; n++ {
		for _, m := range h.mail(n) {
			if m.Purpose == purpose {
				return m
			}
		}
	}
}

func TestAPasswordSignsInByAnyAddressAndByUsername(t *testing.T) {
	h := open(t, nil)
	u := h.withPassword("Mara@Home.example", goodPassword)
	err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.SetUsername(u.ID, "Mara", "mara", h.Now()); err != nil {
			return err
		}
		return tx.AddEmail(store.Email{Norm: "mara@work.example", Email: "mara@work.example", UserID: u.ID, VerifiedAt: h.Now(), CreatedAt: h.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, identifier := range []string{"mara@home.example", "MARA@work.example", "mArA"} {
		b := h.browser()
		b.tryPassword(identifier, goodPassword).goesTo(t, "/account")
		b.isSignedInAs("Mara@Home.example")
	}
}

// Whoever finds the queue of hashes full is told when to come back, by a page and by
// a program's answer, and those who are signed in notice nothing.
func TestAFullQueueOfPasswordsSaysWhenToTryAgain(t *testing.T) {
	h := openAt(t, password.Cost{Memory: 4096, Passes: 1, Lanes: 1}, nil)
	h.user("mara@home.example")
	inside := h.browser()
	inside.signIn("mara@home.example")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	clear, err := password.Read(goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	var crowd sync.WaitGroup
	defer crowd.Wait()
	defer stop()
	for range config.PasswordQueue + h.app.Passwords.Slots() + 8 {
		crowd.Go(func() {
			for ctx.Err() == nil {
				if _, _, err := h.app.Passwords.Check(ctx, "", clear); err != nil {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	b := h.browser()
	b.post("/signin", "identifier", "mara@home.example", "method", "password").goesTo(t, "/signin/password")
	var a reply
	for deadline := time.Now().Add(20 * time.Second); a.Response == nil || a.StatusCode != http.StatusServiceUnavailable; {
		if time.Now().After(deadline) {
			t.Fatal("nobody finds the queue full")
		}
		h.pass(time.Hour) // no limit is met
		a = b.post("/signin/password", "password", "not the one it is at all")
	}
	a.is(t, http.StatusServiceUnavailable, "Too many people are signing in at once", "GL-")
	if a.Header.Get("Retry-After") == "" {
		t.Error("it is not said when to come back")
	}
	inside.isSignedInAs("mara@home.example")
}

// A hash that came from elsewhere and that nobody can check looks like any other, and
// the log tells who can mend it.
func TestAHashThatCannotBeCheckedShowsNothing(t *testing.T) {
	h := open(t, nil)
	u := h.user("mara@home.example")
	err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error {
		return tx.SetPassword(store.Password{UserID: u.ID, Hash: "$2b$15$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", ChangedAt: h.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for _, email := range []string{"mara@home.example", "nobody@home.example"} {
		a := h.browser().tryPassword(email, "not the password at all")
		a.is(t, http.StatusUnprocessableEntity, "do not match")
		bodies = append(bodies, strings.ReplaceAll(a.body, email, "X"))
	}
	if bodies[0] != bodies[1] {
		t.Errorf("the pages differ:\n%s\n%s", bodies[0], bodies[1])
	}
	if !strings.Contains(h.logged(), "a password cannot be checked") {
		t.Error("the log does not tell")
	}
}

func TestKnownAndUnknownAccountsRefuseAPasswordAlike(t *testing.T) {
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	h.user("sam@home.example") // no password
	var bodies []string
	for _, email := range []string{"mara@home.example", "sam@home.example", "nobody@home.example"} {
		a := h.browser().tryPassword(email, "not the password at all")
		a.is(t, http.StatusUnprocessableEntity, "do not match")
		bodies = append(bodies, strings.ReplaceAll(a.body, email, "X"))
	}
	if bodies[0] != bodies[1] || bodies[1] != bodies[2] {
		t.Errorf("the pages differ:\n%s\n%s\n%s", bodies[0], bodies[1], bodies[2])
	}
	if !strings.Contains(h.logged(), "msg=auth-fail ip=127.0.0.1 user=mara@home.example reason=password ref=GL-") ||
		!strings.Contains(h.logged(), "msg=auth-fail ip=127.0.0.1 user=- reason=password ref=GL-") {
		t.Errorf("the log says\n%s", h.logged())
	}
	if strings.Contains(h.logged(), "not the password") {
		t.Error("the log holds a password")
	}
}

func TestGuessingIsSlowedAndTheOwnersBrowserIsNot(t *testing.T) {
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	mine := h.browser()
	mine.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")

	stranger := h.browser()
	for range 5 {
		stranger.tryPassword("mara@home.example", "a guess that is wrong").is(t, 422)
	}
	a := stranger.tryPassword("mara@home.example", goodPassword)
	a.is(t, http.StatusTooManyRequests, "Too many tries for this account")
	if a.Header.Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
	// Another browser of nobody's is a stranger as well; the owner's is not.
	h.browser().tryPassword("mara@home.example", goodPassword).is(t, http.StatusTooManyRequests)
	mine.post("/signout")
	mine.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")

	// Whoever never gives up gets fifty guesses a day.
	guesses := 0
	for end := h.Now().Add(24 * time.Hour); h.Now().Before(end); {
		a := stranger.tryPassword("mara@home.example", "a guess that is wrong")
		if a.StatusCode != http.StatusTooManyRequests {
			guesses++
			continue
		}
		wait, err := time.ParseDuration(a.Header.Get("Retry-After") + "s")
		if err != nil {
			t.Fatal(err)
		}
		h.pass(wait)
	}
	if guesses > 50 || guesses < 20 {
		t.Errorf("%d guesses in a day", guesses)
	}
}

func TestASuspensionIsShownOnlyToWhoHasThePassword(t *testing.T) {
	h := open(t, nil)
	u := h.withPassword("mara@home.example", goodPassword)
	if err := h.app.Users.Disable(t.Context(), app.Operator(), u); err != nil {
		t.Fatal(err)
	}
	h.browser().tryPassword("mara@home.example", "not the password at all").is(t, 422, "do not match")
	h.browser().tryPassword("mara@home.example", goodPassword).is(t, http.StatusForbidden, "suspended")
}

func TestAPasswordIsSetChangedAndRemovedByItsOwner(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b, other := h.browser(), h.browser()
	b.signIn("mara@home.example")
	other.signIn("mara@home.example")

	b.get("/account").is(t, 200, "Not set")
	b.post("/account/password", "password", "tooshort").is(t, 422, "At least 15", "That has 8 characters")
	b.post("/account/password", "password", "Password12345!!").is(t, 422, "leaked passwords")
	b.post("/account/password", "password", goodPassword).goesTo(t, "/account")
	b.get("/account").is(t, 200, "Password saved", "Changed just now")
	b.isSignedInAs("mara@home.example")
	if who := other.who(); who != "" {
		t.Errorf("another browser is still signed in as %s", who)
	}
	if m := h.letter("password_changed"); m.Rcpt != "mara@home.example" {
		t.Errorf("%s was told", m.Rcpt)
	}
	h.browser().tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")

	b.post("/account/password/remove").goesTo(t, "/account")
	h.browser().tryPassword("mara@home.example", goodPassword).is(t, 422)
}

func TestChangingWhatOpensAnAccountNeedsAFreshSignIn(t *testing.T) {
	h := open(t, nil)
	u := h.withPassword("mara@home.example", goodPassword)
	b := h.browser()
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	h.pass(11 * time.Minute)
	for _, path := range []string{"/account/password", "/account/close"} {
		b.get(path).goesTo(t, "/account/confirm")
	}
	for path, form := range map[string][]string{
		"/account/password": {"password", "another good long password"}, "/account/password/remove": nil, "/account/emails": {"email", "eve@home.example"},
		"/account/emails/primary": {"email", "x@home.example"}, "/account/emails/remove": {"email", "x@home.example"}, "/account/close": {"confirm", "mara@home.example"},
		"/account/data": nil, "/account/profile": {"username", "eve"},
	} {
		b.post(path, form...).goesTo(t, "/account/confirm")
	}
	h.browser().tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")

	// By password.
	b.get("/account/password").goesTo(t, "/account/confirm")
	b.get("/account/confirm").is(t, 200, "Confirm it is you")
	token, begun := b.cookie("gatelodge"), h.eventsOf(u.ID)[audit.SignedIn]
	b.post("/account/confirm", "password", "not the password at all").is(t, 422, "do not match")
	b.post("/account/confirm", "password", goodPassword).goesTo(t, "/account/password")
	if b.cookie("gatelodge") == token {
		t.Error("a copy of the cookie counts as fresh")
	}
	if h.eventsOf(u.ID)[audit.SignedIn] != begun {
		t.Error("confirming began another session")
	}
	b.get("/account/password").is(t, 200, "Change your password")

	// By mail.
	h.pass(11 * time.Minute)
	b.get("/account/password").goesTo(t, "/account/confirm")
	b.post("/account/confirm", "method", "mail").goesTo(t, "/signin/code")
	b.post("/signin/code", "code", codeIn(t, h.letter("signin"))).goesTo(t, "/account/password")
	b.get("/account/password").is(t, 200)
}

// named is the name of a cookie of ours: on http it ends with the port.
func (h *testServer) named(name string) string {
	if o := h.app.Config.Origin(); o.Scheme == "http" && o.Port() != "" {
		return name + "-" + o.Port()
	}
	return name
}

// cookie returns the value of a cookie of ours that the browser holds, or "".
func (b *browser) cookie(name string) string {
	b.t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.h.url+"/", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(req.URL) {
		if c.Name == b.h.named(name) {
			return c.Value
		}
	}
	return ""
}

func TestAForgottenPasswordIsChosenAnewByMail(t *testing.T) {
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	in := h.browser()
	in.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")

	b := h.browser()
	known := b.post("/signin/forgot", "identifier", "mara@home.example")
	known.goesTo(t, "/signin/forgot?sent=1")
	sent := b.get("/signin/forgot?sent=1").body
	nobody := h.browser()
	nobody.post("/signin/forgot", "identifier", "nope@home.example").goesTo(t, "/signin/forgot?sent=1")
	if got := strings.ReplaceAll(nobody.get("/signin/forgot?sent=1").body, "nope@", "mara@"); got != sent {
		t.Errorf("an unknown address is answered otherwise:\n%s", got)
	}
	link := b.path(h.letter("reset"))
	for range 50 { // scanners
		h.browser().get(link).is(t, 200, "Choose a new password")
		h.browser().do(http.MethodHead, link, nil).is(t, 200)
	}
	const next = "nine walnuts beneath the awning"
	b.post(link, "password", "short").is(t, 422, "That has 5 characters")
	b.post(link, "password", next).goesTo(t, "/signin")
	b.get("/signin").is(t, 200, "Password saved")
	if who := in.who(); who != "" {
		t.Errorf("%s is still signed in somewhere", who)
	}
	if who := b.who(); who != "" {
		t.Errorf("the link signed %s in", who)
	}
	b.post(link, "password", goodPassword).is(t, http.StatusGone, "was used")
	h.pass(time.Hour)
	h.browser().tryPassword("mara@home.example", goodPassword).is(t, 422)
	h.browser().tryPassword("mara@home.example", next).goesTo(t, "/account")
}

func TestALinkOpensNothingButWhatItWasMadeFor(t *testing.T) {
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	b := h.browser()
	b.post("/signin/forgot", "identifier", "mara@home.example").goesTo(t, "/signin/forgot?sent=1")
	reset := b.path(h.letter("reset"))
	b.get(strings.Replace(reset, "/mailed/", "/signin/link/", 1)).is(t, http.StatusGone)
	b.post(strings.Replace(reset, "/mailed/", "/signin/link/", 1)).is(t, http.StatusGone)
	m := b.ask("mara@home.example")
	b.get(strings.Replace(b.path(m), "/signin/link/", "/mailed/", 1)).is(t, http.StatusGone)
	if b.who() != "" {
		t.Error("somebody is signed in")
	}
}

func TestANewBrowserIsReportedAndCanBeSignedOut(t *testing.T) {
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	mine, thief := h.browser(), h.browser()
	mine.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	h.pass(time.Second)
	mine.post("/signout")
	mine.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	for _, m := range h.mail(1) {
		if m.Purpose == "new_device" {
			t.Fatal("a browser that is known was told of")
		}
	}
	h.pass(time.Second)
	thief.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	link := mine.path(h.letter("new_device"))
	h.browser().get(link).is(t, 200, "Was this not you?")
	thief.isSignedInAs("mara@home.example")
	a := h.browser().post(link)
	if a.StatusCode != 303 || !strings.HasPrefix(a.Header.Get("Location"), "/mailed/") {
		t.Fatalf("got %d to %s", a.StatusCode, a.Header.Get("Location"))
	}
	if thief.who() != "" {
		t.Error("the thief is still in")
	}
	mine.isSignedInAs("mara@home.example")
	h.browser().get(a.Header.Get("Location")).is(t, 200, "Choose a new password")
	if m := h.letter("new_device"); !strings.Contains(m.Text, "Firefox on Linux") {
		t.Errorf("the mail names no browser:\n%s", m.Text)
	}
}

func TestAPasswordChangeIsTakenBack(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	thief := h.browser()
	thief.signIn("mara@home.example")
	thief.post("/account/password", "password", goodPassword).goesTo(t, "/account")
	owner := h.browser()
	a := owner.post(owner.path(h.letter("password_changed")))
	if !strings.HasPrefix(a.Header.Get("Location"), "/mailed/") {
		t.Fatalf("got %d to %s", a.StatusCode, a.Header.Get("Location"))
	}
	if thief.who() != "" {
		t.Error("the thief is still in")
	}
	owner.post(a.Header.Get("Location"), "password", "nine walnuts beneath the awning").goesTo(t, "/signin")
	thief.tryPassword("mara@home.example", goodPassword).is(t, 422)
}

func TestTheSignInPageRemembersTheAccountsOfABrowser(t *testing.T) {
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	h.user("sam@home.example")
	b := h.browser()
	b.signIn("sam@home.example")
	b.post("/signout")
	b.get("/signin").is(t, 200, "Welcome back", "sam@home.example")
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	b.post("/signout")
	page := b.get("/signin")
	page.is(t, 200, "Welcome back", "mara@home.example", "sam@home.example")
	if strings.Index(page.body, "mara@") > strings.Index(page.body, "sam@") {
		t.Error("the last used account does not lead")
	}
	b.post("/signin/known", "account", "0", "method", "password").goesTo(t, "/signin/password")
	b.get("/signin/password").is(t, 200, "mara@home.example")
	b.post("/signin/known", "account", "1").goesTo(t, "/signin/code")
	b.get("/signin?other=1").is(t, 200, "Email or username")
	b.post("/signin/forget").goesTo(t, "/signin")
	forgotten := b.get("/signin")
	forgotten.is(t, 200, "no longer remembers any account")
	if strings.Contains(forgotten.body, "mara@") {
		t.Error("it still remembers")
	}
	// A forged list is no list.
	h.browser().get("/signin", "Cookie", h.named("gatelodge-hint")+"=W3sidSI6IngifV0").is(t, 200, "Email or username")
}

func TestPasswordsCanBeOff(t *testing.T) {
	h := open(t, passwordsOff)
	h.user("mara@home.example")
	b := h.browser()
	if page := b.get("/signin"); strings.Contains(page.body, "password") {
		t.Error("the page offers a password")
	}
	b.post("/signin", "identifier", "mara@home.example", "method", "password").goesTo(t, "/signin/code")
	b.get("/signin/forgot").is(t, http.StatusNotFound)
	b.get("/signin/password").goesTo(t, "/signin")
	b.get(b.path(h.mail(1)[0])).goesTo(t, "/account")
	if page := b.get("/account"); strings.Contains(page.body, "/account/password") {
		t.Error("the account offers a password")
	}
	b.get("/account/password").is(t, http.StatusNotFound)
	b.post("/account/password", "password", goodPassword).is(t, http.StatusNotFound)
}
