package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gatelodge/app/session"
)

// leavesNothing fails when a reply sets a cookie that outlives the browser and
// tells who was here.
func (a reply) leavesNothing(t testing.TB, mayLast ...string) {
	t.Helper()
	for _, c := range a.Cookies() {
		if lasts := c.MaxAge > 0 || c.MaxAge == 0 && !c.Expires.IsZero(); lasts && !slices.Contains(mayLast, c.Name) {
			t.Errorf("%s stays when the browser is closed", c)
		}
	}
}

func TestTheNextPersonAtASharedComputerFindsNothing(t *testing.T) {
	h := wiki(t, "v5", "")
	h.withPassword("mara@shared.example", goodPassword)
	b := h.browser()
	b.post("/signin", "identifier", "mara@shared.example", "method", "password").goesTo(t, "/signin/password")
	b.get("/signin/password").is(t, http.StatusOK, "Keep me signed in for 30 days", "checked")
	// A wrong password keeps the choice.
	b.post("/signin/password", "password", "not the one it is at all", "keep", "0").is(t, http.StatusUnprocessableEntity, `value="1">`)
	in := b.post("/signin/password", "password", goodPassword, "keep", "0")
	in.goesTo(t, "/account")
	in.leavesNothing(t)
	b.isSignedInAs("mara@shared.example")

	// Nor does an App's cookie stay.
	c := b.authjs("v5")
	way := b.get(relative(t, c.get("/api/auth/signin?callbackUrl=%2Fpage").Header.Get("Location")), "Sec-Fetch-Site", "cross-site").Header.Get("Location")
	at := c.get(relative(t, way))
	at.redirects(t, wikiOrigin+"/page")
	if at.cookie("authjs.session-token") == nil {
		t.Fatal("no session at the App")
	}
	at.leavesNothing(t)
	c.get("/api/auth/session").leavesNothing(t)

	// Whoever forgets to close the browser is out the same day, however much it is used.
	for range int(session.EphemeralFor/time.Hour) - 1 {
		h.pass(time.Hour)
		b.isSignedInAs("mara@shared.example")
	}
	h.pass(time.Hour)
	if who := b.who(); who != "" {
		t.Errorf("%s is still signed in", who)
	}
	if page := b.get("/signin?other=0").body; strings.Contains(page, "mara@shared.example") || strings.Contains(page, "Welcome back") {
		t.Error("the sign-in page tells who was here")
	}
}

func TestABrowserIsKeptUnlessTheBoxIsCleared(t *testing.T) {
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	for name, pairs := range map[string][]string{"ticked": {"keep", "1"}, "no box": nil} {
		b := h.browser()
		b.post("/signin", "identifier", "mara@home.example", "method", "password").goesTo(t, "/signin/password")
		in := b.post("/signin/password", append([]string{"password", goodPassword}, pairs...)...)
		in.goesTo(t, "/account")
		if c := in.cookie("gatelodge"); c == nil || c.MaxAge != 30*24*60*60 {
			t.Errorf("%s: the session's cookie is %v", name, c)
		}
		b.isSignedInAs("mara@home.example")
	}
}
