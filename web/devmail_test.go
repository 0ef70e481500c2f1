package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"gatelodge/app/config"
)

// inboxPath is the printed address of the captured mail, without its origin.
func (h *testServer) inboxPath() string {
	h.t.Helper()
	at := h.app.InboxURL("")
	i := strings.Index(at, "/dev/mail?key=")
	if i < 0 {
		h.t.Fatalf("the address of the captured mail is %q", at)
	}
	return at[i:]
}

// Captured mail holds links that sign in as any user.
func TestCapturedMailOpensWithItsKeyAlone(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	m := b.ask("mara@home.example")
	paths := []string{"/dev/mail", "/dev/mail/" + m.ID, "/dev/mail/" + m.ID + "?source=1", "/dev/mail/" + m.ID + "/html"}

	// Every request of this test comes from this machine and from our own user: no
	// proxy, tunnel or other user can look more trustworthy.
	locked := func(t *testing.T, b *browser, headers ...string) {
		t.Helper()
		for _, path := range paths {
			a := b.get(path, headers...)
			a.is(t, 404)
			if strings.Contains(a.body, m.Link) || strings.Contains(a.body, "mara@home.example") || strings.Contains(a.body, h.app.InboxKey) {
				t.Errorf("%s tells", path)
			}
		}
		b.do(http.MethodPost, "/dev/mail", url.Values{}, headers...).is(t, 404)
	}
	locked(t, b)
	b.get("/dev/mail").is(t, 404, "This page needs its key", "terminal")
	for name, key := range map[string]string{
		"no key":          "",
		"another key":     strings.Repeat("A", len(h.app.InboxKey)),
		"the beginning":   h.app.InboxKey[:len(h.app.InboxKey)-1],
		"a longer key":    h.app.InboxKey + "A",
		"it comes second": "x&key=" + h.app.InboxKey,
	} {
		t.Run(name, func(t *testing.T) {
			b := h.browser()
			b.get("/dev/mail?key="+key).is(t, 404, "This page needs its key")
			locked(t, b)
			locked(t, b, "Cookie", h.named("gatelodge-inbox")+"="+key)
		})
	}
	if len(h.mail(1)) == 0 {
		t.Error("a stranger emptied the inbox")
	}

	a := b.get(h.inboxPath())
	a.goesTo(t, "/dev/mail")
	if got := a.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("the referrer policy is %q", got)
	}
	for _, c := range a.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Domain != "" || c.MaxAge != 0 || !c.Expires.IsZero() {
			t.Errorf("the cookie is %+v", c)
		}
	}
	b.get("/dev/mail").is(t, 200, "Your sign-in code is", "mara@home.example")
	b.get("/dev/mail/"+m.ID).is(t, 200, m.Link)
	b.get("/dev/mail/"+m.ID+"?source=1").is(t, 200, "Content-Transfer-Encoding")
	page := b.get("/dev/mail/" + m.ID + "/html")
	page.is(t, 200, "<table role=\"presentation\"")
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "sandbox") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the policy of the mail is %q", policy)
	}
	// Each captured message is announced with an address of its own.
	at := h.app.InboxURL(m.ID)
	h.browser().get(at[strings.Index(at, "/dev/"):]).goesTo(t, "/dev/mail/"+m.ID)

	// The key is no reason to forget the rest: it may have been copied from a log.
	for name, headers := range map[string][]string{
		"through a proxy":            {"X-Forwarded-For", "203.0.113.7"},
		"through a proxy's own name": {"Via", "1.1 proxy"},
		"through a standard proxy":   {"Forwarded", "for=203.0.113.7"},
	} {
		t.Run(name, func(t *testing.T) {
			locked(t, b, headers...)
			h.browser().get(h.inboxPath(), headers...).is(t, 404)
		})
	}
	// A page of another site whose name was pointed here.
	b.get("/dev/mail", "Host", "evil.example").is(t, http.StatusMisdirectedRequest)
	// A form of another site, or of another port of this machine.
	b.do(http.MethodPost, "/dev/mail", url.Values{}, "Origin", "http://localhost:1", "Sec-Fetch-Site", "same-site").is(t, 403)
	if strings.Contains(h.logged(), h.app.InboxKey) {
		t.Error("the log holds the key")
	}

	b.post("/dev/mail").goesTo(t, "/dev/mail")
	b.get("/dev/mail").is(t, 200, "No mail yet")
}

// A proxy in front that adds no header and rewrites Host, as nginx does by
// default, makes every visitor look local.
func TestAProxyThatLeavesNoMarkGetsNoCapturedMail(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	h.browser().ask("mara@home.example")
	target := mustURL(t, h.url)
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = target.Host
		r.Out.Header.Del("X-Forwarded-For")
	}})
	defer front.Close()
	for range 3 {
		res, err := front.Client().Get(front.URL + "/dev/mail")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 404 {
			t.Errorf("got %d", res.StatusCode)
		}
	}
}

// Where people reach the server at a public address, no key opens the inbox.
func TestAPublicServerHasNoPageOfCapturedMail(t *testing.T) {
	h := open(t, isHTTPS)
	if at := h.app.InboxURL(""); at != "" {
		t.Errorf("there is one at %s", at)
	}
	for _, path := range []string{"/dev/mail", "/dev/mail?key=", "/dev/mail?key=x"} {
		h.browser().get(path, "Host", "auth.home.example", "Cookie", "__Host-gatelodge-inbox=").is(t, 404)
		h.browser().get(path, "Host", "localhost").is(t, http.StatusMisdirectedRequest)
	}
}

// Mail that is sent has no page, whoever asks.
func TestMailThatIsSentHasNoPage(t *testing.T) {
	h := open(t, func(c *config.Config) { c.Mail.Mode = "direct" })
	if at := h.app.InboxURL(""); at != "" {
		t.Errorf("there is one at %s", at)
	}
	h.browser().get("/dev/mail?key=").is(t, 404)
}

// The page after asking for mail says that it is captured, and hands the key to
// nobody.
func TestTheKeyOfCapturedMailIsOnNoPage(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	b.ask("mara@home.example")
	for _, path := range []string{"/", "/signin", "/signin/code", "/signin/forgot", "/setup", "/dev/mail", "/nowhere"} {
		if a := b.get(path); strings.Contains(a.body, h.app.InboxKey) {
			t.Errorf("%s holds the key", path)
		}
	}
	b.get("/signin/code").is(t, 200, "Mail is captured on this server", `href="/dev/mail"`)
}
