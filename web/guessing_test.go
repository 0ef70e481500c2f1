package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatelodge/store"
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

// Whoever asks for mail to somebody's address over and over must not keep its owner
// from asking.
func TestAStrangerDoesNotUseUpTheOwnersMail(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.user("mara@home.example")
	mine := h.browser()
	mine.signIn("mara@home.example")
	mine.post("/signout")
	h.pass(25 * time.Hour)
	for range 10 {
		h.pass(11 * time.Minute)
		h.browser().post("/signin", "identifier", "mara@home.example")
	}
	h.browser().post("/signin", "identifier", "mara@home.example").is(t, http.StatusTooManyRequests)
	mine.signIn("mara@home.example")
}

// That two names lead to one account, or a name to any, must not show in a wait.
func TestWaitsDoNotTellWhatNamesLeadTo(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	u := h.withPassword("mara@bücher.example", goodPassword)
	err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error { return tx.SetUsername(u.ID, "Mara", "mara", h.Now()) })
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range [][2]string{{"mara@bücher.example", "mara"}, {"sam@bücher.example", "sam"}} {
		b := h.browser()
		for range 5 {
			b.tryPassword(names[0], "a guess that is wrong").is(t, 422)
		}
		b.tryPassword(names[1], "a guess that is wrong").is(t, 422)
		// The same address, written in another way, is the same name.
		b.tryPassword(strings.Replace(names[0], "bücher", "xn--bcher-kva", 1), "a guess that is wrong").is(t, http.StatusTooManyRequests)
		b.tryPassword(strings.ToUpper(names[0]), "a guess that is wrong").is(t, http.StatusTooManyRequests)
	}
}

// Many names of one account add up all the same: behind a bound, a stranger's
// password is wrong even when it is right, and says so like any other.
func TestManyNamesOfOneAccountAddUp(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	u := h.withPassword("mara@home.example", goodPassword)
	names := []string{"mara@home.example"}
	for _, name := range []string{"a", "b", "c", "d"} {
		names = append(names, name+"@home.example")
		e := store.Email{Norm: name + "@home.example", Email: name + "@home.example", UserID: u.ID, VerifiedAt: h.Now(), CreatedAt: h.Now()}
		if err := h.app.DB.Update(t.Context(), func(tx *store.Tx) error { return tx.AddEmail(e) }); err != nil {
			t.Fatal(err)
		}
	}
	mine, stranger := h.browser(), h.browser()
	mine.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	mine.post("/signout")
	guesses := 0
	for range 7 {
		for _, name := range names {
			for range 5 {
				if stranger.tryPassword(name, "a guess that is wrong").StatusCode == 422 {
					guesses++
				}
			}
		}
		h.pass(time.Hour)
	}
	if guesses <= 100 {
		t.Fatalf("only %d guesses were tried", guesses)
	}
	stranger.tryPassword("e@home.example", "a guess that is wrong").is(t, 422)
	h.pass(3 * time.Hour)
	stranger.tryPassword("mara@home.example", goodPassword).is(t, 422, "do not match")
	mine.tryPassword("a@home.example", goodPassword).goesTo(t, "/account")
	h.pass(25 * time.Hour)
	stranger.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
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
func TestAStolenHintTellsNoNewAddress(t *testing.T) {
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
func TestANewBrowserAtAnAppIsToldAndItsCookieIsGoodThereAlone(t *testing.T) {
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
