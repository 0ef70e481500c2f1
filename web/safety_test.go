package web_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/store"
)

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	h := open(t, isHTTPS)
	h.user("mara@home.example")
	for _, path := range []string{"/", "/signin", "/signin/code", "/signin/link/x", "/setup", "/account", "/signout", "/nowhere", "/api/auth/session", "/healthz", "/readyz", "/robots.txt"} {
		a := h.browser().get(path, "Host", "auth.home.example")
		referrer := "no-referrer"
		if a.Header.Get("Location") == "" && strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			referrer = "same-origin" // see TestOurFormsArePostedWithAnOrigin
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": referrer, "X-Frame-Options": "DENY",
			"Strict-Transport-Security": "max-age=31536000", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		policy := a.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q lacks %q", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy allows what is inline: %q", path, policy)
		}
		if !regexp.MustCompile(`^GL-[0-9A-Z]{4}-[0-9A-Z]{4}$`).MatchString(a.Header.Get("X-Request-Id")) {
			t.Errorf("%s: X-Request-Id is %q", path, a.Header.Get("X-Request-Id"))
		}
		if cache := a.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
			t.Errorf("%s: Cache-Control is %q", path, cache)
		}
	}
}

// A form of a page with the policy "no-referrer" is posted with "Origin: null". Where
// Sec-Fetch-Site is missing too, it looks like another site's.
func TestOurFormsArePostedWithAnOrigin(t *testing.T) {
	for name, url := range map[string]string{"https": "https://auth.home.example", "http in a home network": "http://auth.home.example:8080", "this machine": ""} {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(c *config.Config) { c.PublicURL = url })
			h.user("mara@home.example")
			b := h.browser()
			host, origin := strings.TrimPrefix(h.url, "http://"), h.url
			if url != "" {
				_, host, _ = strings.Cut(url, "://")
				origin = url
			}
			page := b.get("/signin", "Host", host)
			page.is(t, http.StatusOK, `<meta name="referrer" content="same-origin">`)
			if got := page.Header.Get("Referrer-Policy"); got != "same-origin" {
				t.Errorf("Referrer-Policy is %q", got)
			}
			form := map[string][]string{"identifier": {"mara@home.example"}}
			b.do(http.MethodPost, "/signin", form, "Host", host, "Origin", "null").is(t, http.StatusForbidden)
			b.do(http.MethodPost, "/signin", form, "Host", host, "Origin", origin).goesTo(t, "/signin/code")
		})
	}
}

func TestCookiesCannotBeReadOrPlantedFromElsewhere(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*config.Config)
		host   string
		prefix string
		secure bool
	}{
		"https": {isHTTPS, "auth.home.example", "__Host-", true},
		"http":  {nil, "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, tt.change)
			h.user("mara@home.example")
			b := h.browser()
			b.client.Jar = nil // by hand: the test speaks http
			send := func(method, path string, cookie string, form map[string][]string) reply {
				headers := []string{"Cookie", cookie}
				if tt.host != "" {
					headers = append(headers, "Host", tt.host)
				}
				return b.do(method, path, form, headers...)
			}
			asked := send(http.MethodPost, "/signin", "", map[string][]string{"identifier": {"mara@home.example"}})
			login := asked.Cookies()[0]
			in := send(http.MethodGet, b.path(h.mail(1)[0]), login.Name+"="+login.Value, nil)
			var session *http.Cookie
			for _, c := range append(asked.Cookies(), in.Cookies()...) {
				if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure != tt.secure {
					t.Errorf("%v", c.Raw)
				}
				if !strings.HasPrefix(c.Name, tt.prefix+"gatelodge") {
					t.Errorf("a cookie is called %s", c.Name)
				}
				if c.Name == h.named(tt.prefix+"gatelodge") {
					session = c
				}
			}
			if session == nil || session.MaxAge != 30*24*3600 {
				t.Fatalf("the session cookie is %v", session)
			}
		})
	}
}

// A login cookie that somebody changed is no login cookie.
func TestTamperedLoginCookie(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	m := b.ask("mara@home.example")
	u := mustURL(t, h.url)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == h.named("gatelodge-login") {
			v := []byte(c.Value)
			v[len(v)/2] ^= 1
			c.Value = string(v)
			b.client.Jar.SetCookies(u, []*http.Cookie{c})
		}
	}
	b.get("/signin/code").goesTo(t, "/signin")
	b.post("/signin/code", "code", codeIn(t, m)).is(t, http.StatusGone)
	b.isSignedInAs("")
}

func TestDevicesAreEndedAtOnce(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	h.user("eve@home.example")
	desk, phone, tablet, eve := h.browser(), h.browser(), h.browser(), h.browser()
	for _, b := range []*browser{desk, phone, tablet} {
		b.signIn("mara@home.example")
		h.pass(11 * time.Minute)
	}
	eve.signIn("eve@home.example")
	page := desk.get("/account")
	ids := regexp.MustCompile(`/account/devices/([0-9a-z]+)/end`).FindAllStringSubmatch(page.body, -1)
	if len(ids) != 2 {
		t.Fatalf("got %d devices to end, want 2", len(ids))
	}
	// Somebody else who knows the id ends nothing.
	eve.post("/account/devices/"+ids[0][1]+"/end").goesTo(t, "/account")
	phone.isSignedInAs("mara@home.example")
	tablet.isSignedInAs("mara@home.example")

	desk.post("/account/devices/"+ids[0][1]+"/end").goesTo(t, "/account")
	desk.get("/account").is(t, 200, "Device signed out.")
	desk.post("/account/end-others").goesTo(t, "/account")
	desk.get("/account").is(t, 200, "1 other device signed out.")
	for _, b := range []*browser{phone, tablet} {
		b.get("/account").goesTo(t, "/signin")
		b.get("/signin").is(t, 200, "You were signed out.")
		b.isSignedInAs("")
	}
	desk.isSignedInAs("mara@home.example")
	eve.isSignedInAs("eve@home.example")
}

func TestSignOutEverywhere(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	desk, phone := h.browser(), h.browser()
	desk.signIn("mara@home.example")
	phone.signIn("mara@home.example")
	desk.get("/signout").is(t, 200, "Sign out on all 2 devices")
	desk.isSignedInAs("mara@home.example") // a GET does nothing
	desk.post("/signout", "everywhere", "1").goesTo(t, "/signout")
	desk.get("/signout").is(t, 200, "You are signed out")
	desk.isSignedInAs("")
	phone.isSignedInAs("")
}

func TestSessionsEndByThemselves(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	b := h.browser()
	b.signIn("mara@home.example")
	for range 5 { // used now and then: rolls on
		h.pass(29 * 24 * time.Hour)
		b.isSignedInAs("mara@home.example")
		flush(t, h)
	}
	h.pass(29 * 24 * time.Hour)
	b.isSignedInAs("mara@home.example")
	flush(t, h)
	h.pass(7 * 24 * time.Hour) // 181 days after the sign-in
	b.isSignedInAs("")

	b.signIn("mara@home.example")
	h.pass(30*24*time.Hour + time.Second) // never used
	b.isSignedInAs("")
}

// flush waits until the touches have been written.
func flush(t *testing.T, h *testServer) {
	t.Helper()
	h.app.Sessions.Flush()
}

func TestAnErrorPageIsKnownByItsReference(t *testing.T) {
	h := open(t, func(c *config.Config) { c.Contact = "sam@home.example" })
	a := h.browser().get("/nowhere")
	ref := a.Header.Get("X-Request-Id")
	a.is(t, 404, ref, "Page not found", "sam@home.example")
	if found := h.app.Recent.Find(ref); len(found) != 1 || found[0].Status != 404 {
		t.Errorf("got %+v", found)
	}
	if !strings.Contains(h.logged(), "ref="+ref) {
		t.Error("the log does not know the reference")
	}
	// What concerns somebody's sign-in is known after a restart too.
	h.user("mara@home.example")
	b := h.browser()
	m := b.ask("mara@home.example")
	b.get(b.path(m)).goesTo(t, "/account")
	gone := h.browser().get(b.path(m))
	gone.is(t, 410, gone.Header.Get("X-Request-Id"))
	h.app.Audit.Flush()
	var events []store.Event
	err := h.app.DB.View(t.Context(), func(tx *store.Tx) (err error) {
		events, err = tx.EventsByReference(gone.Header.Get("X-Request-Id"))
		return err
	})
	if err != nil || len(events) == 0 {
		t.Errorf("the audit log has %v, %v", events, err)
	}
}

func TestTheLogHoldsNoSecret(t *testing.T) {
	h := open(t, nil)
	code, err := h.app.Users.SetUpCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	b.get("/setup?code=" + code)
	b.post("/setup", "setup_code", code, "email", "mara@home.example").goesTo(t, "/account?welcome")
	b.post("/signout")
	m := b.ask("mara@home.example")
	token := strings.TrimPrefix(b.path(m), "/signin/link/")
	b.post("/signin/code", "code", wrong(codeIn(t, m)))
	h.browser().get(b.path(m))
	b.get(b.path(m)).goesTo(t, "/account")
	secrets := []string{code, token, codeIn(t, m), "mara@home.example"}
	for _, c := range b.client.Jar.Cookies(mustURL(t, h.url)) {
		secrets = append(secrets, c.Value)
	}
	// The line for programs that ban addresses names who was tried.
	logged := strings.ReplaceAll(h.logged(), "msg=auth-fail ip=127.0.0.1 user=mara@home.example reason=code", "")
	for _, s := range secrets {
		if strings.Contains(logged, s) {
			t.Errorf("the log contains %q:\n%s", s, h.logged())
		}
	}
}

func TestTheClientsAddressIsTakenFromTrustedProxiesAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		trusted []string
		headers []string
		want    string
	}{
		"no proxy":                          {[]string{"127.0.0.0/8"}, nil, "127.0.0.1"},
		"a proxy we trust":                  {[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For", "203.0.113.7"}, "203.0.113.7"},
		"a chain, of which we trust a part": {[]string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"X-Forwarded-For", "1.1.1.1, 203.0.113.7, 10.0.0.2"}, "203.0.113.7"},
		"a client that lies to a proxy":     {[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For", "127.0.0.1, 203.0.113.7"}, "203.0.113.7"},
		"a proxy we do not trust":           {[]string{"10.0.0.0/8"}, []string{"X-Forwarded-For", "203.0.113.7"}, "127.0.0.1"},
		"garbage":                           {[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For", "203.0.113.7, nonsense"}, "127.0.0.1"},
		"IPv6":                              {[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For", "2001:db8::1"}, "2001:db8::1"},
		"IPv4 in IPv6":                      {[]string{"127.0.0.0/8"}, []string{"X-Forwarded-For", "::ffff:203.0.113.7"}, "203.0.113.7"},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(c *config.Config) { c.TrustedProxies = tt.trusted })
			h.browser().get("/nowhere", tt.headers...)
			if !strings.Contains(h.logged(), "ip="+tt.want+" ") && !strings.Contains(h.logged(), `ip="`+tt.want) {
				t.Errorf("want ip=%s in\n%s", tt.want, h.logged())
			}
		})
	}
}

func TestRequestsThatAreNoneOfOurs(t *testing.T) {
	h := open(t, nil)
	b := h.browser()
	for name, tt := range map[string]struct {
		reply  reply
		status int
		words  string
	}{
		"a path that is not there":      {b.get("/nowhere"), 404, "Page not found"},
		"a path with a slash too many":  {b.get("/signin/"), 404, "Page not found"},
		"a method that is not there":    {b.do("DELETE", "/signin", nil), 405, "does not accept that request"},
		"a POST to a page":              {b.post("/account"), 405, "does not accept that request"},
		"another host":                  {b.get("/signin", "Host", "evil.example"), 421, "another address"},
		"a body that is too large":      {b.post("/signin", "identifier", strings.Repeat("x", 70<<10)), 413, "larger than this server accepts"},
		"a code without a sign-in":      {b.post("/signin/code", "code", "123456"), 410, "started in another browser"},
		"a page of code without asking": {b.get("/signin/code"), 303, ""},
		"a resend without asking":       {b.post("/signin/resend"), 410, "started in another browser"},
	} {
		t.Run(name, func(t *testing.T) { tt.reply.is(t, tt.status, tt.words) })
	}
}

func TestHEADWorksWhereGETDoes(t *testing.T) {
	h := open(t, nil)
	for _, path := range []string{"/signin", "/setup", "/healthz", "/readyz", "/dev/mail", "/signout"} {
		get, head := h.browser().get(path), h.browser().do(http.MethodHead, path, nil)
		if get.StatusCode != head.StatusCode || head.body != "" || get.Header.Get("Content-Type") != head.Header.Get("Content-Type") {
			t.Errorf("%s: GET %d, HEAD %d with %d bytes", path, get.StatusCode, head.StatusCode, len(head.body))
		}
	}
}

func TestSessionAPI(t *testing.T) {
	h := open(t, nil)
	u := h.user("mara@home.example")
	b := h.browser()
	out := b.get("/api/auth/session")
	out.is(t, 200)
	if out.body != "null" || out.Header.Get("Content-Type") != "application/json" || out.Header.Get("Cache-Control") != "private, no-cache, no-store" ||
		out.Header.Get("Pragma") != "no-cache" || out.Header.Get("Expires") != "0" || len(out.Cookies()) != 0 {
		t.Errorf("signed out: %q with %v", out.body, out.Header)
	}
	b.signIn("mara@home.example")
	in := b.get("/api/auth/session")
	var got struct {
		User struct {
			ID, Email     string
			EmailVerified time.Time
			Groups        []string
		}
		Expires string
	}
	if err := json.Unmarshal([]byte(in.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.User.ID != u.ID || got.User.Email != "mara@home.example" || !got.User.EmailVerified.Equal(h.Now()) || got.User.Groups == nil || got.Expires != "2026-12-23T12:00:00.001Z" {
		t.Errorf("got %s", in.body)
	}
	if len(in.Cookies()) != 0 {
		t.Errorf("a read sets cookies: %v", in.Cookies())
	}
	u2 := mustURL(t, h.url)
	var token string
	for _, c := range b.client.Jar.Cookies(u2) {
		if c.Name == h.named("gatelodge") {
			token = c.Value
		}
	}
	program := h.browser()
	program.get("/api/auth/session", "Authorization", "Bearer "+token).is(t, 200, "mara@home.example")
	b.post("/signout")
	program.get("/api/auth/session", "Authorization", "Bearer "+token).is(t, 200, "null")
	stale := h.browser()
	stale.client.Jar.SetCookies(u2, []*http.Cookie{{Name: h.named("gatelodge"), Value: token}})
	a := stale.get("/api/auth/session")
	if a.body != "null" || len(a.Cookies()) != 1 || a.Cookies()[0].MaxAge >= 0 {
		t.Errorf("a dead cookie gets %q and %v", a.body, a.Cookies())
	}
}

func TestLanguageIsChosenAndKept(t *testing.T) {
	h := open(t, nil)
	b := h.browser()
	b.get("/signin", "Accept-Language", "de-CH, en;q=0.5").is(t, 200, `lang="de"`, "Anmelden")
	b.get("/signin?change=1&lang=de").goesTo(t, "/signin?change=1")
	b.get("/signin").is(t, 200, "Anmelden")
	b.get("/signin?lang=en").goesTo(t, "/signin")
	b.get("/signin", "Accept-Language", "de").is(t, 200, `lang="en"`)
	b.get("//evil.example/?lang=de")
}

func TestReadiness(t *testing.T) {
	h := open(t, nil)
	h.browser().get("/healthz").is(t, 200, "ok")
	h.browser().get("/readyz").is(t, 200, "ready")
}

// What strangers can ask for without end must not write.
func TestStrangersCauseNoWrites(t *testing.T) {
	h := open(t, nil)
	h.user("mara@home.example")
	asker := h.browser()
	m := asker.ask("mara@home.example")
	h.app.Audit.Flush()
	before := h.app.DB.Generation()
	for _, path := range []string{asker.path(m), "/signin/link/" + strings.Repeat("A", 43), "/signin", "/setup", "/api/auth/session", "/nowhere", "/account"} {
		for range 20 {
			h.browser().get(path, "X-Forwarded-For", "203.0.113.7", "Cookie", h.named("gatelodge")+"="+strings.Repeat("B", 43))
		}
	}
	if after := h.app.DB.Generation(); after-before > 5 {
		t.Errorf("%d writes for 140 requests of a stranger", after-before)
	}
}

// A form that is sent after another tab signed out is not lost without a reason: the
// sign-in page says so, and signing in leads back to the form. None of it is saved, by
// whoever signs in next.
func TestAFormSentAfterSigningOutIsNotLostWithoutAReason(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/account/profile", "/account/password", "/account/emails", "/account/close"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			h := open(t, nil)
			h.user("mara@home.example")
			h.user("sam@home.example")
			b := h.browser()
			b.signIn("mara@home.example")
			b.post("/signout").goesTo(t, "/signout")
			a := b.post(path, "name", "Edited name", "password", "a secret of mine", "email", "edited@home.example", "confirm", "mara@home.example")
			a.goesTo(t, "/signin")
			b.get("/signin?other=1").is(t, 200, "You were signed out. Your changes were not saved.")
			m := b.ask("sam@home.example")
			b.get(b.path(m)).goesTo(t, path)
			for _, page := range []string{"/account/profile", "/account/emails"} {
				if text := b.get(page).body; strings.Contains(text, "Edited name") || strings.Contains(text, "edited@home.example") {
					t.Errorf("%s shows another user's form", page)
				}
			}
		})
	}
}
