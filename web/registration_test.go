package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/mail/outbox"
	"gatelodge/app/people"
)

// mode sets who may come.
func mode(name string, domains ...string) func(*config.Config) {
	return func(c *config.Config) { c.Signup.Mode, c.Signup.Domains = name, domains }
}

// comes follows the link of the mail that was just asked for.
func (b *browser) comes(email string) reply {
	b.t.Helper()
	return b.get(b.path(b.ask(email)))
}

// settle waits until the queue has nothing to do.
func (h *testServer) settle() {
	h.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		list, err := h.app.Outbox.List(h.t.Context(), false)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(list) == 0 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%d mails still wait", len(list))
		}
	}
}

func TestAStrangerRegistersWhereSignUpIsOpen(t *testing.T) {
	h := open(t, mode("open"))
	b := h.browser()
	m := b.ask("Mara@home.example")
	if !strings.Contains(m.Text, "An account on") {
		t.Errorf("the mail says\n%s", m.Text)
	}
	b.get(b.path(m)).goesTo(t, "/account?welcome")
	b.isSignedInAs("Mara@home.example")
	u, err := h.app.Users.Find(t.Context(), "mara@home.example")
	if err != nil || u.EmailVerifiedAt.IsZero() || u.Admin {
		t.Errorf("got %+v, %v", u, err)
	}
	// From now on they are known, by code too.
	b = h.browser()
	h.pass(10 * time.Minute)
	m = b.ask("mara@home.example")
	if strings.Contains(m.Text, "An account on") {
		t.Errorf("the mail says\n%s", m.Text)
	}
	b.post("/signin/code", "code", codeIn(t, m)).goesTo(t, "/account")
}

func TestAStrangerRegistersByCodeOnlyInTheBrowserThatAsked(t *testing.T) {
	h := open(t, mode("open"))
	b := h.browser()
	m := b.ask("mara@home.example")
	h.browser().post("/signin/code", "code", codeIn(t, m)).is(t, http.StatusGone)
	b.post("/signin/code", "code", wrong(codeIn(t, m))).goesTo(t, "/signin/code")
	b.get("/signin/code").is(t, 200, "4 tries left")
	b.post("/signin/code", "code", codeIn(t, m)).goesTo(t, "/account?welcome")
	h.browser().get(b.path(m)).is(t, http.StatusGone, "was used")
	b.get(b.path(m)).goesTo(t, "/account")
}

func TestAScannerMakesNoAccount(t *testing.T) {
	h := open(t, mode("open"))
	b := h.browser()
	m := b.ask("mara@home.example")
	for range 5 {
		h.browser().get(b.path(m)).is(t, 200, "mara@home.example")
		h.browser().do(http.MethodHead, b.path(m), nil)
	}
	if n, err := h.app.Users.Count(t.Context()); n != 0 || err != nil {
		t.Errorf("there are %d users, %v", n, err)
	}
	phone := h.browser()
	phone.post(b.path(m)).goesTo(t, "/account?welcome")
	phone.isSignedInAs("mara@home.example")
}

func TestNoMailGoesToStrangersWhereTheyMayNotRegister(t *testing.T) {
	for name, change := range map[string]func(*config.Config){
		"closed": mode("closed"), "by invite": mode("invite"), "of another domain": mode("domain", "else.example"),
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, change)
			h.user("sam@home.example")
			known, unknown := h.browser(), h.browser()
			known.ask("sam@home.example")
			unknown.post("/signin", "identifier", "eve@home.example").goesTo(t, "/signin/code")
			a, b := known.get("/signin/code"), unknown.get("/signin/code")
			if got := strings.ReplaceAll(b.body, "eve@", "sam@"); got != a.body {
				t.Errorf("the pages differ:\n%s\n%s", a.body, b.body)
			}
			h.settle()
			if list := h.signInMails(); len(list) != 1 {
				t.Errorf("%d mails went out", len(list))
			}
		})
	}
}

func TestPeopleOfADomainRegisterAndOthersDoNot(t *testing.T) {
	h := open(t, mode("domain", "Bücher.example"))
	h.browser().comes("mara@xn--bcher-kva.example").goesTo(t, "/account?welcome")
	b := h.browser()
	b.post("/signin", "identifier", "eve@mail.bücher.example").goesTo(t, "/signin/code")
	h.settle()
	if list := h.signInMails(); len(list) != 1 {
		t.Errorf("%d mails went out", len(list))
	}
}

// letters returns the captured mails of a kind, the newest first.
func (h *testServer) letters(purpose string) (list []outbox.Message) {
	h.t.Helper()
	h.settle()
	for _, m := range h.mail(0) {
		if m.Purpose == purpose {
			list = append(list, m)
		}
	}
	return list
}

func TestWhoAsksWaitsForAnAdmin(t *testing.T) {
	h := open(t, mode("approve"))
	if _, err := h.app.Users.Add(t.Context(), app.Operator(), "sam@home.example", "Sam", true); err != nil {
		t.Fatal(err)
	}
	h.user("ana@home.example")
	b := h.browser()
	b.comes("mara@else.example").goesTo(t, "/signup/waiting")
	b.isSignedInAs("")
	b.get("/signup/waiting").is(t, 200, "Your account waits for approval")
	told := h.letters("access_request")
	if len(told) != 1 || told[0].Rcpt != "sam@home.example" || !strings.Contains(told[0].Text, "mara@else.example") {
		t.Fatalf("admins were told %+v", told)
	}
	// Asking again tells nobody again.
	h.pass(10 * time.Minute)
	h.browser().comes("mara@else.example").goesTo(t, "/signup/waiting")
	if n := len(h.letters("access_request")); n != 1 {
		t.Errorf("admins were told %d times", n)
	}
	if _, err := h.app.Applicants.Approve(t.Context(), app.Operator(), "MARA@else.example"); err != nil {
		t.Fatal(err)
	}
	if let := h.letters("approved"); len(let) != 1 || let[0].Rcpt != "mara@else.example" {
		t.Errorf("they were told %+v", let)
	}
	h.pass(10 * time.Minute)
	b.comes("mara@else.example").goesTo(t, "/account")
	b.isSignedInAs("mara@else.example")
}

func TestARefusalIsShownPolitelyAndOnlyToWhoAsks(t *testing.T) {
	h := open(t, mode("approve"))
	b := h.browser()
	b.comes("eve@else.example").goesTo(t, "/signup/waiting")
	if err := h.app.Applicants.Decline(t.Context(), app.Operator(), "eve@else.example"); err != nil {
		t.Fatal(err)
	}
	if n := len(h.mail(0)); n != 1 {
		t.Errorf("%d mails, want the one they asked for", n)
	}
	h.pass(10 * time.Minute)
	b.comes("eve@else.example").is(t, http.StatusForbidden, "Your account was not approved", "Ask the operator of this server")
	if _, err := h.app.Applicants.Approve(t.Context(), app.Operator(), "eve@else.example"); err != nil {
		t.Fatal(err)
	}
	h.pass(10 * time.Minute)
	b.comes("eve@else.example").goesTo(t, "/account")
}

// A crowd that asks must not fill the admins' mailboxes.
func TestManyRequestsAreReportedTenTimesAnHour(t *testing.T) {
	h := open(t, mode("approve"))
	if _, err := h.app.Users.Add(t.Context(), app.Operator(), "sam@home.example", "", true); err != nil {
		t.Fatal(err)
	}
	for i := range 13 {
		h.browser().comes(string(rune('a'+i))+"@else.example").goesTo(t, "/signup/waiting")
	}
	if n := len(h.letters("access_request")); n != 10 {
		t.Errorf("admins were told %d times", n)
	}
	list, err := h.app.Applicants.All(t.Context())
	if err != nil || len(list) != 13 {
		t.Errorf("%d wait, %v", len(list), err)
	}
}

// At the session API strangers come as at our pages, and whoever may not is told as
// apps expect it.
func TestAStrangerRegistersByTheSessionAPI(t *testing.T) {
	for name, want := range map[string]string{
		"open": wikiOrigin + "/page", "approve": wikiOrigin + "/api/auth/error?error=AccessDenied", "invite": "",
	} {
		t.Run(name, func(t *testing.T) {
			h := wiki(t, "v5", "")
			h.app.Users.Policy = people.NewSignupPolicy(name, nil)
			c := h.browser().authjs("v5")
			c.post("/api/auth/signin/email", "email", "ana@else.example", "callbackUrl", wikiOrigin+"/page").
				leads(t, 200, wikiOrigin+"/api/auth/verify-request?provider=email&type=email")
			h.settle()
			list := h.signInMails()
			if want == "" {
				if len(list) != 0 {
					t.Errorf("%d mails went out", len(list))
				}
				return
			}
			c.get(relative(t, list[0].Link)).redirects(t, want)
		})
	}
}

// What is proven is the address that the mail went to, whatever was typed since.
func TestAnAddressThatWasOnlyTypedIsNotProven(t *testing.T) {
	h := open(t, mode("open"))
	thief := h.browser()
	thief.ask("thief@evil.example")
	h.pass(2 * time.Minute)
	thief.post("/signin", "identifier", "mara@home.example", "method", "password").goesTo(t, "/signin/password")
	m := h.brings(func() { thief.post("/signin/resend").goesTo(t, "/signin/code") })
	if m.Rcpt != "thief@evil.example" {
		t.Fatalf("the mail went to %s", m.Rcpt)
	}
	thief.post("/signin/code", "code", codeIn(t, m)).goesTo(t, "/account?welcome")
	thief.isSignedInAs("thief@evil.example")
	if _, err := h.app.Users.Find(t.Context(), "mara@home.example"); err == nil {
		t.Error("an address that nobody proved has an account")
	}
}

// Some servers mind the case of what stands before the @.
func TestAStrangersMailGoesWhereTheyTyped(t *testing.T) {
	h := open(t, mode("open"))
	if m := h.browser().ask("Mara.O@HOME.example"); m.Rcpt != "Mara.O@home.example" {
		t.Errorf("the mail went to %s", m.Rcpt)
	}
}
