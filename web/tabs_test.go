package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"gatelodge/app/config"
	"gatelodge/app/people"
)

var attemptField = regexp.MustCompile(`name="attempt" value="([^"]+)"`)

// attempt returns the attempt that the page which waits for a code names.
func (b *browser) attempt() string {
	b.t.Helper()
	page := b.get("/signin/code")
	found := attemptField.FindStringSubmatch(page.body)
	if found == nil {
		b.t.Fatalf("the page names no attempt:\n%s", page.body)
	}
	return found[1]
}

// Each tab waits for its own mail: its code costs the other none of its tries, and leads
// where the tab wanted to go.
func TestTwoTabsWaitForTheirOwnCodes(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	h.user("ben@home.example")
	b := h.browser()
	b.get("/account/emails").goesTo(t, "/signin")
	maraCode := codeIn(t, b.ask("mara@home.example"))
	maraTab := b.attempt()
	b.get("/account/history").goesTo(t, "/signin")
	benCode := codeIn(t, b.ask("ben@home.example"))
	benTab := b.attempt()

	b.post("/signin/code", "attempt", maraTab, "code", wrong(maraCode)).goesTo(t, "/signin/code")
	b.get("/signin/code").is(t, http.StatusOK, "mara@home.example", "4 tries left")
	b.post("/signin/code", "attempt", benTab, "code", wrong(benCode)).goesTo(t, "/signin/code")
	b.get("/signin/code").is(t, http.StatusOK, "ben@home.example", "4 tries left")
	b.post("/signin/code", "attempt", maraTab, "code", maraCode).goesTo(t, "/account/emails")
	b.isSignedInAs("mara@home.example")
	// The other tab finds somebody signed in.
	b.post("/signin/code", "attempt", benTab, "code", benCode).goesTo(t, "/account")
	b.isSignedInAs("mara@home.example")
}

// The name of an attempt opens nothing: it is looked for in the browser's own cookie.
func TestAnAttemptIsNamedInItsBrowserAlone(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	h.user("eve@home.example")
	mara, eve := h.browser(), h.browser()
	code := codeIn(t, mara.ask("mara@home.example"))
	tab := mara.attempt()
	eve.post("/signin/code", "attempt", tab, "code", code).is(t, http.StatusGone)
	eve.ask("eve@home.example")
	eve.post("/signin/code", "attempt", tab, "code", code).goesTo(t, "/signin/code") // as wrong as any other
	eve.post("/signin/code", "attempt", "7", "code", code).is(t, http.StatusGone)
	eve.get("/signin/delivery?attempt=7").is(t, http.StatusNoContent)
	eve.post("/signin/resend", "attempt", "7").is(t, http.StatusGone)
	eve.isSignedInAs("")
	mara.post("/signin/code", "attempt", tab, "code", code).goesTo(t, "/account")
}

// Where a browser keeps no cookies, nothing is sent and nothing spent: it says so.
func TestABrowserWithoutCookiesSeesWhy(t *testing.T) {
	h := open(t, mode("open"))
	h.user("mara@home.example")
	m := h.browser().ask("mara@home.example")
	code, err := h.app.Users.SetUpCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, invite := h.invites(people.Invitation{Email: "new@home.example"})
	mails := len(h.mail(2))
	link := mustURL(t, m.Link).Path
	for path, form := range map[string][]string{
		"/signin": {"identifier", "mara@home.example"}, "/signup": {"email", "ben@home.example", "name", "Ben"},
		"/setup": {"setup_code", code, "email", "sam@home.example", "name", "Sam"}, link: {}, invite: {"name", "Mara"},
	} {
		b := h.browser()
		b.client.Jar = nil
		begun := regexp.MustCompile(`name="begun" value="(\d+)"`).FindStringSubmatch(b.get(path).body)
		if begun == nil {
			t.Fatalf("%s: the form does not say when it was shown", path)
		}
		b.post(path, append(form, "begun", begun[1])...).is(t, http.StatusUnprocessableEntity, "Cookies are needed")
	}
	if n := len(h.mail(2)); n != mails {
		t.Errorf("got %d mails, want %d", n, mails)
	}
	// Nothing is spent, and a page that was open for long says nothing of cookies.
	b := h.browser()
	b.get(link)
	b.post(link).goesTo(t, "/account")
	old := h.browser()
	old.client.Jar = nil
	if again := old.post("/signin", "identifier", "mara@"); strings.Contains(again.body, `name="begun"`) {
		t.Error("a form without a cookie says that it has one")
	}
	old.post("/signin", "identifier", "mara@home.example", "begun", "1").goesTo(t, "/signin/code")
}

// Two tabs set out for an upstream before either has a cookie. Each comes back.
func TestTwoTabsSetOutForAnUpstreamAtOnce(t *testing.T) {
	t.Parallel()
	h, up := withUpstream(t, func(u *config.Upstream) { u.TrustEmail = true })
	h.user("mara@home.example")
	signsIn(up, "sub", "mara", "email", "mara@home.example", "email_verified", true)
	b := h.browser()
	ways := b.twice("/signin/with/school")
	var back [2]string
	for i, a := range ways {
		b.receives(a)
		back[i] = b.visit(a.wayOn(t))
	}
	first := b.client.Jar.Cookies(mustURL(t, h.url))
	b.get(back[0]).goesTo(t, "/account")
	b.get(back[1]).goesTo(t, "/account")
	b.isSignedInAs("mara@home.example")

	// The same answer again, with the cookies of before: the first was given up.
	var header []string
	for _, c := range first {
		header = append(header, c.Name+"="+c.Value)
	}
	b.client.Jar = nil
	again := b.get(back[1], "Cookie", strings.Join(header, "; "))
	again.goesTo(t, "/account")
	jar := h.browser()
	b.client.Jar = jar.client.Jar
	b.receives(again)
	b.isSignedInAs("mara@home.example")
	// Elsewhere it is worth nothing.
	h.browser().get(back[1]).is(t, http.StatusGone)
}
