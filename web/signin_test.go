package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/store"
)

func TestLinkSignsInTheBrowserThatAsked(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	b.signIn("Mara@HOME.example")
	b.isSignedInAs("mara@home.example")
	b.get("/account").is(t, 200, "mara@home.example", "Firefox on Linux", "This device")
}

func TestCodeSignsInWhateverItsSpaces(t *testing.T) {
	for name, typed := range map[string]func(string) string{
		"as it is":    func(c string) string { return c },
		"with spaces": func(c string) string { return " " + c[:3] + " " + c[3:] + " " },
		"with dashes": func(c string) string { return c[:2] + "-" + c[2:4] + "-" + c[4:] },
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, nil)
			h.user("mara@home.example")
			b := h.browser()
			m := b.ask("mara@home.example")
			b.post("/signin/code", "code", typed(codeIn(t, m))).goesTo(t, "/account")
			b.isSignedInAs("mara@home.example")
			// The link of the same mail is spent with it. Here it leads on.
			h.browser().get(b.path(m)).is(t, http.StatusGone, "was used")
			b.get(b.path(m)).goesTo(t, "/account")
		})
	}
}

// A mail scanner opens every link, follows redirects, and holds no cookie.
func TestAMailScannerSpendsNothing(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	m := b.ask("mara@home.example")
	for i := range 50 {
		scanner := h.browser()
		method := []string{http.MethodGet, http.MethodHead}[i%2]
		a := scanner.do(method, b.path(m), nil)
		if a.StatusCode != 200 {
			t.Fatalf("%s number %d got %d", method, i, a.StatusCode)
		}
		if who := scanner.who(); who != "" {
			t.Fatalf("%s number %d signed a scanner in as %s", method, i, who)
		}
	}
	b.get(b.path(m)).goesTo(t, "/account")
}

// What only fetches ahead is not a person, even in the right browser.
func TestAPrefetchSpendsNothing(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	m := b.ask("mara@home.example")
	for _, header := range [][]string{{"Sec-Purpose", "prefetch"}, {"Sec-Purpose", "prefetch;prerender"}, {"Purpose", "prefetch"}, {"Sec-Fetch-Dest", "image"}, {"Sec-Fetch-Mode", "cors"}} {
		b.get(b.path(m), header...).is(t, 200, "Sign in on this device?")
	}
	b.do(http.MethodHead, b.path(m), nil)
	if who := b.who(); who != "" {
		t.Fatalf("a prefetch signed in as %s", who)
	}
	b.get(b.path(m)).goesTo(t, "/account")
}

func TestLinkInAnotherBrowserAsksFirst(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	desk, phone := h.browser(), h.browser()
	phone.headers["User-Agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1"
	m := desk.ask("mara@home.example")
	code := codeIn(t, m)
	phone.get(desk.path(m)).is(t, 200, "Sign in on this device?", "Firefox on Linux", code[:3]+" "+code[3:])
	phone.isSignedInAs("")
	phone.post(desk.path(m)).goesTo(t, "/account")
	phone.isSignedInAs("mara@home.example")
	desk.isSignedInAs("")
	desk.get(desk.path(m)).is(t, http.StatusGone, "was used")
}

func TestWhoDidNotAskCanVoidTheLink(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	attacker, mara := h.browser(), h.browser()
	m := attacker.ask("mara@home.example")
	mara.post(attacker.path(m), "no", "1").is(t, 200, "Link cancelled")
	attacker.post("/signin/code", "code", codeIn(t, m)).is(t, http.StatusGone)
	attacker.isSignedInAs("")
	mara.get(attacker.path(m)).is(t, http.StatusGone, "was cancelled")
}

func TestLinkThatAsksForItsCodeElsewhere(t *testing.T) {
	h := open(t, func(c *config.Config) { c.Link.Confirm = "code" })
	h.user("mara@home.example")
	desk, phone := h.browser(), h.browser()
	m := desk.ask("mara@home.example")
	code := codeIn(t, m)
	page := phone.get(desk.path(m))
	page.is(t, 200, "6-digit code")
	if strings.Contains(page.body, code[:3]+" "+code[3:]) {
		t.Error("the page shows the code it asks for")
	}
	phone.post(desk.path(m)).is(t, 422, "A code has 6 digits")
	phone.post(desk.path(m), "code", wrong(code)).goesTo(t, desk.path(m))
	phone.get(desk.path(m)).is(t, 200, "4 tries left", "Error: ", `aria-invalid="true"`)
	phone.isSignedInAs("")
	phone.post(desk.path(m), "code", code).goesTo(t, "/account")
	phone.isSignedInAs("mara@home.example")
}

func wrong(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

// Five tries of a million, however they are spread.
func TestGuessingTheCodeEndsAfterFiveTries(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	m := b.ask("mara@home.example")
	code := codeIn(t, m)
	for left := 4; left > 0; left-- {
		b.post("/signin/code", "code", wrong(code)).goesTo(t, "/signin/code")
		b.get("/signin/code").is(t, 200, "That code did not match.", "Error: ", `aria-invalid="true"`)
		// Loaded again, the page spends nothing and says nothing of the past.
		if again := b.get("/signin/code"); strings.Contains(again.body, "did not match") {
			t.Errorf("the page says it again:\n%s", again.body)
		}
	}
	b.post("/signin/code", "code", wrong(code)).is(t, http.StatusGone, "no tries are left")
	b.post("/signin/code", "code", code).is(t, http.StatusGone)
	b.isSignedInAs("")
	// The link has 256 bits and nothing to do with guesses of the code.
	b.get(b.path(m)).goesTo(t, "/account")
}

func TestGuessingInParallelGetsNoMoreTries(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	code := codeIn(t, b.ask("mara@home.example"))
	var mu sync.Mutex
	status := map[int]int{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			a := b.post("/signin/code", "code", wrong(code))
			mu.Lock()
			defer mu.Unlock()
			status[a.StatusCode]++
		})
	}
	wg.Wait()
	if status[303] != 4 || status[410] != 16 {
		t.Errorf("got %v, want 4 wrong codes and 16 dead ones", status)
	}
}

// A code that was mailed to somebody else's browser is worth nothing here.
func TestCodeWorksOnlyInTheBrowserThatAsked(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	desk, other := h.browser(), h.browser()
	code := codeIn(t, desk.ask("mara@home.example"))
	other.post("/signin/code", "code", code).is(t, http.StatusGone, "started in another browser")
	other.ask("mara@home.example")
	other.post("/signin/code", "code", code).goesTo(t, "/signin/code")
	other.isSignedInAs("")
}

func TestOldLinksSayWhatBecameOfThem(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	first := b.ask("mara@home.example")
	h.pass(61 * time.Second)
	b.post("/signin/resend").goesTo(t, "/signin/code")
	second := h.mail(2)[0]
	b.get(b.path(first)).is(t, http.StatusGone, "There is a newer link", "GL-")
	b.get(b.path(second)).goesTo(t, "/account")
	b.get(b.path(second)).goesTo(t, "/account")
	h.browser().get(b.path(second)).is(t, http.StatusGone, "was used")
	b.get("/signin/link/"+strings.Repeat("A", 43)).is(t, http.StatusGone, "does not work")
	b.get("/signin/link/short").is(t, http.StatusGone, "does not work")

	h.pass(time.Hour)
	third := b.ask("mara@home.example")
	h.pass(2*time.Hour + time.Second)
	b.get(b.path(third)).is(t, http.StatusGone, "has expired")
	h.browser().get(b.path(third)).is(t, http.StatusGone, "has expired")
}

func TestResendWaitsAMinuteThenFive(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	b.ask("mara@home.example")
	h.pass(30 * time.Second)
	a := b.post("/signin/resend")
	a.is(t, 429, "Wait 30 more seconds")
	if got := a.Header.Get("Retry-After"); got != "30" {
		t.Errorf("Retry-After is %q, want 30", got)
	}
	// Typing the same address again is no way around it: the mail that is on
	// its way counts.
	b.post("/signin", "identifier", "mara@home.example").goesTo(t, "/signin/code")
	if n := len(h.mail(1)); n != 1 {
		t.Fatalf("got %d mails, want 1", n)
	}
	h.pass(30 * time.Second)
	b.post("/signin/resend").goesTo(t, "/signin/code")
	h.mail(2)
	h.pass(2 * time.Minute)
	b.post("/signin/resend").is(t, 429, "Wait 180 more seconds")
}

// Row 36 of the fault table: one impatient person, or somebody who wants to
// flood a mailbox.
func TestFiftyClicksSendAtMostThreeMails(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	browsers := []*browser{h.browser(), h.browser(), h.browser(), h.browser()}
	limited := 0
	for i := range 50 {
		b := browsers[i%4]
		switch a := b.post("/signin", "identifier", "mara@home.example"); a.StatusCode {
		case http.StatusSeeOther:
		case http.StatusTooManyRequests:
			limited++
			if !strings.Contains(a.body, "Try again in") || a.Header.Get("Retry-After") == "" {
				t.Fatalf("the limit does not say when: %s", a.body)
			}
		default:
			t.Fatalf("got %d", a.StatusCode)
		}
	}
	mails := h.mail(1)
	if len(mails) > 3 || limited == 0 {
		t.Fatalf("got %d mails and %d refusals", len(mails), limited)
	}
	newest := h.browser()
	newest.post(newest.path(mails[0])).goesTo(t, "/account")
}

func TestKnownAndUnknownAddressesLookAlike(t *testing.T) {
	h := open(t, nil)
	h.user("aaaa@home.example")
	pages := map[string][]string{}
	for _, email := range []string{"aaaa@home.example", "bbbb@home.example"} {
		b := h.browser()
		first := b.post("/signin", "identifier", email)
		check := b.get("/signin/code")
		code := b.post("/signin/code", "code", "123456")
		again := b.post("/signin/resend")
		for _, a := range []reply{first, check, code, again} {
			headers := a.Header.Clone()
			for _, name := range []string{"Date", "X-Request-Id", "Set-Cookie"} {
				headers.Del(name)
			}
			var text strings.Builder
			headers.Write(&text)
			pages[email] = append(pages[email], strings.ReplaceAll(text.String()+a.body, email, "EMAIL"))
		}
		if cookies := first.Cookies(); len(cookies) != 1 {
			t.Errorf("%s: got %d cookies", email, len(cookies))
		} else {
			pages[email] = append(pages[email], http.StatusText(len(cookies[0].Value)))
		}
	}
	if !slices.Equal(pages["aaaa@home.example"], pages["bbbb@home.example"]) {
		t.Errorf("they differ:\n%s\n\n%s", pages["aaaa@home.example"], pages["bbbb@home.example"])
	}
	h.mail(1)
	if n := len(h.mail(1)); n != 1 {
		t.Errorf("got %d mails, want one for the known address", n)
	}
}

func TestWrongAddressesAreSaidAndCorrected(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	b.post("/signin", "identifier", "").is(t, 422, "Enter your email address", `aria-invalid="true"`)
	b.post("/signin", "identifier", "<script>@x").is(t, 422, "Check the address", "&lt;script&gt;@x")
	b.post("/signin", "identifier", "mraa@home.example").goesTo(t, "/signin/code")
	b.get("/signin?change=1").is(t, 200, `value="mraa@home.example"`)
	b.signIn("mara@home.example")
}

func TestDisabledUserLearnsItOnlyAfterTheProof(t *testing.T) {
	h := open(t, func(c *config.Config) { c.Contact = "sam@home.example" })
	u := h.user("mara@home.example")
	in := h.browser()
	in.signIn("mara@home.example")
	if err := h.app.Users.Disable(t.Context(), app.Operator(), u); err != nil {
		t.Fatal(err)
	}
	in.isSignedInAs("")
	h.pass(time.Hour)
	b := h.browser()
	m := b.ask("mara@home.example")
	a := b.get(b.path(m))
	a.is(t, http.StatusForbidden, "suspended")
	b.isSignedInAs("")
}

// Whoever puts a cookie into the victim's browser beforehand must not share the
// session that starts there.
func TestSessionFixation(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	planted := strings.Repeat("A", 43)
	u, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: h.named("gatelodge"), Value: planted}})
	b.signIn("mara@home.example")
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == h.named("gatelodge") && c.Value == planted {
			t.Error("the planted token became the session's")
		}
	}
	if _, err := h.app.Sessions.Resume(t.Context(), planted, func() string { return "" }); err == nil {
		t.Error("the planted token opens a session")
	}
}

func TestReturnIsKeptThroughTheSignIn(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	b.get("/account?welcome=1").goesTo(t, "/signin")
	b.get("/account?a=b").goesTo(t, "/signin")
	m := b.ask("mara@home.example")
	b.get(b.path(m)).goesTo(t, "/account?a=b")
}

func TestSetUpMakesOneAdminHoweverManyTry(t *testing.T) {
	h := open(t, nil)
	code, err := h.app.Users.SetUpCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.browser().get("/").goesTo(t, "/setup")
	h.browser().get("/setup?code="+code).is(t, 200, code)
	h.browser().post("/setup", "setup_code", "0000-0000-0000-0000", "email", "x@home.example").is(t, 422, "not the set-up code")
	h.browser().post("/setup", "setup_code", code, "email", "nobody").is(t, 422, "Check the address")
	var mu sync.Mutex
	won := 0
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			b := h.browser()
			email := string(rune('a'+i)) + "@home.example"
			a := b.post("/setup", "setup_code", strings.ToLower(code), "email", email)
			mu.Lock()
			defer mu.Unlock()
			if a.StatusCode == http.StatusSeeOther {
				won++
				b.isSignedInAs(email)
			} else {
				a.is(t, http.StatusGone, "is already set up")
				b.isSignedInAs("")
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d visitors became the first admin", won)
	}
	users := 0
	if err := h.app.Users.All(t.Context(), func(u store.User) error {
		users++
		if !u.Admin {
			t.Errorf("%s is no admin", u.Email)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if users != 1 {
		t.Errorf("there are %d users", users)
	}
	h.browser().get("/setup?code="+code).is(t, http.StatusGone, "is already set up")
}

// A user added on the command line before the set-up must not leave the server
// without anybody who may manage it.
func TestSetUpAfterAUserWasAdded(t *testing.T) {
	h := open(t, nil)
	u := h.user("mara@home.example")
	code, err := h.app.Users.SetUpCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	b.post("/setup", "setup_code", code, "email", "Mara@home.example", "name", "Mara").goesTo(t, "/account?welcome")
	b.isSignedInAs("mara@home.example")
	got, err := h.app.Users.Find(t.Context(), u.ID)
	if err != nil || !got.Admin || got.Name != "Mara" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Whoever tries many addresses from one place is slowed, and others are not.
func TestOneNetworkCannotAskForEverybody(t *testing.T) {
	h := open(t, nil)
	refused := 0
	for i := range 70 {
		b := h.browser()
		b.headers["X-Forwarded-For"] = "203.0.113.7"
		a := b.post("/signin", "identifier", strings.Repeat("a", i%60+1)+"@home.example")
		if a.StatusCode == http.StatusTooManyRequests {
			refused++
			if !strings.Contains(a.body, "Too many tries from your network") && !strings.Contains(a.body, "Too many mails") {
				t.Fatal(a.body)
			}
		}
	}
	if refused != 10 {
		t.Errorf("%d of 70 were refused, want 10", refused)
	}
	other := h.browser()
	other.headers["X-Forwarded-For"] = "203.0.113.8"
	other.post("/signin", "identifier", "z@home.example").goesTo(t, "/signin/code")
}
