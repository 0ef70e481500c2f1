package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/audit"
	"gatelodge/app/config"
	"gatelodge/store"
)

// admin adds an admin and returns a browser that is signed in as them.
func (h *testServer) admin(email string) *browser {
	h.t.Helper()
	if _, err := h.app.Users.Add(h.t.Context(), app.Operator(), email, "Sam", true); err != nil {
		h.t.Fatal(err)
	}
	b := h.browser()
	b.signIn(email)
	return b
}

func TestAnAdminManagesPeople(t *testing.T) {
	h := open(t, nil)
	sam := h.admin("sam@home.example")
	u := h.user("mara@home.example")
	mara := h.browser()
	mara.signIn("mara@home.example")
	sam.get("/admin").goesTo(t, "/admin/people")
	sam.get("/admin/people").is(t, 200, "2 people", "mara@home.example", "Active", "admins")
	found := sam.get("/admin/people?q=MARA&status=active")
	found.is(t, 200, "mara@home.example")
	if strings.Contains(found.body, ">sam@home.example<") {
		t.Error("the search finds others")
	}
	sam.get("/admin/people?q=%25&status=disabled").is(t, 200, "No matches")

	at := "/admin/people/" + u.ID
	sam.get(at).is(t, 200, "mara@home.example", "Firefox on Linux")
	sam.post("/admin/groups", "group", "Media").goesTo(t, "/admin/groups")
	sam.post("/admin/groups", "group", "media").is(t, 422, "A group with that name exists")
	sam.post(at+"/join", "group", "media").goesTo(t, at)
	sam.get(at).is(t, 200, "Added to the group", "media")
	if a := mara.get("/api/auth/session"); !strings.Contains(a.body, `"groups":["media"]`) {
		t.Errorf("the session says %s", a.body)
	}
	sam.post(at+"/leave", "group", "media").goesTo(t, at)
	sam.post("/admin/groups/media/remove").goesTo(t, "/admin/groups")
	sam.get("/admin/groups").is(t, 200, "Group deleted")

	sam.post(at+"/sign-out").goesTo(t, at)
	mara.isSignedInAs("")
	h.pass(5 * time.Minute)
	mara.comes("mara@home.example")
	mara.isSignedInAs("mara@home.example")
	sam.post(at+"/disable").goesTo(t, at)
	mara.isSignedInAs("")
	sam.get(at).is(t, 200, "Account suspended. All its sessions have ended", "Suspended", "Reactivate account")
	sam.post(at+"/enable").goesTo(t, at)
	sam.get("/admin/people/nobody").is(t, http.StatusNotFound)
}

func TestTheLastAdminStaysOneByThePagesToo(t *testing.T) {
	h := open(t, nil)
	sam := h.admin("sam@home.example")
	at := "/admin/people/" + h.person("sam@home.example").ID
	for _, try := range [][]string{{"/disable"}, {"/leave", "group", store.Admins}} {
		sam.post(at+try[0], try[1:]...).goesTo(t, at)
		sam.get(at).is(t, 200, "The last admin cannot be removed")
	}
	sam.post("/admin/groups/admins/remove").goesTo(t, "/admin/groups")
	sam.get("/admin/groups").is(t, 200, "cannot be deleted")
	sam.isSignedInAs("sam@home.example")
}

func TestAnAdminDecidesWhoRegisters(t *testing.T) {
	h := open(t, mode("approve"))
	sam := h.admin("sam@home.example")
	h.group("media")
	h.browser().comes("ana@else.example").goesTo(t, "/signup/waiting")
	h.browser().comes("eve@else.example").goesTo(t, "/signup/waiting")
	sam.get("/admin/people").is(t, 200, "Waiting for approval", "ana@else.example", "eve@else.example")
	sam.post("/admin/waiting/approve", "who", "ana@else.example", "group", "media").goesTo(t, "/admin/people")
	sam.get("/admin/people").is(t, 200, "Account approved")
	sam.post("/admin/waiting/refuse", "who", "eve@else.example").goesTo(t, "/admin/people")
	sam.post("/admin/waiting/refuse", "who", "eve@else.example").goesTo(t, "/admin/people") // somebody was quicker
	if page := sam.get("/admin/people"); strings.Contains(page.body, "eve@else.example") {
		t.Error("who was refused still waits")
	}
	if got := h.person("ana@else.example").Groups; strings.Join(got, " ") != "media" {
		t.Errorf("in %q", got)
	}
	if n := len(h.letters("approved")); n != 1 {
		t.Errorf("%d were told", n)
	}
}

var shownLink = regexp.MustCompile(`<code>(http[^<]+/invite/[^<]+)</code>`)

func TestAnAdminInvites(t *testing.T) {
	h := open(t, func(c *config.Config) { c.Signup.Mode = "closed" })
	sam := h.admin("sam@home.example")
	h.group("media")
	sam.post("/admin/invites", "email", "mara@home.example", "uses", "1", "days", "7", "group", "media").goesTo(t, "/admin/invites")
	page := sam.get("/admin/invites")
	page.is(t, 200, "Invitation sent", "mara@home.example", "Open")
	if shownLink.MatchString(page.body) {
		t.Error("the link of a mailed invite is shown")
	}
	m := h.letters("invite")[0]
	if m.Rcpt != "mara@home.example" || !strings.Contains(m.Text, "Sam") {
		t.Errorf("the mail went to %s:\n%s", m.Rcpt, m.Text)
	}
	h.pass(time.Second)
	made := sam.post("/admin/invites", "uses", "3", "days", "1")
	made.is(t, 200, "It is not shown again")
	link := shownLink.FindStringSubmatch(made.body)
	if link == nil {
		t.Fatalf("no link in\n%s", made.body)
	}
	if again := sam.get("/admin/invites"); shownLink.MatchString(again.body) {
		t.Error("the link is shown again")
	}
	u, err := url.Parse(link[1])
	if err != nil {
		t.Fatal(err)
	}
	h.browser().get(u.Path).is(t, 200, "Sam invites you", "Create your account")
	for _, wrong := range [][]string{{"uses", "0", "days", "7"}, {"uses", "1001", "days", "7"}, {"uses", "1", "days", "91"}, {"uses", "1", "days", "x"}, {"email", "x", "uses", "1", "days", "1"}, {"email", "sam@home.example", "uses", "1", "days", "1"}, {"uses", "1", "days", "1", "group", store.Admins}} {
		sam.post("/admin/invites", wrong...).is(t, 422)
	}
	list, err := h.app.Invites.All(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%d invites, %v", len(list), err)
	}
	sam.post("/admin/invites/"+list[0].ID+"/revoke").goesTo(t, "/admin/invites")
	h.browser().get(u.Path).is(t, http.StatusGone, "was revoked")
	if logged := h.logged(); strings.Contains(logged, strings.TrimPrefix(u.Path, "/invite/")) {
		t.Error("the log tells the token of an invite")
	}
}

// Of several admins the log tells which it was.
func TestTheLogNamesTheAdminWhoDidIt(t *testing.T) {
	h := open(t, nil)
	h.admin("sam@home.example")
	lea := h.admin("lea@home.example")
	u := h.user("mara@home.example")
	h.pass(time.Second)
	lea.post("/admin/people/"+u.ID+"/disable").goesTo(t, "/admin/people/"+u.ID)
	var last store.Event
	err := h.app.DB.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.EventsOf(u.ID, 1)
		last = list[0]
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if last.Kind != audit.UserDisabled || last.AdminID != h.person("lea@home.example").ID || last.Admin != "lea@home.example" {
		t.Errorf("got %+v", last)
	}
	// Nobody says so of themselves.
	h.pass(time.Second)
	b := h.browser()
	b.signIn("lea@home.example")
	err = h.app.DB.View(t.Context(), func(tx *store.Tx) error {
		list, err := tx.EventsOf(h.person("lea@home.example").ID, 1)
		last = list[0]
		return err
	})
	if err != nil || last.AdminID != "" {
		t.Errorf("got %+v, %v", last, err)
	}
}
