package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/app/audit"
	"gatelodge/app/config"
	"gatelodge/app/people"
	"gatelodge/store"
)

// twice posts a form two times with the cookies of before, as a double click does:
// nothing that the first answer sets is there with the second request. It returns both
// answers, and leaves those cookies in the browser.
func (b *browser) twice(path string, pairs ...string) (answers [2]reply) {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	jar, before := b.client.Jar, b.client.Jar.Cookies(mustURL(b.t, b.h.url))
	b.client.Jar = nil
	defer func() { b.client.Jar = jar }()
	var header []string
	for _, c := range before {
		header = append(header, c.Name+"="+c.Value)
	}
	var both sync.WaitGroup
	for i := range answers {
		both.Go(func() {
			answers[i] = b.do(http.MethodPost, path, form, "Cookie", strings.Join(header, "; "))
		})
	}
	both.Wait()
	return answers
}

// receives takes the cookies of an answer, as the browser does that waits for it.
func (b *browser) receives(a reply) { b.client.Jar.SetCookies(mustURL(b.t, b.h.url), a.Cookies()) }

// devices counts the sessions that the account page lists.
func (b *browser) devices() int {
	b.t.Helper()
	page := b.get("/account")
	page.is(b.t, http.StatusOK)
	return strings.Count(page.body, "This device") + strings.Count(page.body, `/account/devices/`)
}

// What can be spent once is spent by the first of two clicks. Whichever answer the
// browser waits for, it is signed in, and only once.
func TestADoubleClickSignsIn(t *testing.T) {
	const mara = "mara@home.example"
	for name, tt := range map[string]struct {
		change func(*config.Config)
		clicks func(h *testServer, b *browser) [2]reply
	}{
		"code": {nil, func(h *testServer, b *browser) [2]reply {
			h.user(mara)
			return b.twice("/signin/code", "code", codeIn(t, b.ask(mara)))
		}},
		"link in another browser": {nil, func(h *testServer, b *browser) [2]reply {
			h.user(mara)
			m := h.browser().ask(mara)
			b.get(b.path(m)).is(t, http.StatusOK)
			return b.twice(b.path(m))
		}},
		"link with its code in another browser": {func(c *config.Config) { c.Link.Confirm = "code" }, func(h *testServer, b *browser) [2]reply {
			h.user(mara)
			m := h.browser().ask(mara)
			b.get(b.path(m)).is(t, http.StatusOK)
			return b.twice(b.path(m), "code", codeIn(t, m))
		}},
		"mailed invitation": {nil, func(h *testServer, b *browser) [2]reply {
			_, link := h.invites(people.Invitation{Email: mara})
			b.get(link).is(t, http.StatusOK)
			return b.twice(link, "name", "Mara", "password", goodPassword)
		}},
		"set-up": {nil, func(h *testServer, b *browser) [2]reply {
			code, err := h.app.Users.SetUpCode(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b.get("/setup").is(t, http.StatusOK)
			return b.twice("/setup", "setup_code", code, "email", mara, "name", "Mara")
		}},
		"password": {nil, func(h *testServer, b *browser) [2]reply {
			h.withPassword(mara, goodPassword)
			b.post("/signin", "identifier", mara, "method", "password").goesTo(t, "/signin/password")
			return b.twice("/signin/password", "password", goodPassword)
		}},
		"sign-up": {mode("open"), func(h *testServer, b *browser) [2]reply {
			m := h.brings(func() { b.post("/signup", "email", mara, "name", "Mara").goesTo(t, "/signin/code") })
			return b.twice("/signin/code", "code", codeIn(t, m))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for kept := range 2 {
				h := open(t, tt.change)
				b := h.browser()
				answers := tt.clicks(h, b)
				for i, a := range answers {
					if a.StatusCode != http.StatusSeeOther {
						t.Fatalf("answer %d is %d:\n%s", i, a.StatusCode, a.body)
					}
				}
				if a, b := answers[0].Header.Get("Location"), answers[1].Header.Get("Location"); a != b {
					t.Errorf("one leads to %s, one to %s", a, b)
				}
				b.receives(answers[kept])
				b.isSignedInAs(mara)
				if n := b.devices(); n != 1 {
					t.Errorf("got %d devices, want 1", n)
				}
			}
		})
	}
}

// Whoever lacks the browser's cookie, comes later, or comes after the session has ended
// finds a used code used.
func TestARepetitionIsTheSameBrowsersAlone(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b, thief := h.browser(), h.browser()
	m := b.ask("mara@home.example")
	code := codeIn(t, m)
	before := b.client.Jar.Cookies(mustURL(t, h.url))
	again := func() reply {
		var header []string
		for _, c := range before {
			header = append(header, c.Name+"="+c.Value)
		}
		jar := b.client.Jar
		b.client.Jar = nil
		defer func() { b.client.Jar = jar }()
		return b.do(http.MethodPost, "/signin/code", url.Values{"code": {code}}, "Cookie", strings.Join(header, "; "))
	}
	b.post("/signin/code", "code", code).goesTo(t, "/account")

	again().goesTo(t, "/account") // the same browser, at once
	thief.get(b.path(m))
	thief.post(b.path(m)).is(t, http.StatusGone, "was used")
	thief.post("/signin/code", "code", code).is(t, http.StatusGone)
	thief.isSignedInAs("")

	h.pass(31 * time.Second)
	again().is(t, http.StatusGone)
	b.isSignedInAs("mara@home.example")

	h.pass(time.Hour)
	other := h.browser()
	code = codeIn(t, other.ask("mara@home.example"))
	before = other.client.Jar.Cookies(mustURL(t, h.url))
	other.post("/signin/code", "code", code).goesTo(t, "/account")
	other.post("/signout").goesTo(t, "/signout")
	if a := again(); a.StatusCode != http.StatusGone || len(a.Cookies()) > 0 {
		t.Errorf("after signing out a repetition got %d and %v", a.StatusCode, a.Cookies())
	}
}

// What has done its work leads on whoever it signed in.
func TestALinkThatSignedInLeadsOn(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	h.user("eve@home.example")
	b, eve := h.browser(), h.browser()
	m := b.ask("mara@home.example")
	b.get(b.path(m)).goesTo(t, "/account")
	h.pass(time.Hour)
	b.get(b.path(m)).goesTo(t, "/account")
	b.post(b.path(m)).goesTo(t, "/account")
	h.browser().get(b.path(m)).is(t, http.StatusGone, "was used")
	eve.signIn("eve@home.example")
	eve.get(b.path(m)).is(t, http.StatusGone, "was used")
}

// Two clicks ask once: the second mail would make the first one's link useless, while
// it is being read.
func TestADoubleClickMailsOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		page, path string
		form       []string
	}{
		"sign-in":          {"/signin", "/signin", []string{"identifier", "mara@home.example"}},
		"sign-up":          {"/signup", "/signup", []string{"email", "new@home.example", "name", "Mara"}},
		"forgotten":        {"/signin", "/signin/forgot", []string{"identifier", "mara@home.example"}},
		"sign-up, known":   {"/signup", "/signup", []string{"email", "mara@home.example", "name", "Mara"}},
		"sign-in, unknown": {"/signin", "/signin", []string{"identifier", "new@home.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, mode("open"))
			h.user("mara@home.example")
			b := h.browser()
			b.get(tt.page).is(t, http.StatusOK)
			asked := 0
			for i, a := range b.twice(tt.path, tt.form...) {
				if a.StatusCode >= 400 {
					t.Fatalf("answer %d is %d:\n%s", i, a.StatusCode, a.body)
				}
				err := h.app.DB.View(t.Context(), func(tx *store.Tx) error {
					events, err := tx.EventsByReference(a.Header.Get("X-Request-Id"))
					for _, e := range events {
						if e.Kind == audit.LinkAsked || e.Kind == audit.ResetAsked {
							asked++
						}
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if asked != 1 {
				t.Errorf("asked for %d mails, want 1", asked)
			}
		})
	}
}
