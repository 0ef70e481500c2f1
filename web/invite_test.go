package web_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/people"
	"gatelodge/app/upstream/upstreamtest"
	"gatelodge/store"
)

// invites makes an invite and returns it and the path of its link, off the mail or
// as it is shown.
func (h *testServer) invites(i people.Invitation) (store.Invite, string) {
	h.t.Helper()
	h.pass(time.Millisecond)
	v, link, err := h.app.Invites.Add(h.t.Context(), app.Operator(), i)
	if err != nil {
		h.t.Fatal(err)
	}
	if i.Email != "" {
		if link != "" {
			h.t.Errorf("the link of a mailed invite is shown: %s", link)
		}
		link = h.letters("invite")[0].Link
	}
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(u.Path, "/invite/") {
		h.t.Fatalf("the link is %q, %v", link, err)
	}
	return v, u.Path
}

func (h *testServer) group(name string) {
	h.t.Helper()
	if _, err := h.app.Users.AddGroup(h.t.Context(), app.Operator(), name); err != nil {
		h.t.Fatal(err)
	}
}

// person returns somebody as admins see them.
func (h *testServer) person(email string) store.Person {
	h.t.Helper()
	u, err := h.app.Users.Find(h.t.Context(), email)
	if err != nil {
		h.t.Fatal(err)
	}
	p, _, err := h.app.Users.Person(h.t.Context(), u.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func TestAMailedInviteRegistersWhereSignUpIsClosed(t *testing.T) {
	h := open(t, mode("closed"))
	h.group("media")
	_, path := h.invites(people.Invitation{Email: "Mara@home.example", Groups: []string{"media"}})
	b := h.browser()
	b.get(path).is(t, 200, "Create your account", "Mara@home.example", "Your name")
	b.post(path, "name", "Mara", "password", "short").is(t, 422, "at least 15")
	b.post(path, "name", "Mara").goesTo(t, "/account?welcome")
	b.isSignedInAs("Mara@home.example")
	p := h.person("mara@home.example")
	if p.Name != "Mara" || strings.Join(p.Groups, " ") != "media" || p.EmailVerifiedAt.IsZero() || p.Admin || p.Password {
		t.Errorf("got %+v", p)
	}
	h.browser().get(path).is(t, http.StatusGone, "This invitation has been used")
	h.browser().post(path, "name", "Eve").is(t, http.StatusGone, "This invitation has been used")
}

func TestAMailedInviteTakesAPassword(t *testing.T) {
	h := open(t, mode("invite"))
	_, path := h.invites(people.Invitation{Email: "mara@home.example"})
	b := h.browser()
	b.post(path, "name", "Mara", "password", "mara@home.example").is(t, 422, "little more than your name")
	b.post(path, "name", "Mara", "password", goodPassword).goesTo(t, "/account?welcome")
	h.browser().tryPassword("mara@home.example", goodPassword).goesTo(t, "/account")
}

// Scanners open links, press buttons, and fill in nothing.
func TestAScannerSpendsNoInvite(t *testing.T) {
	h := open(t, mode("closed"))
	_, mailed := h.invites(people.Invitation{Email: "mara@home.example"})
	_, link := h.invites(people.Invitation{})
	for _, path := range []string{mailed, link} {
		for range 5 {
			scanner := h.browser()
			scanner.get(path).is(t, 200)
			scanner.do(http.MethodHead, path, nil)
			scanner.post(path).is(t, 422, "Enter your name")
			scanner.isSignedInAs("")
		}
	}
	if n, err := h.app.Users.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("there are %d users, %v", n, err)
	}
	h.browser().post(mailed, "name", "Mara").goesTo(t, "/account?welcome")
}

func TestALinkLetsInAsManyAsItIsForOnceTheyProveAnAddress(t *testing.T) {
	h := open(t, mode("closed"))
	h.group("media")
	v, path := h.invites(people.Invitation{Uses: 2, Groups: []string{"media"}})
	for _, email := range []string{"a@home.example", "b@home.example"} {
		b := h.browser()
		b.get(path).is(t, 200, "Email address")
		m := h.brings(func() { b.post(path, "name", "A", "email", email).goesTo(t, "/signin/code") })
		b.isSignedInAs("")
		b.get(b.path(m)).goesTo(t, "/account?welcome")
		b.isSignedInAs(email)
		if got := h.person(email).Groups; strings.Join(got, " ") != "media" {
			t.Errorf("%s is in %q", email, got)
		}
	}
	h.browser().get(path).is(t, http.StatusGone, "This invitation has been used")
	if got, err := h.app.Invites.Find(t.Context(), v.ID); err != nil || got.UsesLeft != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Two who began before the last use went: one comes, the other is told.
func TestTheLastUseOfALinkGoesOnce(t *testing.T) {
	h := open(t, mode("closed"))
	_, path := h.invites(people.Invitation{})
	first, second := h.browser(), h.browser()
	a := h.brings(func() { first.post(path, "name", "A", "email", "a@home.example").goesTo(t, "/signin/code") })
	b := h.brings(func() { second.post(path, "name", "B", "email", "b@home.example").goesTo(t, "/signin/code") })
	second.get(second.path(b)).goesTo(t, "/account?welcome")
	first.get(first.path(a)).is(t, http.StatusGone, "This invitation has been used")
	first.isSignedInAs("")
}

// Asked for in one browser, opened in another: the invite comes along.
func TestALinksInviteGoesAlongToAnotherBrowser(t *testing.T) {
	h := open(t, mode("closed"))
	h.group("media")
	_, path := h.invites(people.Invitation{Groups: []string{"media"}})
	desk, phone := h.browser(), h.browser()
	m := h.brings(func() {
		desk.post(path, "name", "Mara", "email", "mara@home.example", "choose", "1").goesTo(t, "/signin/code")
	})
	phone.get(phone.path(m)).is(t, 200, "mara@home.example")
	phone.post(phone.path(m)).goesTo(t, "/account/password")
	phone.isSignedInAs("mara@home.example")
	if got := h.person("mara@home.example"); strings.Join(got.Groups, " ") != "media" || got.Name != "Mara" {
		t.Errorf("got %+v", got)
	}
}

func TestADeadInviteSaysWhatBecameOfIt(t *testing.T) {
	h := open(t, mode("closed"))
	_, old := h.invites(people.Invitation{For: time.Hour})
	v, revoked := h.invites(people.Invitation{})
	if err := h.app.Invites.Revoke(t.Context(), app.Operator(), v.ID); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Hour)
	for path, words := range map[string]string{
		old: "This invitation has expired", revoked: "This invitation was revoked", "/invite/" + strings.Repeat("A", 43): "This invitation link does not work",
		"/invite/x": "This invitation link does not work",
	} {
		h.browser().get(path).is(t, http.StatusGone, words)
		h.browser().post(path, "name", "A", "email", "a@home.example").is(t, http.StatusGone, words)
	}
}

func TestAnInviteOpenedWhileSignedInAsSomebodyElse(t *testing.T) {
	h := open(t, mode("closed"))
	h.group("media")
	h.user("eve@home.example")
	b := h.browser()
	b.signIn("eve@home.example")
	_, path := h.invites(people.Invitation{Email: "mara@home.example"})
	b.get(path).is(t, 200, "You are signed in here as", "eve@home.example", "creates another account")
	b.isSignedInAs("eve@home.example")
	// Not hers: the button for whoever is signed in is not there, and of no use.
	b.post(path, "as", "me").is(t, 422, "Enter your name")
	b.isSignedInAs("eve@home.example")
	b.post(path, "name", "Mara").goesTo(t, "/account?welcome")
	b.isSignedInAs("mara@home.example")

	// A link is for whoever has it, an account or not.
	v, link := h.invites(people.Invitation{Groups: []string{"media"}, Uses: 2})
	b.get(link).is(t, 200, "Accept as mara@home.example")
	b.post(link, "as", "me").goesTo(t, "/account")
	b.get("/account").is(t, 200, "Invitation accepted")
	b.post(link, "as", "me").goesTo(t, "/account")
	if got, err := h.app.Invites.Find(t.Context(), v.ID); err != nil || got.UsesLeft != 1 {
		t.Errorf("accepted twice, %d uses are left, %v", got.UsesLeft, err)
	}
	if got := h.person("mara@home.example").Groups; strings.Join(got, " ") != "media" {
		t.Errorf("in %q", got)
	}
}

func TestWhoHasAnAccountSignsInToAcceptAnInvite(t *testing.T) {
	h := open(t, mode("closed"))
	h.group("media")
	h.group("ops")
	_, mailed := h.invites(people.Invitation{Email: "mara@home.example", Groups: []string{"media"}})
	_, link := h.invites(people.Invitation{Groups: []string{"ops"}})
	h.user("mara@home.example")
	b := h.browser()
	b.get(mailed).is(t, 200, "has an account here")
	m := h.brings(func() { b.post(mailed, "name", "Eve").goesTo(t, "/signin/code") }) // it makes no other
	b.get(b.path(m)).goesTo(t, "/account")
	b.isSignedInAs("mara@home.example")

	b = h.browser()
	b.post(link, "as", "known").goesTo(t, "/signin?other=1")
	b.get("/signin?other=1").is(t, 200, "to accept the invitation")
	h.pass(10 * time.Minute)
	b.comes("mara@home.example").goesTo(t, "/account")
	if got := h.person("mara@home.example").Groups; strings.Join(got, " ") != "media ops" {
		t.Errorf("in %q", got)
	}
}

// work is what an answer wrote down, by kind.
type work struct{ challenges, messages, addressed int }

func (h *testServer) work(since time.Time) work {
	h.t.Helper()
	var w work
	h.app.Audit.Flush()
	list, err := h.app.Outbox.List(context.Background(), true)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, m := range list {
		if !m.CreatedAt.Before(since) {
			w.messages++
			if m.Addressed {
				w.addressed++
			}
			if m.ChallengeID != "" {
				w.challenges++
			}
		}
	}
	return w
}

// Signing up tells nobody who has an account: the same page, the same work. The
// mail tells whoever reads it.
func TestSigningUpWithAKnownAddressLooksTheSame(t *testing.T) {
	for name, change := range map[string]string{"open": "open", "approve": "approve", "domain": "domain"} {
		t.Run(name, func(t *testing.T) {
			domains := []string{"home.example"}
			if change != "domain" {
				domains = nil
			}
			h := open(t, mode(change, domains...))
			h.user("mara@home.example")
			answer := func(email string) (reply, reply, work) {
				h.pass(time.Minute)
				since := h.Now()
				b := h.browser()
				sent := b.post("/signup", "email", email, "name", "Somebody", "choose", "1")
				waiting := b.get("/signin/code")
				h.settle()
				return sent, waiting, h.work(since)
			}
			known, knownPage, knownWork := answer("mara@home.example")
			unknown, unknownPage, unknownWork := answer("lara@home.example")
			known.goesTo(t, "/signin/code")
			unknown.goesTo(t, "/signin/code")
			same := func(body string) string {
				body = regexp.MustCompile(`\d\d:\d\d`).ReplaceAllString(body, "00:00")
				return strings.ReplaceAll(body, "lara@", "mara@")
			}
			if same(knownPage.body) != same(unknownPage.body) {
				t.Errorf("the pages differ:\n%s\n%s", knownPage.body, unknownPage.body)
			}
			if known.ContentLength != unknown.ContentLength || len(known.Header) != len(unknown.Header) {
				t.Errorf("the answers differ: %v, %v", known.Header, unknown.Header)
			}
			if knownWork != unknownWork {
				t.Errorf("the work differs: %+v, %+v", knownWork, unknownWork)
			}
			list := h.signInMails()
			if !strings.Contains(list[1].Text, "You already have an account") || !strings.Contains(list[0].Text, "An account on") {
				t.Errorf("the mails say\n%s\n%s", list[1].Text, list[0].Text)
			}
			// And nobody's name is changed by who only typed their address.
			if h.person("mara@home.example").Name != "" {
				t.Error("a stranger named somebody else's account")
			}
		})
	}
}

// Where a domain's people may come, the domain alone is judged, known or not.
func TestSigningUpFromAnotherDomainShowsNothingOfWhoIsKnown(t *testing.T) {
	h := open(t, mode("domain", "home.example"))
	h.user("guest@else.example")
	var bodies []string
	for _, email := range []string{"guest@else.example", "other@else.example", "x@sub.home.example"} {
		a := h.browser().post("/signup", "email", email)
		a.is(t, 422, "home.example")
		bodies = append(bodies, strings.ReplaceAll(a.body, email, ""))
	}
	if bodies[0] != bodies[1] {
		t.Error("the pages differ")
	}
}

func TestTheSignUpPageIsThereWhereStrangersMayRegister(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		words  string
		signin string
	}{
		"closed":  {http.StatusForbidden, "Sign-up is closed", "No account? Ask"},
		"invite":  {http.StatusForbidden, "You need an invitation", "for an invitation"},
		"domain":  {200, "Only people with an address at home.example", "New here?"},
		"approve": {200, "reviews your request", "New here?"},
		"open":    {200, "Then your account is ready", "New here?"},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(c *config.Config) {
				mode(name)(c)
				c.Contact = "Sam <sam@home.example>"
				if name == "domain" {
					c.Signup.Domains = []string{"home.example"}
				}
			})
			h.browser().get("/signup").is(t, tt.status, tt.words)
			h.browser().get("/signin").is(t, 200, tt.signin)
			a := h.browser().post("/signup", "email", "mara@home.example")
			if tt.status == 200 {
				a.goesTo(t, "/signin/code")
			} else {
				a.is(t, tt.status, tt.words)
			}
		})
	}
}

// Whoever types an address first must not know the password of whoever owns it.
func TestAPasswordIsChosenAfterTheAddressIsProven(t *testing.T) {
	h := open(t, mode("open"))
	thief := h.browser()
	m := h.brings(func() {
		thief.post("/signup", "email", "mara@home.example", "choose", "1", "password", goodPassword).goesTo(t, "/signin/code")
	})
	mara := h.browser()
	mara.post(mara.path(m)).goesTo(t, "/account/password")
	mara.get("/account/password").is(t, 200, "Set a password")
	thief.tryPassword("mara@home.example", goodPassword).is(t, 422, "do not match")
	thief.get("/account").goesTo(t, "/signin")
}

// An account that was begun and not finished is not there.
func TestWhoOnlyTypesAnAddressTakesItFromNobody(t *testing.T) {
	h := open(t, mode("open"))
	h.brings(func() {
		h.browser().post("/signup", "email", "mara@home.example", "name", "Eve").goesTo(t, "/signin/code")
	})
	h.user("mara@home.example") // an admin is quicker
	b := h.browser()
	h.pass(time.Minute)
	b.comes("mara@home.example").goesTo(t, "/account")
	if p := h.person("mara@home.example"); p.Name != "" {
		t.Errorf("they are called %q", p.Name)
	}
}

// An upstream is one more way to accept, and what it says of an address changes
// nothing about whom a mailed invite is for.
func TestAnInviteIsAcceptedByAnUpstream(t *testing.T) {
	h, up := withUpstream(t, trusted)
	h.group("media")
	_, mailed := h.invites(people.Invitation{Email: "mara@home.example", Groups: []string{"media"}})
	v, link := h.invites(people.Invitation{Groups: []string{"media"}})
	by := func(path string) reply {
		b := h.browser()
		b.get(path).is(t, 200, "Continue with Our school")
		return b.get(b.visit(b.post(path, "with", "school").wayOn(t)))
	}
	signsIn(up, "sub", "1", "email", "mara.o@else.example", "email_verified", true, "name", "Mara")
	by(mailed).goesTo(t, "/account")
	if p := h.person("mara@home.example"); p.Name != "Mara" || strings.Join(p.Groups, " ") != "media" || len(p.Upstreams) != 1 {
		t.Errorf("got %+v", p)
	}
	signsIn(up, "sub", "2", "email", "ana@else.example", "email_verified", true, "name", "Ana")
	by(link).goesTo(t, "/account")
	if p := h.person("ana@else.example"); strings.Join(p.Groups, " ") != "media" {
		t.Errorf("got %+v", p)
	}
	if got, err := h.app.Invites.Find(t.Context(), v.ID); err != nil || got.UsesLeft != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	// It is used up, and the door is for the invited.
	signsIn(up, "sub", "3", "email", "eve@else.example", "email_verified", true)
	h.browser().with("school").is(t, http.StatusForbidden, "You need an invitation")
	if _, err := h.app.Users.Find(t.Context(), "eve@else.example"); err == nil {
		t.Error("a stranger was kept")
	}
}

// Who comes by an upstream waits like everybody else, and comes with it.
func TestWhoAsksByAnUpstreamWaitsToo(t *testing.T) {
	h, up := withUpstream(t, trusted)
	h.app.Users.Policy = people.NewSignupPolicy(people.ByApproval, nil)
	signsIn(up, "sub", "1", "email", "mara@else.example", "email_verified", true, "name", "Mara")
	b := h.browser()
	b.with("school").goesTo(t, "/signup/waiting")
	b.with("school").goesTo(t, "/signup/waiting")
	list, err := h.app.Applicants.All(t.Context())
	if err != nil || len(list) != 1 || list[0].Provider != "school" {
		t.Fatalf("%+v wait, %v", list, err)
	}
	if _, err := h.app.Applicants.Approve(t.Context(), app.Operator(), "mara@else.example"); err != nil {
		t.Fatal(err)
	}
	b.with("school").goesTo(t, "/account")
	b.isSignedInAs("mara@else.example")
}

// Nobody has proven the address that an upstream tells and that is not trusted. Who
// decides is told so, and whoever waits is told what is true for them.
func TestWhoWaitsWithoutAProvenAddressReadsWhatIsTrue(t *testing.T) {
	for name, tt := range map[string]struct {
		claims []any
		mail   []string // in the admin's
		row    []string // on the admin's page
	}{
		"with an address nobody has proven": {
			[]any{"sub", "1", "name", "Ana", "email", "ana@else.example", "email_verified", true},
			[]string{"Ana requests an account", "Our school, which reports the address ana@else.example", "The address is not confirmed"},
			[]string{"Ana", "Our school reports <strong>ana@else.example</strong>, which is not confirmed"},
		},
		"without a name": {
			[]any{"sub", "1", "email", "ana@else.example"},
			[]string{"ana@else.example requests an account"},
			[]string{"<strong class=\"any\">ana@else.example</strong>"},
		},
		"without a name or an address": {
			[]any{"sub", "subject-1"},
			[]string{"subject-1 requests an account", "Our school, which reports no address"},
			[]string{"<strong class=\"any\">subject-1</strong>", "Our school reports no address"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, up := withUpstream(t, nil)
			h.app.Users.Policy = people.NewSignupPolicy(people.ByApproval, nil)
			sam := h.admin("sam@home.example")
			signsIn(up, tt.claims...)
			b := h.browser()
			b.with("school").goesTo(t, "/signin/connect")
			b.post("/signin/connect").goesTo(t, "/signup/waiting")
			page := b.get("/signup/waiting")
			page.is(t, 200, "Your account waits for approval", "We notified the operator of this server on 23 Nov 2026", "Continue with Our school again to check")
			if strings.Contains(page.body, "confirmed:") || strings.Contains(page.body, "you get a mail") {
				t.Errorf("they are promised a mail:\n%s", page.body)
			}
			told := h.letters("access_request")
			if len(told) != 1 {
				t.Fatalf("%d mails", len(told))
			}
			for _, want := range tt.mail {
				if !strings.Contains(strings.Join(strings.Fields(told[0].Text), " "), want) {
					t.Errorf("the mail lacks %q:\n%s", want, told[0].Text)
				}
			}
			admins := sam.get("/admin/people")
			admins.is(t, 200, tt.row...)
			if strings.Contains(admins.body, "Each has confirmed") {
				t.Error("the page says what is not true")
			}
			list, err := h.app.Applicants.All(t.Context())
			if err != nil || len(list) != 1 || list[0].Email != "" {
				t.Fatalf("%+v wait, %v", list, err)
			}
			sam.post("/admin/waiting/approve", "who", list[0].EmailNorm).goesTo(t, "/admin/people")
			sam.get("/admin/people").is(t, 200, "so we cannot email them")
			if n := len(h.letters("approved")); n != 0 {
				t.Errorf("%d mails went to nobody", n)
			}
			b.with("school").goesTo(t, "/account")
			if who := h.subject("school", list[0].Subject); who.Email != list[0].Claimed {
				t.Errorf("what the upstream told is %q", who.Email)
			}
		})
	}
}

// subject returns the account at an upstream with that subject.
func (h *testServer) subject(provider, subject string) (a store.Account) {
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

// Where it is set, people are told whom to ask by name.
func TestTheContactIsNamedWhereSomebodyHasToAsk(t *testing.T) {
	up := upstreamtest.New(t)
	h := open(t, func(c *config.Config) {
		c.Contact, c.Signup.Mode = "Sam Rivera <sam@home.example>", "invite"
		u := openID(t, "school", up)
		u.TrustEmail = true
		c.Upstreams = []config.Upstream{u}
	})
	up.Set(func(s *upstreamtest.Server) { s.Now = h.Now })
	signsIn(up, "sub", "1", "email", "ana@else.example", "email_verified", true)
	h.browser().with("school").is(t, http.StatusForbidden, "Ask Sam Rivera for an invitation")
	h.app.Users.Policy = people.NewSignupPolicy(people.ByApproval, nil)
	b := h.browser()
	b.with("school").goesTo(t, "/signup/waiting")
	b.get("/signup/waiting").is(t, 200, "New accounts are reviewed by Sam Rivera", "Your address is confirmed. We email you")
	h.browser().get("/signup/waiting").goesTo(t, "/signin") // a stranger learns of no account
	u := h.user("mara@home.example")
	if err := h.app.Users.Disable(t.Context(), app.Operator(), u); err != nil {
		t.Fatal(err)
	}
	signsIn(up, "sub", "2", "email", "mara@home.example", "email_verified", true)
	h.browser().with("school").is(t, http.StatusForbidden, "This account is suspended", "Ask Sam Rivera.")
	up.Set(func(s *upstreamtest.Server) { s.TokenError = "invalid_client" })
	h.browser().with("school").is(t, http.StatusServiceUnavailable, "tell Sam Rivera.")
}

// Whoever comes to have an account made is offered one first; an upstream whose word
// is not taken makes no difference.
func TestWhoSignsUpByAnUpstreamIsOfferedAnAccount(t *testing.T) {
	h, up := withUpstream(t, nil)
	h.group("media")
	v, path := h.invites(people.Invitation{Groups: []string{"media"}, Uses: 2})
	signsIn(up, "sub", "1", "email", "ana@else.example")
	b := h.browser()
	b.get(b.visit(b.post(path, "with", "school").wayOn(t))).goesTo(t, "/signin/connect")
	page := b.get("/signin/connect")
	page.is(t, 200, "<h1>Create your account</h1>", "You are signed in at Our school as ana@else.example", "if you have an account here")
	if strings.Index(page.body, `action="/signin/connect"`) > strings.Index(page.body, `action="/signin"`) {
		t.Error("an account does not come first")
	}
	b.post("/signin/connect").goesTo(t, "/account?welcome")
	if u, err := h.app.Users.Find(t.Context(), h.subject("school", "1").UserID); err != nil {
		t.Error(u, err)
	}
	if got, err := h.app.Invites.Find(t.Context(), v.ID); err != nil || got.UsesLeft != 1 {
		t.Errorf("%+v, %v", got, err)
	}

	// Where strangers may come, from the page that asks for an account.
	h.app.Users.Policy = people.NewSignupPolicy(people.Open, nil)
	signsIn(up, "sub", "2", "email", "jin@else.example")
	c := h.browser()
	c.get("/signup").is(t, 200, `name="new" value="1"`)
	c.get(c.visit(c.post("/signin/with/school", "new", "1").wayOn(t))).goesTo(t, "/signin/connect")
	c.get("/signin/connect").is(t, 200, "<h1>Create your account</h1>")

	// Who signs in is asked for the account they have, as before, and may go back.
	d := h.browser()
	d.with("school").goesTo(t, "/signin/connect")
	d.get("/signin/connect").is(t, 200, "<h1>Connect Our school to your account?</h1>", "Cancel")
	d.post("/signin/connect", "no", "1").goesTo(t, "/signin")
	d.get("/signin/connect").goesTo(t, "/signin")
	d.isSignedInAs("")
}

// A refusal is a whole sentence, whatever colour it has.
func TestAnInviteThatDiedMeanwhileIsReportedToWhoSignsIn(t *testing.T) {
	h := open(t, mode("closed"))
	h.group("media")
	h.user("mara@home.example")
	v, path := h.invites(people.Invitation{Groups: []string{"media"}})
	b := h.browser()
	b.post(path, "as", "known").goesTo(t, "/signin?other=1")
	if err := h.app.Invites.Revoke(t.Context(), app.Operator(), v.ID); err != nil {
		t.Fatal(err)
	}
	b.comes("mara@home.example").goesTo(t, "/account")
	b.get("/account").is(t, 200, "You are signed in, but the invitation was revoked.")
}

// An invite that was mailed to one address makes no account for another, and is not
// spent by it.
func TestAMailedInviteIsNotSpentByAnotherAddress(t *testing.T) {
	for _, door := range []string{"open", "approve"} {
		h := open(t, mode(door))
		v, path := h.invites(people.Invitation{Email: "inv@home.example"})
		b := h.browser()
		b.post(path, "as", "known").goesTo(t, "/signin/code")
		a := b.comes("other@home.example")
		if door == "open" {
			a.goesTo(t, "/account?welcome")
			b.isSignedInAs("other@home.example")
		} else {
			b.get(a.Header.Get("Location")).is(t, 200, "waits for approval")
		}
		if got, err := h.app.Invites.Find(t.Context(), v.ID); err != nil || got.UsesLeft != 1 {
			t.Errorf("%s: %d uses are left, %v", door, got.UsesLeft, err)
		}
		if _, err := h.app.Users.Find(t.Context(), "inv@home.example"); err == nil {
			t.Errorf("%s: the invited have an account they did not ask for", door)
		}
	}
}

// Where anybody may come, an invite that died on the way keeps nobody out.
func TestADeadInviteKeepsNobodyFromOpenSignUp(t *testing.T) {
	h := open(t, mode("open"))
	h.group("media")
	_, path := h.invites(people.Invitation{Groups: []string{"media"}})
	first, second := h.browser(), h.browser()
	letter := func(b *browser, name string) outbox.Message {
		return h.brings(func() {
			b.post(path, "name", name, "email", name+"@home.example").goesTo(t, "/signin/code")
		})
	}
	toFirst, toSecond := letter(first, "mara"), letter(second, "ana")
	first.get(first.path(toFirst)).goesTo(t, "/account?welcome")
	second.get(second.path(toSecond)).goesTo(t, "/account?welcome")
	second.get("/account").is(t, 200, "the invitation has been used")
	if got := h.person("ana@home.example"); len(got.Groups) != 0 {
		t.Errorf("in %v", got.Groups)
	}
}
