package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/mail/mailtest"
	"gatelodge/app/people"
	"gatelodge/store"
)

func TestAnAdminRemovesSomebodyAfterAQuestionAndNeverTheLastAdmin(t *testing.T) {
	h := open(t, nil)
	sam := h.admin("sam@home.example")
	u := h.user("mara@home.example")
	mara := h.browser()
	mara.signIn("mara@home.example")
	at := "/admin/people/" + u.ID
	sam.get(at).is(t, 200, "Delete account", at+"/remove")
	sam.get(at+"/remove").is(t, 200, "Delete mara@home.example?", "The audit log stays")
	mara.isSignedInAs("mara@home.example")
	sam.post(at+"/remove").goesTo(t, "/admin/people")
	sam.get("/admin/people").is(t, 200, "Account deleted")
	mara.isSignedInAs("")
	sam.post(at+"/remove").goesTo(t, "/admin/people") // somebody was quicker
	sam.get(at+"/remove").is(t, http.StatusNotFound)

	own := "/admin/people/" + h.person("sam@home.example").ID
	sam.get(own).is(t, 200, "This is your own account. You would be signed out at once")
	sam.get(own+"/remove").is(t, 200, "This is your own account")
	sam.post(own+"/remove").goesTo(t, own)
	sam.get(own).is(t, 200, "The last admin cannot be removed")
	sam.isSignedInAs("sam@home.example")
}

// No impersonation: what an admin sends is seen by the user alone, and tells nothing
// of where the admin sits.
func TestAnAdminMailsALinkThatOnlyTheUserSees(t *testing.T) {
	for name, confirm := range map[string]string{"by a button": "button", "by the code": "code"} {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(c *config.Config) { c.Link.Confirm = confirm })
			sam := h.admin("sam@home.example")
			u := h.user("mara@home.example")
			at := "/admin/people/" + u.ID
			sam.get(at).is(t, 200, "Email a sign-in link")
			sam.post(at+"/link").goesTo(t, at)
			page := sam.get(at)
			page.is(t, 200, "Sign-in link sent")
			if strings.Contains(page.body, "/signin/link/") {
				t.Error("the admin sees the link")
			}
			m := h.letters("sent_link")[0]
			if m.Rcpt != "mara@home.example" || !strings.Contains(m.Text, "Sam") {
				t.Errorf("the mail went to %s:\n%s", m.Rcpt, m.Text)
			}
			mara := h.browser()
			asks := mara.get(mara.path(m))
			asks.is(t, 200, "An admin created this link for you")
			if strings.Contains(asks.body, "127.0.0.1") {
				t.Error("the page tells where the admin sits")
			}
			mara.isSignedInAs("")
			if confirm == "code" {
				mara.post(mara.path(m)).is(t, 422)
				mara.isSignedInAs("")
				mara.post(mara.path(m), "code", codeIn(t, m)).goesTo(t, "/account")
			} else {
				mara.post(mara.path(m)).goesTo(t, "/account")
			}
			mara.isSignedInAs("mara@home.example")
			h.browser().get(mara.path(m)).is(t, http.StatusGone)

			if err := h.app.Users.Disable(t.Context(), app.Operator(), u); err != nil {
				t.Fatal(err)
			}
			if page := sam.get(at); strings.Contains(page.body, "Email a sign-in link") {
				t.Error("a link is offered that opens nothing")
			}
			sam.post(at+"/link").is(t, http.StatusForbidden, "suspended")
			if n := len(h.letters("sent_link")); n != 1 {
				t.Errorf("%d mails", n)
			}
		})
	}
}

func TestAnAdminEndsOneDeviceAndTakesAwayOneMethod(t *testing.T) {
	h, up := withUpstream(t, nil)
	sam := h.admin("sam@home.example")
	h.withPassword("mara@home.example", goodPassword)
	signsIn(up, "sub", "1", "email", "mara@school.example")
	phone, desk := h.browser(), h.browser()
	phone.signIn("mara@home.example")
	phone.link("school").goesTo(t, "/account")
	desk.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	u := h.person("mara@home.example")
	at := "/admin/people/" + u.ID
	sam.get(at).is(t, 200, "Our school", "mara@school.example", at+"/disconnect", at+"/remove-password")

	rows, err := h.app.Sessions.Of(t.Context(), u.ID)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d sessions, %v", len(rows), err)
	}
	for _, row := range rows {
		if row.AMR == "pwd" {
			sam.post(at+"/end", "session", row.ID).goesTo(t, at)
		}
	}
	sam.get(at).is(t, 200, "Device signed out")
	desk.isSignedInAs("")
	phone.isSignedInAs("mara@home.example")

	sam.post(at+"/remove-password").goesTo(t, at)
	sam.get(at).is(t, 200, "Password removed")
	phone.isSignedInAs("")
	h.browser().tryPassword("mara@home.example", goodPassword).is(t, 422)
	sam.post(at+"/disconnect", "account", h.accounts("mara@home.example")[0].ID).goesTo(t, at)
	sam.get(at).is(t, 200, "Account disconnected")
	if n := len(h.accounts("mara@home.example")); n != 0 {
		t.Errorf("%d are connected", n)
	}
	h.letter("password_changed")
	h.app.Audit.Flush()
	err = h.app.DB.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.EventsOf(u.ID, 3)
		for _, e := range events {
			if e.Kind == "upstream.unlinked" && e.Actor != "admin" {
				t.Errorf("it was done by %s", e.Actor)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheLastWayOfSomebodyStaysByThePagesToo(t *testing.T) {
	h, up := withUpstream(t, welcome)
	sam := h.admin("sam@home.example")
	signsIn(up, "sub", "1", "name", "Ana")
	b := h.browser()
	b.with("school").goesTo(t, "/signin/connect")
	b.post("/signin/connect").goesTo(t, "/account?welcome")
	a := h.subject("school", "1")
	at := "/admin/people/" + a.UserID
	page := sam.get(at)
	page.is(t, 200, "Our school")
	if strings.Contains(page.body, "/disconnect") || strings.Contains(page.body, at+"/link") {
		t.Error("the last way can be taken away, or mail goes nowhere")
	}
	sam.post(at+"/disconnect", "account", a.ID).goesTo(t, at)
	sam.get(at).is(t, 200, "last way to sign in")
	sam.post(at+"/link").goesTo(t, at)
	sam.get(at).is(t, 200, "no address to email")

	// A password that no name can be typed with is no second way.
	b.post("/account/password", "password", goodPassword).goesTo(t, "/account")
	page = sam.get(at)
	page.is(t, 200, at+"/remove-password")
	if strings.Contains(page.body, "/disconnect") {
		t.Error("the last way can be taken away")
	}
}

func TestPeopleAreListedWhoAreInvitedOrWait(t *testing.T) {
	h := open(t, mode("approve"))
	sam := h.admin("sam@home.example")
	h.invites(people.Invitation{Email: "ina@else.example"})
	h.invites(people.Invitation{})
	h.browser().comes("wim@else.example").goesTo(t, "/signup/waiting")
	for query, want := range map[string][]string{
		"": {"sam@", "ina@", "wim@"}, "?status=invited": {"ina@"}, "?status=waiting": {"wim@"}, "?status=active": {"sam@"}, "?q=INA": {"ina@", "wim@"},
	} {
		page := sam.get("/admin/people" + query)
		page.is(t, 200, want...)
		for _, email := range []string{"sam@home.example<", "ina@else.example<", "wim@else.example<"} {
			wanted := strings.Contains(strings.Join(want, " "), email[:4])
			if got := strings.Contains(page.body, ">"+email); got != wanted {
				t.Errorf("%q lists %s: %v", query, email, got)
			}
		}
	}
	sam.get("/admin/people?status=invited").is(t, 200, `<span class="badge badge-accent">Invited</span>`)
	if page := sam.get("/admin/people?status=waiting"); strings.Contains(page.body, "No matches") {
		t.Error("below those who wait stands that there are none")
	}
	sam.get("/admin/people?status=waiting").is(t, 200, `<span class="badge badge-warn">Pending</span>`)
}

func TestManyAreInvitedAtOnceAndWhoCannotBeStaysInTheForm(t *testing.T) {
	h := open(t, mode("closed"))
	sam := h.admin("sam@home.example")
	sam.post("/admin/invites", "email", "a@home.example\r\nb@home.example, c@home.example", "uses", "1", "days", "7").goesTo(t, "/admin/invites")
	sam.get("/admin/invites").is(t, 200, "3 invitations sent")
	if n := len(h.letters("invite")); n != 3 {
		t.Errorf("%d mails", n)
	}
	a := sam.post("/admin/invites", "email", "d@home.example sam@home.example nobody e@home.example", "uses", "1", "days", "7")
	a.is(t, 422, "2 invitations sent", "sam@home.example: A user with that address exists", ">sam@home.example\nnobody</textarea>")
	if n := len(h.letters("invite")); n != 5 {
		t.Errorf("%d mails", n)
	}
	sam.post("/admin/invites", "email", strings.Repeat("x@home.example ", 101), "uses", "1", "days", "7").is(t, http.StatusRequestEntityTooLarge)
}

// The mail of an invite that does not arrive is told where the invite is.
func TestAnInviteWhoseMailCameBackSaysSo(t *testing.T) {
	smarthost := mailtest.Serve(t, picky)
	h := open(t, through(smarthost.Port))
	u, err := h.app.Users.Add(t.Context(), app.Operator(), "sam@home.example", "Sam", true)
	if err != nil {
		t.Fatal(err)
	}
	link, _, err := h.app.Login.LinkFor(t.Context(), app.Operator(), u)
	if err != nil {
		t.Fatal(err)
	}
	sam := h.browser()
	sam.post(local(t, link)).goesTo(t, "/account")
	sam.post("/admin/invites", "email", "gone@home.example mara@home.example", "uses", "1", "days", "7").goesTo(t, "/admin/invites")
	h.settled()
	page := sam.get("/admin/invites")
	page.is(t, 200, "Bounced")
	if n := strings.Count(page.body, "Bounced"); n != 1 {
		t.Errorf("%d came back", n)
	}
	sam.get("/admin/people?status=invited").is(t, 200, "Bounced")
	for email, want := range map[string]string{"gone@home.example": "returned", "mara@home.example": "open"} {
		v, err := h.app.Invites.Find(t.Context(), email)
		if err != nil || h.app.Invites.State(v) != want {
			t.Errorf("%s: got %+v, %v", email, v, err)
		}
		sam.post("/admin/invites/"+v.ID+"/revoke").goesTo(t, "/admin/invites")
	}
	sam.get("/admin/invites").is(t, 200, "Revoked")
}

// A form that comes too late is not lost without a word.
func TestAFormThatHadToBeConfirmedIsFilledAgain(t *testing.T) {
	h := open(t, nil)
	sam := h.admin("sam@home.example")
	h.group("media")
	for name, tt := range map[string]struct {
		path string
		form []string
		page string
		want []string
	}{
		"invites":   {"/admin/invites", []string{"email", "a@home.example\nb@home.example", "uses", "3", "days", "9", "group", "media"}, "/admin/invites", []string{">a@home.example\nb@home.example</textarea>", `value="3"`, `value="9"`, `value="media" checked`}},
		"a group":   {"/admin/groups", []string{"group", "ops"}, "/admin/groups", []string{`value="ops"`}},
		"addresses": {"/account/emails", []string{"email", "new@home.example"}, "/account/emails", []string{`value="new@home.example"`}},
		"a profile": {"/account/profile", []string{"name", "Samantha", "username", "sam.r"}, "/account/profile", []string{`value="Samantha"`, `value="sam.r"`}},
		"a person":  {"/admin/people/" + h.person("sam@home.example").ID + "/sign-out", nil, "/admin/people/" + h.person("sam@home.example").ID, nil},
		"my data":   {"/account/data", nil, "/account", nil},
		"password":  {"/account/password", []string{"password", goodPassword}, "/account/password", nil},
		"closing":   {"/account/close", []string{"confirm", "sam@home.example"}, "/account/close", nil},
	} {
		t.Run(name, func(t *testing.T) {
			h.pass(20 * time.Minute)
			sam.post(tt.path, tt.form...).goesTo(t, "/account/confirm")
			page := sam.get("/account/confirm")
			page.is(t, 200, "Confirm that it is you to continue")
			if strings.Contains(page.body, "how your account is opened") {
				t.Error("the page says what is not so")
			}
			m := h.brings(func() { sam.post("/account/confirm", "method", "mail").goesTo(t, "/signin/code") })
			sam.post("/signin/code", "code", codeIn(t, m)).goesTo(t, tt.page)
			again := sam.get(tt.page)
			again.is(t, 200, append(tt.want, "Submit the change once more")...)
			if strings.Contains(again.body, goodPassword) {
				t.Error("the page holds a password")
			}
			if later := sam.get(tt.page); strings.Contains(later.body, "Submit the change once more") {
				t.Error("it is said twice")
			}
		})
	}
}

// Nobody had sent anything: there is nothing to do once more.
func TestConfirmingToReadAPageAsksForNothingMore(t *testing.T) {
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	b := h.browser()
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	h.pass(11 * time.Minute)
	b.get("/account/password").goesTo(t, "/account/confirm")
	b.post("/account/confirm", "password", goodPassword).goesTo(t, "/account/password")
	if page := b.get("/account/password"); strings.Contains(page.body, "once more") {
		t.Error("the page asks to do it once more")
	}
}

func TestWelcomeBackNamesTheLastMethod(t *testing.T) {
	h := open(t, nil)
	h.withPassword("mara@home.example", goodPassword)
	b := h.browser()
	b.signIn("mara@home.example")
	b.post("/signout")
	b.get("/signin").is(t, 200, "Welcome back", "You used an emailed link or code last time on this browser.")
	b.tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
	b.post("/signout")
	b.get("/signin").is(t, 200, "You used your password last time on this browser.")
}
