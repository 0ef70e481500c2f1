package web_test

import (
	"errors"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/gate"
	"gatelodge/app/people"
	"gatelodge/app/session"
	"gatelodge/app/upstream/upstreamtest"
	"gatelodge/store"
)

// An App that is for one address is not for whoever registered that address at
// another system, from where they were imported.
func TestAnAddressNobodyProvedOpensNoApp(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *config.Config) {
		c.Apps = appsOf(t, "[[app]]\nname = \"vault\"\nhosts = [\"localhost:3000\"]\nallow = [\"user:boss@home.example\", \"user:sam@home.example\"]\n[app.authjs]\nversion = \"v5\"\n")
	})
	enters := func(u store.User) bool {
		_, err := h.app.Login.EnterApp(t.Context(), app.Operator(), session.Current{User: u}, "vault", nil)
		return !errors.Is(err, gate.ErrNotAllowed)
	}
	stranger := h.imported("boss@home.example", "stranger")
	if enters(stranger) {
		t.Error("somebody is in by an address that nobody proved")
	}
	if !enters(h.user("sam@home.example")) {
		t.Error("whom an operator added is kept out")
	}
	stranger.EmailVerifiedAt = h.Now()
	if !enters(stranger) {
		t.Error("whoever proved the address is kept out")
	}
}

// A neighbour uses up what a network may try of codes and of upstreams. Whoever has
// been in with their browser is not kept waiting by that.
func TestANeighbourKeepsNoKnownBrowserFromCodesAndUpstreams(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, trusted)
	h.user("mara@home.example")
	signsIn(up, "sub", "1", "email", "mara@home.example", "email_verified", true)
	mine, neighbour := h.browser(), h.browser()
	mine.with("school").goesTo(t, "/account")
	mine.post("/signout")
	for i := 0; neighbour.post("/signin/with/school").StatusCode != http.StatusTooManyRequests; i++ {
		if i > 100 {
			t.Fatal("a network is not bounded")
		}
	}
	mine.with("school").goesTo(t, "/account")
	mine.post("/signout")

	neighbour.post("/signin", "identifier", "nobody@home.example")
	for i := 0; neighbour.post("/signin/code", "code", "123456").StatusCode != http.StatusTooManyRequests; i++ {
		if i > 200 {
			t.Fatal("a network is not bounded")
		}
	}
	m := mine.ask("mara@home.example")
	mine.post("/signin/code", "code", codeIn(t, m)).goesTo(t, "/account")
}

// A code that was wrong is told to who was tried: in the log, and in their history.
func TestAWrongCodeIsSomebodys(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	u := h.user("mara@home.example")
	b := h.browser()
	b.post("/signin/code", "code", wrong(codeIn(t, b.ask("mara@home.example")))).goesTo(t, "/signin/code")
	if !strings.Contains(h.logged(), "msg=auth-fail ip=127.0.0.1 user=mara@home.example reason=code") {
		t.Error("the log does not name who was tried")
	}
	nobody := h.browser()
	nobody.post("/signin", "identifier", "nobody@home.example")
	nobody.post("/signin/code", "code", "123456").goesTo(t, "/signin/code")
	if !strings.Contains(h.logged(), "msg=auth-fail ip=127.0.0.1 user=- reason=code") || strings.Contains(h.logged(), "user=nobody@") {
		t.Error("the log names somebody who is not here")
	}
	if h.eventsOf(u.ID)["signin.refused"] == 0 {
		t.Error("their history does not know of it")
	}
}

// Lists of who may come hold international domains as people write them.
func TestListsKnowInternationalDomains(t *testing.T) {
	t.Parallel()
	for _, email := range []string{"ida@xn--bcher-kva.example", "Ida@BÜCHER.example"} {
		h, up := withUpstream(t, func(u *config.Upstream) {
			trusted(u)
			u.AllowDomains = []string{"bücher.example"}
		})
		h.user("ida@bücher.example")
		signsIn(up, "sub", "1", "email", email, "email_verified", true)
		h.browser().with("school").goesTo(t, "/account")
	}
}

// An upstream that says from when on its word holds, and a clock here that is behind.
func TestAClockBehindAnUpstreamThatSaysFromWhenOn(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, trusted)
	signsIn(up, "sub", "1", "email", "mara@home.example", "email_verified", true)
	up.Set(func(s *upstreamtest.Server) {
		s.Claims["nbf"] = h.Now().Add(10 * time.Minute).Unix()
	})
	h.browser().with("school").is(t, http.StatusServiceUnavailable, "The clocks do not agree")
}

// Two people share a browser. One closes their account, and the other is still
// remembered; the next is not told the time of the one before.
func TestABrowserOfTwoPeople(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.user("one@home.example")
	h.user("two@home.example")
	b := h.browser()
	b.signIn("one@home.example")
	b.post("/account/profile", "time_zone", "Asia/Tokyo").goesTo(t, "/account/profile")
	b.post("/signout")
	b.signIn("two@home.example")
	if page := b.get("/account/history").body; strings.Contains(page, "JST") {
		t.Error("the time is told in the zone of the person before")
	}
	b.post("/account/close", "confirm", "two@home.example").is(t, 200, "Your account is closed")
	b.get("/signin").is(t, 200, "one@home.example")
	if strings.Contains(b.get("/signin").body, "two@home.example") {
		t.Error("a closed account is remembered")
	}
}

// Every home with IPv6 has many addresses, which are one network.
func TestALinkOpenedInTheSameNetworkSaysSo(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.user("mara@home.example")
	laptop, phone := h.browser(), h.browser()
	laptop.headers["X-Forwarded-For"], phone.headers["X-Forwarded-For"] = "2001:db8:1:2::aaaa", "2001:db8:1:2::bbbb"
	path := phone.path(laptop.ask("mara@home.example"))
	page := phone.get(path)
	page.is(t, 200, "2001:db8:1:2::aaaa")
	if strings.Contains(page.body, "not the one you are on") {
		t.Error("one's own network is called another")
	}
	phone.headers["X-Forwarded-For"] = "2001:db8:1:3::bbbb"
	phone.get(path).is(t, 200, "not the one you are on")
}

// More people than a page holds are all found page by page.
func TestTheListOfPeopleGoesOn(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.admin("zoe@home.example")
	h.crowd(60)
	sam := h.browser()
	sam.comes("zoe@home.example")
	page := sam.get("/admin/people?q=home.example")
	page.is(t, 200, "known0@home.example")
	if strings.Contains(page.body, "zoe@home.example</") {
		t.Fatal("the first page holds everybody: the test looks at nothing")
	}
	next := regexp.MustCompile(`href="(/admin/people\?[^"]*after=[^"]*)"`).FindStringSubmatch(page.body)
	if next == nil {
		t.Fatalf("no next page in\n%s", page.body)
	}
	second := sam.get(html.UnescapeString(next[1]))
	second.is(t, 200, "zoe@home.example")
	if strings.Contains(second.body, "known0@home.example") {
		t.Error("the next page is the first once more")
	}
}

// A group, empty or not, is deleted only after a question.
func TestAGroupIsNotRemovedByOneClick(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	sam := h.admin("sam@home.example")
	h.group("media")
	h.group("ops")
	if _, err := h.app.Users.Join(t.Context(), app.Operator(), "media", h.person("sam@home.example").User); err != nil {
		t.Fatal(err)
	}
	page := sam.get("/admin/groups")
	page.is(t, 200, `href="/admin/groups/media/remove"`, `href="/admin/groups/ops/remove"`)
	if strings.Contains(page.body, `action="/admin/groups/media/remove"`) || strings.Contains(page.body, `action="/admin/groups/ops/remove"`) {
		t.Error("one click removes the group")
	}
	sam.get("/admin/groups/media/remove").is(t, 200, "Delete media?", "It has one member", `action="/admin/groups/media/remove"`)
	sam.get("/admin/groups/admins/remove").is(t, http.StatusNotFound)
	sam.get("/admin/groups/none/remove").is(t, http.StatusNotFound)
}

// Whoever pastes the whole line of the terminal has pasted the code.
func TestTheSetUpCodeIsReadOutOfItsLine(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	code, err := h.app.Users.SetUpCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.browser().post("/setup", "setup_code", "  "+h.url+"/setup?code="+code, "email", "sam@home.example").goesTo(t, "/account?welcome")
}

// Where mail is captured every admin page says that it reaches nobody.
func TestAdminsSeeThatMailIsCaptured(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	sam := h.admin("sam@home.example")
	for _, path := range []string{"/admin/people", "/admin/invites", "/admin/groups"} {
		sam.get(path).is(t, 200, "Mail is captured, not sent")
	}
}

// An invite that nobody's name stands behind is by nobody.
func TestAnInviteOfTheCommandLineIsByNobody(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	_, path := h.invites(people.Invitation{Email: "ana@home.example"})
	m := h.letter("invite")
	if m.Subject != "You are invited to Gatelodge" || strings.Contains(m.Text, "do not know") {
		t.Errorf("got %q\n%s", m.Subject, m.Text)
	}
	h.browser().get(path).is(t, 200, "is invited to", "ana@home.example")
}
