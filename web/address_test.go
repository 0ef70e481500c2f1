package web_test

import (
	"net/http"
	"strings"
	"testing"

	"gatelodge/app/apptest"
	"gatelodge/app/config"
	"gatelodge/app/gate"
)

// pasted are ways in which one address reaches a form.
var pasted = []string{
	"\u200bmara@home.example", "\ufeffmara@home.example", "\u202amara@home.example\u202c", "mara@home.example\u00a0",
	"ma\u00adra@home.example", "Mara Olsen <mara@home.example>", "mailto:mara@home.example", "<mara@home.example>,",
}

func TestAPastedAddressSignsIn(t *testing.T) {
	for _, typed := range pasted {
		h := open(t, nil)
		h.user("mara@home.example")
		b := h.browser()
		if m := b.ask(typed); m.Rcpt != "mara@home.example" {
			t.Errorf("%q is mailed to %q", typed, m.Rcpt)
		}
		b.get("/signin/code").is(t, 200, "mara@home.example")
	}
}

func TestAPastedAddressIsStoredWithoutWhatCannotBeSeen(t *testing.T) {
	for _, typed := range pasted {
		h := open(t, mode("open"))
		b := h.browser()
		b.post("/signup", "email", typed, "name", "Mara").goesTo(t, "/signin/code")
		b.get(b.path(h.mail(1)[0]))
		b.isSignedInAs("mara@home.example")
	}
}

func TestAddressesThatMailServersDeliverSignUp(t *testing.T) {
	for _, typed := range []string{"user@ab--cd.com", "reply+" + strings.Repeat("a", 70) + "@tickets.example", "a..b@docomo.example", "mara.@ezweb.example"} {
		h := open(t, mode("open"))
		b := h.browser()
		b.post("/signup", "email", typed, "name", "Mara").goesTo(t, "/signin/code")
		b.get(b.path(h.mail(1)[0]))
		b.isSignedInAs(typed)
	}
}

func TestAnAddressTwiceInAFormIsInvitedOnce(t *testing.T) {
	h := open(t, mode("closed"))
	sam := h.admin("sam@home.example")
	sam.post("/admin/invites", "email", "i17@EXAMPLE.com, I17@example.com\n\u200bi17@example.com; \"Olsen, Ida\" <i17@example.com>", "uses", "1", "days", "7").goesTo(t, "/admin/invites")
	if list := h.letters("invite"); len(list) != 1 || list[0].Rcpt != "i17@example.com" {
		t.Errorf("%d mails", len(list))
	}
}

// An upstream that reports an address with something hidden inside may have verified
// another mailbox.
func TestAnUpstreamsAddressCountsAsItCanBeSeen(t *testing.T) {
	for reported, status := range map[string]int{
		"\ufeffMara@home.example ":     http.StatusSeeOther,
		"ma\u200bra@home.example":      http.StatusOK,
		"Somebody <mara@home.example>": http.StatusOK,
	} {
		h, up := withUpstream(t, func(u *config.Upstream) { trusted(u); u.AllowEmails = []string{"\u200bMara@home.example"} })
		h.user("mara@home.example")
		signsIn(up, "sub", "1", "email", reported, "email_verified", true)
		b := h.browser()
		a := b.with("school")
		if signedIn := b.who() == "mara@home.example"; signedIn != (status == http.StatusSeeOther) {
			t.Errorf("%q: signed in %v, %d", reported, signedIn, a.StatusCode)
		}
	}
}

// An App's list and the command line name an account as the forms do.
func TestAnAllowListNamesTheAddressThatCanBeSeen(t *testing.T) {
	h := open(t, func(c *config.Config) {
		c.Apps = []config.App{{Name: "wiki", Allow: []string{"user:\ufeffMara@home.example"}}}
	})
	h.user("mara@home.example")
	u, err := h.app.Users.Find(t.Context(), "Mara Olsen <\u202amara@home.example>")
	if err != nil {
		t.Fatal(err)
	}
	u.EmailVerifiedAt = apptest.Midday
	if gate.Decide(h.app.Apps.Snapshot().All()[0], gate.Person{User: u}) != nil {
		t.Error("the App refuses mara")
	}
}

// A name over the limit is cut, not lost.
func TestALongNameFromAnUpstreamIsCut(t *testing.T) {
	h, up := withUpstream(t, func(u *config.Upstream) { trusted(u); welcome(u) })
	signsIn(up, "sub", "1", "email", "mara@home.example", "email_verified", true, "name", strings.Repeat("я", 120))
	h.browser().with("school")
	if p := h.person("mara@home.example"); p.Name != strings.Repeat("я", 100) {
		t.Errorf("the name is %q", p.Name)
	}
}

// The page of a pending account is for the browser that asked.
func TestAStrangerDoesNotSeeThatAnAccountIsPending(t *testing.T) {
	h := open(t, mode("approve"))
	h.browser().get("/signup/waiting").goesTo(t, "/signin")
	h.browser().comes("mara@else.example").goesTo(t, "/signup/waiting")
	h.browser().get("/signup/waiting").goesTo(t, "/signin")
}
