package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Somebody who uses the right password is no guesser, from however many browsers.
func TestRightPasswordsAreNoGuesses(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	for range 12 {
		h.browser().tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	}
	// And what went right forgives nothing of what went wrong.
	stranger := h.browser()
	for range 5 {
		stranger.tryPassword("mara@home.example", "a guess that is wrong").is(t, 422)
	}
	stranger.tryPassword("mara@home.example", goodPassword).is(t, http.StatusTooManyRequests)
}

// A neighbour behind the same address uses up what a network may guess, and what
// may be asked for by mail.
func TestANeighbourDoesNotLockOutAnOwnerWhoseBrowserIsKnown(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	mine := h.browser()
	mine.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	mine.post("/signout")
	neighbour := h.browser()
	for i := 0; ; i++ {
		if i > 200 {
			t.Fatal("a network is not bounded")
		}
		if a := neighbour.tryPassword("nobody-"+string(rune('a'+i%26))+string(rune('a'+i/26))+"@home.example", "\x00"); a.StatusCode == http.StatusTooManyRequests {
			break
		}
	}
	for i := 0; ; i++ {
		if i > 100 {
			t.Fatal("a network is not bounded")
		}
		h.pass(time.Second)
		if a := neighbour.post("/signin", "identifier", "nobody-"+string(rune('a'+i%26))+string(rune('a'+i/26))+"@home.example"); a.StatusCode == http.StatusTooManyRequests {
			break
		}
	}
	for range 4 {
		h.browser().post("/signin", "identifier", "mara@home.example")
	}
	mine.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	mine.post("/signout")
	mine.signIn("mara@home.example")
	mine.post("/signout")
	mine.post("/signin/forgot", "identifier", "mara@home.example").goesTo(t, "/signin/forgot?sent=1")
}

// A cookie that somebody puts into a browser and keeps a copy of must not make them
// its owner's known browser: without a mail, and with an owner's tries.
func TestAPlantedDeviceCookieMakesNobodyKnown(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	h.withPassword("eve@home.example", goodPassword)
	h.browser().tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")

	// Eve signs in on a computer that they share, and keeps what it was given.
	shared, eve := h.browser(), h.browser()
	shared.tryPassword("eve@home.example", goodPassword).goesTo(t, "/account")
	planted := shared.cookie("gatelodge-device")
	shared.post("/signout")
	shared.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	if shared.cookie("gatelodge-device") == planted {
		t.Error("the browser goes on with what Eve has a copy of")
	}
	h.lettersTo("new_device", "mara@home.example", 1)
	h.pass(time.Second)
	eve.client.Jar.SetCookies(mustURL(t, h.url), []*http.Cookie{{Name: h.named("gatelodge-device"), Value: planted, Path: "/"}})
	eve.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	h.lettersTo("new_device", "mara@home.example", 2)
	// Eve herself is still known where she signed in.
	h.pass(time.Second)
	shared.post("/signout")
	shared.tryPassword("eve@home.example", goodPassword).goesTo(t, "/account")
	for _, m := range h.mail(2) {
		if m.Purpose == "new_device" && m.Rcpt == "eve@home.example" {
			t.Error("Eve's own browser became a stranger to her")
		}
	}
}

// A browser that was sent away learns nothing new of its former owner, and one that
// has a copy of the list alone learns nothing at all.
func TestAStolenHintShowsNoNewAddress(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.user("mara@home.example")
	mine, thief := h.browser(), h.browser()
	mine.signIn("mara@home.example")
	h.pass(11 * time.Minute)
	thief.signIn("mara@home.example")
	thief.post("/signout")
	thief.get("/signin").is(t, 200, "Welcome back", "mara@home.example")
	copied := h.browser().get("/signin", "Cookie", h.named("gatelodge-hint")+"="+thief.cookie("gatelodge-hint"))
	if strings.Contains(copied.body, "mara@") {
		t.Error("a copy of the list shows whose it is")
	}
	mine.post(mine.path(h.lettersTo("new_device", "mara@home.example", 1)[0]))
	mine.post("/account/profile", "name", "Mara Newname").goesTo(t, "/account/profile")
	if page := thief.get("/signin"); strings.Contains(page.body, "mara@") || strings.Contains(page.body, "Newname") {
		t.Error("the page still greets the thief as Mara")
	}
	thief.post("/signin/known", "account", "0").goesTo(t, "/signin?other=1")
}

// The token a browser has before it signs in must open nothing afterwards.
func TestAPlantedSessionCookieIsNotTheOneThatSignsIn(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	h.withPassword("eve@home.example", goodPassword)
	eve, mara := h.browser(), h.browser()
	eve.tryPassword("eve@home.example", goodPassword).goesTo(t, "/account")
	for name, planted := range map[string]string{"a live session": eve.cookie("gatelodge"), "anything": strings.Repeat("A", 43)} {
		mara.client.Jar.SetCookies(mustURL(t, h.url), []*http.Cookie{{Name: h.named("gatelodge"), Value: planted, Path: "/"}})
		mara.post("/signin", "identifier", "mara@home.example", "method", "password")
		mara.post("/signin/password", "password", goodPassword)
		if mara.cookie("gatelodge") == planted {
			t.Errorf("%s: the planted token was kept", name)
		}
		thief := h.browser()
		thief.client.Jar.SetCookies(mustURL(t, h.url), []*http.Cookie{{Name: h.named("gatelodge"), Value: planted, Path: "/"}})
		if who := thief.who(); who == "mara@home.example" {
			t.Errorf("%s: it opens %s", name, who)
		}
		mara.post("/signout")
	}
}

// An App reads the cookies at its own address: what is kept there must not make its
// operator a known browser anywhere else.
func TestANewBrowserAtAnAppIsReportedAndItsCookieIsGoodThereAlone(t *testing.T) {
	t.Parallel()
	h := wiki(t, "v5", "")
	h.browser().signIn("mara@home.example")
	h.pass(11 * time.Minute)
	c := h.browser().authjs("v5")
	in := c.signInByMail("mara@home.example")
	h.lettersTo("new_device", "mara@home.example", 1)
	kept := in.cookie("gatelodge-device")
	if kept == nil || !kept.HttpOnly || kept.MaxAge < 1 {
		t.Fatalf("the App's browser is known by %v", kept)
	}
	// The same browser is not told of again.
	h.pass(11 * time.Minute)
	c.signInByMail("mara@home.example")
	if n := len(h.lettersTo("new_device", "mara@home.example", 1)); n != 1 {
		t.Errorf("%d mails about one browser", n)
	}
	// At our own address the App's cookie is nothing.
	h.pass(11 * time.Minute)
	app := h.browser()
	app.client.Jar.SetCookies(mustURL(t, h.url), []*http.Cookie{{Name: h.named("gatelodge-device"), Value: kept.Value, Path: "/"}})
	app.signIn("mara@home.example")
	h.lettersTo("new_device", "mara@home.example", 2)
}
